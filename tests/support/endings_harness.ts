import { setDefaultTimeout } from "bun:test";
import { createSessions, type Session, type Sessions, type Store } from "../../session/mod.ts";
import { Browser } from "./browser.ts";
import { requestWith } from "./requests.ts";
import { SECRET } from "./secrets.ts";

// The time limit is what ends a test of a wait that has no other end: far above what any of them takes.
setDefaultTimeout(30_000);

export { Browser } from "./browser.ts";
export { requestWith as request } from "./requests.ts";

type Data = Record<string, number | string>;

export type Instance = Sessions<Data>;

/** Sessions by the real clock. */
export function createInstance(store: Store, dataIn: "cookie" | "store" = "cookie"): Instance {
  return createSessions<Data>({ secretKey: SECRET, store, dataIn });
}

/** Answers a request with this `Cookie` header, whose handler does `action`. */
export async function send(
  sessions: Instance,
  cookie: string,
  action: (session: Session<Data>) => unknown = () => {},
): Promise<Response> {
  const handler = sessions.handler(async (_request, session) => {
    await action(session);
    return new Response("ok");
  });
  return handler(requestWith(cookie));
}

/** What a request with this `Cookie` header finds in its session. */
export async function look(sessions: Instance, cookie: string): Promise<object> {
  return (await sessions.open(requestWith(cookie))).toJSON();
}

/** Makes a browser without a cookie. */
export function createBrowser(): Browser {
  return new Browser();
}
