import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, createConnection } from "node:net";
import { createSessions, type SessionEvent, type SessionOptions, type Sessions } from "madeleine";
import { session, type SessionMiddleware, type WithSession } from "madeleine/node";
import { memoryStore } from "madeleine/stores/memory";
import { type Client, createClient } from "madeleine/testing";
import { type Data, KEY, NAME } from "./app.ts";
import type { Case } from "./cases.ts";

export const MEGABYTE: string = "0123456789abcdef".repeat(65_536);

export type Next = (error?: unknown) => void;
export type Incoming = IncomingMessage & Partial<WithSession<Data>>;
export type Middleware = (request: Incoming, response: ServerResponse, next: Next) => unknown;
/** What answers: it has the session. */
export type Page = (
  request: IncomingMessage & WithSession<Data>,
  response: ServerResponse,
  next: Next,
) => unknown;
export type Listener = (request: IncomingMessage, response: ServerResponse) => unknown;
/** Makes a server's listener of middlewares, as a framework does, with `errorPage` at their end. */
export type Framework = (middlewares: readonly Middleware[]) => Listener;

/** The page of an application's that answers errors. */
export function errorPage(error: unknown, _request: unknown, response: ServerResponse): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.statusCode = 500;
  response.setHeader("content-type", "text/plain");
  response.end(`Failed: ${codeOf(error)}`);
}

export function codeOf(error: unknown): string {
  if (error instanceof Error && "code" in error) return String(error.code);
  return error instanceof Error ? error.message : String(error);
}

/** No framework: one middleware after the other. */
export function plain(middlewares: readonly Middleware[]): Listener {
  return (request, response) => {
    let at = 0;
    function next(error?: unknown): void {
      const middleware = middlewares[at++];
      if (error !== undefined) return errorPage(error, request, response);
      try {
        middleware?.(request, response, next);
      } catch (thrown) {
        errorPage(thrown, request, response);
      }
    }
    next();
  };
}

export interface NodeApp extends AsyncDisposable {
  readonly origin: string;
  readonly port: number;
  readonly client: Client<Data>;
  readonly sessions: Sessions<Data>;
  readonly events: SessionEvent[];
  /** What its store does before each call: nothing, wait, or fail. */
  store: "ready" | "slow" | "down" | "down for writes";
  /** Another browser. */
  readonly visitor: () => Client<Data>;
}

export interface NodeAppOptions {
  readonly framework: Framework;
  readonly page: Page;
  readonly before?: readonly Middleware[];
  readonly after?: readonly Middleware[];
  readonly origin?: false;
  readonly options?: Partial<SessionOptions<Data>>;
}

/** Serves a page behind the middleware, on a free port of localhost. */
export async function serveNode(given: NodeAppOptions): Promise<NodeApp> {
  const events: SessionEvent[] = [];
  const memory = memoryStore();
  async function beReady(isWrite: boolean): Promise<void> {
    if (app.store === "slow") await new Promise((resolve) => setTimeout(resolve, 15));
    if (app.store === "down" || (isWrite && app.store === "down for writes")) {
      throw new Error("The store is down");
    }
  }
  const sessions = createSessions<Data>({
    secretKey: KEY,
    onEvent: (event) => events.push(event),
    storeTimeout: 5000,
    store: {
      async get(keys) {
        await beReady(false);
        return memory.get(keys);
      },
      async replace(key, previous, next, ttl) {
        await beReady(true);
        return memory.replace(key, previous, next, ttl);
      },
    },
    ...given.options,
  });
  const middleware: SessionMiddleware<Data> = session(
    sessions,
    given.origin === false ? { origin: false } : {},
  );
  const { before = [], after = [], page } = given;
  const listener = given.framework([
    ...before,
    middleware,
    ...after,
    (request, response, next) => {
      if (hasSession(request)) return page(request, response, next);
      throw new Error("There is no session");
    },
  ]);
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = addressOf(server.address());
  const origin = `http://localhost:${port}`;
  const visitor = (): Client<Data> => createClient(send, { sessions, origin });
  const app: NodeApp = {
    origin,
    port,
    sessions,
    events,
    client: visitor(),
    store: "ready",
    visitor,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
  return app;
}

function hasSession(request: Incoming): request is IncomingMessage & WithSession<Data> {
  return request.session !== undefined;
}

function addressOf(address: AddressInfo | string | null): AddressInfo {
  if (typeof address === "object" && address !== null) return address;
  throw new Error("The server has no port");
}

/** The bytes of a request over a socket of its own, so that nothing in between decodes or retries. */
async function send(sent: Request): Promise<Response> {
  const { hostname, port, pathname, search } = new URL(sent.url);
  const headers = { ...Object.fromEntries(sent.headers), connection: "close" };
  const body = Buffer.from(await sent.arrayBuffer());
  return new Promise((resolve, reject) => {
    const options = { host: hostname === "localhost" ? "127.0.0.1" : hostname, port };
    const outgoing = request(
      { ...options, path: pathname + search, method: sent.method, headers, agent: false },
      (incoming) => {
        const chunks: Buffer[] = [];
        incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const received = new Headers();
          for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
            received.append(incoming.rawHeaders[i] ?? "", incoming.rawHeaders[i + 1] ?? "");
          }
          const { statusCode: status = 0, statusMessage: statusText = "" } = incoming;
          const isEmpty = status === 204 || status === 304;
          const answer = { status, statusText, headers: received };
          resolve(new Response(isEmpty ? null : Buffer.concat(chunks), answer));
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.setHeader("host", `localhost:${port}`);
    outgoing.end(body);
  });
}

export async function dataOf(client: NodeApp["client"]): Promise<Data> {
  return client.session((session) => session.toJSON());
}

/** The session's own line among those of an answer. */
export function cookiesOf(response: Response): string[] {
  const lines = response.headers.getSetCookie();
  return lines.map((line) => (line.startsWith(NAME) ? "session" : line));
}

/** The bytes of an answer until its header has ended, or all of them where the connection closes. */
export function headOf(
  port: number,
  path: string,
  cookie: string,
  until = "head",
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: "127.0.0.1" });
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (until !== "head" || !text.includes("\r\n\r\n")) return;
      resolve(text);
      socket.destroy();
    });
    socket.on("end", () => resolve(text));
    socket.on("error", reject);
    const lines = [`GET ${path} HTTP/1.1`, `Host: localhost:${port}`, "Connection: close"];
    if (cookie !== "") lines.push(`Cookie: ${cookie}`);
    socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  });
}

/** Sends a request, and closes the connection after some milliseconds. */
export async function abort(
  port: number,
  path: string,
  cookie: string,
  after: number,
): Promise<void> {
  const socket = createConnection({ port, host: "127.0.0.1" });
  socket.on("error", () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost:${port}\r\nCookie: ${cookie}\r\n\r\n`);
  await pause(after);
  socket.destroy();
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Makes a case of a page behind the middleware. */
export type TestCase = (
  title: string,
  given: Omit<NodeAppOptions, "framework">,
  run: (app: NodeApp) => Promise<void>,
) => Case;

export function nodeCase(
  { name, framework, title }: { name: string; framework: Framework; title: string },
  given: Omit<NodeAppOptions, "framework">,
  run: (app: NodeApp) => Promise<void>,
): Case {
  async function serveAndRun(): Promise<void> {
    await using app = await serveNode({ framework, ...given });
    await run(app);
  }
  return { name: `${name}: ${title}`, run: serveAndRun };
}
