import type { Session } from "../../session/mod.ts";

/** A request with this `Cookie` header. */
export function requestWith(cookie?: string): Request {
  const hasCookie = cookie !== undefined && cookie !== "";
  return new Request("http://localhost/", hasCookie ? { headers: { cookie } } : {});
}

/** The `name=value` of a response's only `Set-Cookie`; undefined where there is none. */
export function cookieOf(response: Response): string | undefined {
  const [line, ...others] = response.headers.getSetCookie();
  if (others.length > 0) throw new Error(`There are ${others.length + 1} Set-Cookie lines`);
  return line?.slice(0, line.indexOf(";"));
}

/** A page that shows what the session holds. */
export function show<Data extends object>(_: Request, session: Session<Data>): Response {
  return Response.json(session.toJSON());
}
