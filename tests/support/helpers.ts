import {
  createSessions,
  type Session,
  type SessionEvent,
  type SessionOptions,
  type Sessions,
} from "../../session/mod.ts";

/** The secrets of the tests: nobody else's. */
export const SECRET = "kq2V-3xJ9_wTz7LmPbY4cRhN8sGdF6uA";
export const OTHER_SECRET = "Zp5n_Qe1yX8rKtW0vBj-3HfMlC6oUaS9";

/** When every test starts, in milliseconds. */
export const START = 1_700_000_000_000;

export const MINUTE = 60;
export const DAY: number = 24 * 60 * MINUTE;

/** A clock that goes by hand alone. */
export function createClock(start: number = START): {
  readonly now: () => number;
  readonly advance: (seconds: number) => void;
} {
  let time = start;
  return { now: () => time, advance: (seconds) => void (time += seconds * 1000) };
}

/** What the types forbid, as a caller without types gives it: it passes for any type. */
export function untyped(value: unknown): never;
export function untyped(value: unknown): unknown {
  return value;
}

/** What the action throws, or its promise rejects with; undefined where it does neither. */
export async function errorOf(action: () => unknown): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** A request with this `Cookie` header. */
export function requestWith(cookie?: string): Request {
  return new Request("http://localhost/", cookie === undefined ? {} : { headers: { cookie } });
}

/** The `name=value` of a response's only `Set-Cookie`; undefined where there is none. */
export function cookieOf(response: Response): string | undefined {
  const [line, ...others] = response.headers.getSetCookie();
  if (others.length > 0) throw new Error(`There are ${others.length + 1} Set-Cookie lines`);
  return line?.slice(0, line.indexOf(";"));
}

/** What a browser would do with one cookie: it keeps the last one until it is deleted. */
export class Jar {
  cookie: string | undefined;

  /** Sends a request with the cookie, and keeps what the answer sets. */
  async send(handle: (request: Request) => Response | Promise<Response>): Promise<Response> {
    const response = await handle(requestWith(this.cookie));
    const [line] = response.headers.getSetCookie();
    if (line !== undefined) {
      this.cookie = line.includes("Max-Age=0;") ? undefined : line.slice(0, line.indexOf(";"));
    }
    return response;
  }
}

/** A page that shows what the session holds. */
export function show<Data extends object>(_: Request, session: Session<Data>): Response {
  return Response.json(session.toJSON());
}

/** An application with a clock that goes by hand, and what it was told. */
export interface App {
  readonly sessions: Sessions;
  readonly events: SessionEvent[];
  readonly advance: (seconds: number) => void;
  /** A browser's request whose handler does this. */
  readonly visit: (jar: Jar, act?: (session: Session) => unknown) => Promise<Response>;
  /** What the session of this cookie holds: a copy's request, whose answer nobody keeps. */
  readonly look: (cookie: string | undefined) => Promise<Record<string, unknown>>;
}

/** An application with these options. */
export function createApp(options: Partial<SessionOptions> = {}): App {
  const { now, advance } = createClock();
  const events: SessionEvent[] = [];
  const onEvent = (event: SessionEvent): void => void events.push(event);
  const sessions = createSessions({ secretKey: SECRET, now, onEvent, ...options });
  return {
    sessions,
    events,
    advance,
    visit: (jar, act) =>
      jar.send(
        sessions.handler(async (request, session) => {
          await act?.(session);
          return show(request, session);
        }),
      ),
    look: async (cookie) => ({ ...(await sessions.open(requestWith(cookie))).toJSON() }),
  };
}
