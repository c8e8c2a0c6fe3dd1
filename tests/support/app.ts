import { type AppOptions, createApp as createRoutes, type Peers } from "../../routes/mod.ts";
import { parseTrustedProxies } from "../../routes/shared/address.ts";
import { createLog } from "../../routes/shared/log.ts";
import {
  createSessions,
  memoryStore,
  type Session,
  type SessionEvent,
  type SessionOptions,
  type Sessions,
} from "../../session/mod.ts";
import type { Browser } from "./browser.ts";
import { type Clock, createClock } from "./clock.ts";
import { requestWith } from "./requests.ts";
import { SECRET } from "./secrets.ts";

export { Browser, ORIGIN } from "./browser.ts";
export { type Page, readPage } from "./page.ts";

/** A key as `keygen` prints them. */
export const KEY = "q8Zb1nK0vWc5xY7rT2mL9dP4sH6jF3aGeU-oI_hXyBk";

/** The server's application, with what it logged. */
export interface TestApp {
  readonly lines: string[];
  readonly send: (request: Request, peers?: Peers) => Promise<Response>;
}

/** Who sends the requests, unless a test says otherwise. */
const NEIGHBOUR: Peers = { requestIP: () => ({ address: "127.0.0.1" }) };

/** The server's application, with a store of its own and no limit of attempts. */
export function testApp(options: Partial<AppOptions> = {}): TestApp {
  const lines: string[] = [];
  const app = createRoutes({
    secretKey: KEY,
    secretKeyFallbacks: [],
    store: memoryStore(),
    cookieName: undefined,
    lifetime: 2_592_000,
    idleTimeout: 604_800,
    isSecure: false,
    publicOrigin: undefined,
    loginRate: 0,
    trustedProxies: parseTrustedProxies(""),
    log: createLog("text", (line) => void lines.push(line)),
    isReady: () => true,
    isStopping: () => false,
    ...options,
  });
  // As Bun's server does with `fetch` and `error`.
  return {
    lines,
    async send(request, peers = NEIGHBOUR) {
      try {
        return await app.fetch(request, peers);
      } catch (error) {
        return app.error(error);
      }
    },
  };
}

/** An application of the library, with a clock that only the test moves, and what it was told. */
export interface App extends Clock {
  readonly sessions: Sessions;
  readonly events: SessionEvent[];
  /** A browser's request whose handler does this. The answer is what the session then holds. */
  readonly visit: (browser: Browser, act?: (session: Session) => unknown) => Promise<Response>;
  /** What the session of this cookie holds: a copy's request, whose answer nobody keeps. */
  readonly look: (cookie: string | undefined) => Promise<Record<string, unknown>>;
}

/** The answer to a request with this `Cookie` header, whose handler does this. */
export async function send(
  sessions: Sessions,
  cookie: string,
  act: (session: Session) => unknown,
): Promise<Response> {
  const handler = sessions.handler(async (_request, session) => {
    await act(session);
    return new Response();
  });
  return handler(requestWith(cookie));
}

/** An application of the library with these options. `now` comes in the place of its own clock. */
export function createApp(options: Partial<SessionOptions> = {}): App {
  const clock = createClock();
  const events: SessionEvent[] = [];
  const onEvent = (event: SessionEvent): void => void events.push(event);
  const sessions = createSessions({ secretKey: SECRET, now: clock.now, onEvent, ...options });
  return {
    ...clock,
    sessions,
    events,
    async visit(browser, act) {
      const handler = sessions.handler(async (_request, session) => {
        await act?.(session);
        return Response.json(session.toJSON());
      });
      return browser.take(await handler(requestWith(browser.cookie)));
    },
    look: async (cookie) => ({ ...(await sessions.open(requestWith(cookie))).toJSON() }),
  };
}
