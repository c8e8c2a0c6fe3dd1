import type { MaybePromise, Store } from "../../session/mod.ts";

/** What a store is told of: why it failed, and that it answers again. */
export interface OutageListener {
  readonly onDown: (error: unknown) => MaybePromise<void>;
  readonly onUp: () => void;
}

/** In milliseconds, the same as the default of `storeTimeout`: a request that waits longer is a 503. */
const DEADLINE = 250;
/** In milliseconds, for the reason: nobody waits for it. */
const ASK_DEADLINE = 3000;

/** The same store. Reports when it goes down and when it is back, once each and in order. */
export function watchStore(store: Store, { onDown, onUp }: OutageListener): Store {
  let failed: keyof Store | undefined;
  let told: MaybePromise<void>;

  function succeed(call: keyof Store): void {
    // A full disk, or another process' lock, lets reads succeed while writes fail.
    if (failed === undefined || (failed === "replace" && call === "get")) return;
    failed = undefined;
    void Promise.resolve(told).then(onUp);
  }

  function fail(call: keyof Store, error: unknown): void {
    if (failed === undefined) told = onDown(error);
    if (failed === undefined || call === "get") failed = call;
  }

  function watch<T>(call: keyof Store, ask: () => MaybePromise<T>): MaybePromise<T> {
    try {
      const answer = ask();
      if (answer instanceof Promise) return watchLate(call, answer);
      succeed(call);
      return answer;
    } catch (error) {
      fail(call, error);
      throw error;
    }
  }

  async function watchLate<T>(call: keyof Store, pending: Promise<T>): Promise<T> {
    try {
      const answer = await inTime(pending, DEADLINE);
      succeed(call);
      return answer;
    } catch (error) {
      fail(call, error);
      throw error;
    }
  }

  return {
    get: (keys) => watch("get", () => store.get(keys)),
    replace: (...change) => watch("replace", () => store.replace(...change)),
  };
}

async function inTime<T>(answer: Promise<T>, deadline: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`No answer in ${deadline} ms`)), deadline);
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Why something failed: the cause's words, where it has one. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** Why the store with this URL failed, without the URL's password. Never rejects. */
export async function explainOutage(error: unknown, storeUrl: string): Promise<string> {
  const url = URL.parse(storeUrl);
  const reason = url === null ? undefined : await ask(url).catch(reasonOf);
  return withoutPassword(reason ?? reasonOf(error), url);
}

/**
 * What the server says on a connection of its own; undefined where it takes that. Of a connection
 * that fails Bun's Redis client says that it is closed, whatever the reason, and a store of
 * PostgreSQL may say that its time was over.
 */
async function ask(url: URL): Promise<string | undefined> {
  if (/^rediss?:$/.test(url.protocol)) return askRedis(url);
  if (/^postgres(?:ql)?:$/.test(url.protocol)) return askPostgres(url);
  return undefined;
}

async function askPostgres(url: URL): Promise<undefined> {
  await using sql = new Bun.SQL(url.href, { max: 1, connectionTimeout: ASK_DEADLINE / 1000 });
  await sql`SELECT 1`;
}

async function askRedis(url: URL): Promise<string | undefined> {
  const net = process.getBuiltinModule("node:net");
  const tls = process.getBuiltinModule("node:tls");
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const address = { host, port: Number(url.port || 6379) };
  const socket = url.protocol === "rediss:" ? tls.connect(address) : net.connect(address);
  let reply = "";
  socket.on("data", (bytes) => (reply += bytes.toString()));
  socket.on("error", reject);
  socket.on("close", () => resolve(/^-(.*)\r$/m.exec(reply)?.[1]));
  const words = [url.username, url.password].filter(Boolean).map(decode);
  const login = words.length === 0 ? "" : command(["AUTH", ...words]);
  const database = url.pathname.slice(1);
  const choice = database === "" ? "" : command(["SELECT", database]);
  socket.write(login + choice + command(["PING"]) + command(["QUIT"]));
  try {
    // Not the socket's own time limit: in Bun that does not end a TLS handshake.
    return await inTime(promise, ASK_DEADLINE);
  } finally {
    socket.destroy();
  }
}

/** A command as Redis reads it (RESP): an array of strings with their lengths. */
function command(words: readonly string[]): string {
  const strings = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
  return `*${words.length}\r\n${strings.join("")}`;
}

function withoutPassword(text: string, url: URL | null): string {
  const password = url?.password ?? "";
  if (password === "") return text;
  return text.replaceAll(password, "…").replaceAll(decode(password), "…");
}

/** A part of a URL without its escapes, or as it is where these are none. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
