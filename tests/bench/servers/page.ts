/** What every server of the benchmark shares, so that they differ in their sessions alone. */

/** A visitor's page, and the one that says whose session it is: the same bytes from every server. */
export function page(username?: string): string {
  const text = username === undefined ? "You are not logged in" : `Logged in as ${username}`;
  const link = username === undefined ? "log in" : "log out";
  return `<!doctype html><title>Madeleine</title><p>${text}<br><a href="/login">click here to ${link}</a>`;
}

/** The content type of every page, named once so that no server sends other bytes. */
export const htmlType = "text/html; charset=utf-8";

export function pageResponse(username?: string): Response {
  return new Response(page(username), { headers: { "content-type": htmlType } });
}

export function redirectHome(setCookie?: string): Response {
  const response = new Response(null, { status: 303, headers: { location: "/" } });
  if (setCookie !== undefined) response.headers.append("set-cookie", setCookie);
  return response;
}

/** The form's field. Read as text: it costs the same for all, and less than `formData()`. */
export async function readUsername(request: Request): Promise<string> {
  return new URLSearchParams(await request.text()).get("username") ?? "";
}

/** A random secret that the benchmark makes for one run: 64 hexadecimal characters. */
export function readSecret(): string {
  const secret = process.env["BENCH_SECRET"];
  if (secret === undefined) throw new TypeError("Cannot start the server: BENCH_SECRET is not set");
  return secret;
}

/** This machine alone, any free port unless one is named, and no development page. */
export const listenOptions = {
  hostname: "127.0.0.1",
  port: Number(process.env["BENCH_PORT"] ?? 0),
  development: false,
} as const;

/** Tells the benchmark the port, and ends this process when the benchmark is gone. */
export function announce(port: number | undefined): void {
  if (port === undefined) throw new TypeError("Cannot announce the server: it has no port");
  console.log(`port ${port}`);
  process.stdin.on("end", () => process.exit(0)).resume();
}
