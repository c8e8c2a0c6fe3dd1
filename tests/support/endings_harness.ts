import { setDefaultTimeout, spyOn } from "bun:test";
import { createSessions, type Session, type Sessions, type Store } from "../../session/mod.ts";
import type { MaybePromise } from "../../session/maybe.ts";
import { createClient } from "../../session/testing/mod.ts";
import {
  type Harness,
  hasPostgres,
  hasRedis,
  memoryHarness,
  postgresHarness,
  redisHarness,
  sqliteHarness,
} from "./store_harness.ts";

// The time limit is what ends a test of a wait that has no other end: far above what any of them takes.
setDefaultTimeout(30_000);

export const secretKey = "0123456789abcdef0123456789abcdef";

export type Data = Record<string, number | string>;

interface Place {
  readonly name: string;
  readonly isRunning: boolean;
  readonly open: () => MaybePromise<Harness>;
}

/** Every store there is. */
export const PLACES: readonly Place[] = [
  { name: "memory", isRunning: true, open: memoryHarness },
  { name: "sqlite", isRunning: true, open: sqliteHarness },
  { name: "redis", isRunning: hasRedis, open: redisHarness },
  { name: "postgres", isRunning: hasPostgres, open: postgresHarness },
];

/** Every store, with the data in either place. */
export const KINDS: readonly (Place & { readonly dataIn: "cookie" | "store" })[] = PLACES.flatMap(
  (place) => [
    { ...place, dataIn: "cookie" },
    { ...place, dataIn: "store" },
  ],
);

/** Sessions on a store that is counted, with a clock that the test moves. */
export interface Instance extends Sessions<Data> {
  /** The calls of the store so far, and the seconds that the last `replace` asked for. */
  readonly calls: { get: number; replace: number; ttl: number };
}

/** How far the instances' clocks are ahead of the real one, in milliseconds. */
export interface Clock {
  ahead: number;
}

export function createInstance(
  store: Store | null,
  dataIn: "cookie" | "store" = "cookie",
  clock: Clock = { ahead: 0 },
): Instance {
  const calls = { get: 0, replace: 0, ttl: 0 };
  const counted = store && {
    get(keys: readonly string[]) {
      calls.get += 1;
      return store.get(keys);
    },
    replace(...change: Parameters<Store["replace"]>) {
      calls.replace += 1;
      calls.ttl = change[3];
      return store.replace(...change);
    },
  };
  const now = () => Date.now() + clock.ahead;
  return { ...createSessions<Data>({ secretKey, store: counted, dataIn, now }), calls };
}

export type Action = (session: Session<Data>) => unknown;

/** Answers a request with this `Cookie` header, whose handler does `action`. */
export async function send(
  sessions: Sessions<Data>,
  cookie: string,
  action: Action = () => {},
): Promise<Response> {
  const handler = sessions.handler(async (_request, session) => {
    await action(session);
    return new Response("ok");
  });
  return handler(request(cookie));
}

/** A request that came in, and whose handler waits until it is to finish. */
export interface Held {
  finish(): Promise<Response>;
}

/** Opens a session, and lets the handler do `action` no sooner than the request is to finish. */
export async function hold(
  sessions: Sessions<Data>,
  cookie: string,
  action: Action = () => {},
): Promise<Held> {
  const opened = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const response = send(sessions, cookie, async (session) => {
    opened.resolve();
    await released.promise;
    await action(session);
  });
  await Promise.race([opened.promise, response]);
  return {
    finish() {
      released.resolve();
      return response;
    },
  };
}

/** What a request with this `Cookie` header finds in its session. */
export async function look(sessions: Sessions<Data>, cookie: string): Promise<object> {
  return (await sessions.open(request(cookie))).toJSON();
}

/** Sends the browser's cookie, and takes what comes back. */
export async function visit(
  sessions: Sessions<Data>,
  browser: Browser,
  action?: Action,
): Promise<Response> {
  return browser.take(await send(sessions, browser.cookie, action));
}

/** Stops the clocks of every deadline: how fast the machine is has no say in what a test finds. */
export function stopDeadlines(): Disposable {
  const { setTimeout } = globalThis;
  Reflect.set(globalThis, "setTimeout", (run: () => void) => setTimeout(run, 1e6));
  const spies = [
    spyOn(performance, "now").mockReturnValue(0),
    spyOn(AbortSignal, "timeout").mockImplementation(() => new AbortController().signal),
  ];
  return {
    [Symbol.dispose]() {
      Reflect.set(globalThis, "setTimeout", setTimeout);
      for (const spy of spies) spy.mockRestore();
    },
  };
}

/** A request with this `Cookie` header, or with none. */
export function request(cookie: string): Request {
  return new Request("https://localhost/", { headers: cookie === "" ? {} : { cookie } });
}

/** A browser that keeps a copy of every cookie that it was ever given. */
export interface Browser {
  /** Its `Cookie` header now. */
  readonly cookie: string;
  /** Every `Cookie` header that it could ever have sent. */
  readonly copies: string[];
  /** Takes an answer's cookies, as they arrive. */
  take(response: Response): Response;
}

/** Makes a browser without a cookie, or with a copy of another's. */
export function createBrowser(copy?: string): Browser {
  const client = createClient(() => new Response());
  if (copy !== undefined) client.setCookie(`${copy}; Path=/; Secure; HttpOnly`);
  const header = () => client.cookies().map(({ name, value }) => `${name}=${value}`);
  const copies: string[] = [];
  return {
    copies,
    get cookie() {
      return header().join("; ");
    },
    take(response) {
      for (const line of response.headers.getSetCookie()) client.setCookie(line);
      copies.push(...header().filter((copy) => !copies.includes(copy)));
      return response;
    },
  };
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=";

/** A cookie as it is, and in every other spelling that a parser or a decoder could take for it. */
export function spellings(cookie: string): string[] {
  const [name = "", value = ""] = cookie.split(/=(.*)/s);
  const [header = "", payload = "", signature = ""] = value.split(".");
  const values = [
    ...Array.from(LETTERS, (letter) => value.slice(0, -1) + letter),
    ...Array.from(signature, (_, i) =>
      [" ", "=", "%", "\t", "."].map(
        (mark) => `${header}.${payload}.${signature.slice(0, i)}${mark}${signature.slice(i)}`,
      ),
    ).flat(),
    ...["=", "==", ".", "%3D", "~"].map((end) => value + end),
    `${header}=.${payload}.${signature}`,
    `${header}.${payload}=.${signature}`,
    value.replaceAll("-", "+").replaceAll("_", "/"),
    value.replaceAll(".", "%2E"),
    `%65${value.slice(1)}`,
    `"${value}"`,
    ` ${value}`,
    `${value}\t`,
  ];
  return [
    ...values.map((spelled) => `${name}=${spelled}`),
    `  ${name} = ${value} `,
    `other=1; ${cookie}; last=2`,
    `;;${cookie};;`,
    `${cookie}; ${cookie}`,
    `${cookie}; ${name}=x`,
    `${name}=x; ${cookie}`,
    `${cookie}, ${cookie}`,
    `${name.toLowerCase()}=${value}`,
    `${name.toUpperCase()}=${value}`,
    `$Version=1; ${cookie}; $Path=/`,
    `session=${value}`,
    `=${cookie}`,
  ];
}
