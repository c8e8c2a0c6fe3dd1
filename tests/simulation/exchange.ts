import type { Contents, Effects, Plan } from "./plan.ts";

/** When something happened: in the order of all that happened, and in milliseconds. */
export interface Moment {
  readonly order: number;
  readonly time: number;
}

/** A session cookie as the browser has it. */
export interface Token {
  readonly text: string;
  /** The `sid` claim. */
  readonly id: string;
  /** The `exp` claim, in seconds. */
  readonly endsAt: number;
}

/** What a response says of the cookie: nothing, that it goes, or its new value. */
export type CookieChange = undefined | "deleted" | Token;

/** One request with all that became of it. What is not there did not happen yet. */
export interface Exchange {
  /** The mark on every value that it writes. */
  readonly number: number;
  /** Undefined for a copy of a cookie, whose responses no browser gets. */
  readonly browser: number | undefined;
  readonly token: Token | undefined;
  readonly plan: Plan;
  readonly sent: Moment;
  /** What its session should hold, from the moment that the store was asked. */
  expected: ReadonlyMap<string, Exchange>;
  /** How often its session had been written at that moment. */
  writesSeen: number;
  /** When the store was asked for its session. */
  asked: Moment | undefined;
  opened: Moment | undefined;
  /** Whether the cookie's session was still there. */
  isLive: boolean;
  seen: Contents;
  /** The subject that it saw. */
  subjectSeen: string | undefined;
  effects: Effects | undefined;
  /** When the handler was ready. */
  handled: Moment | undefined;
  /** When its session's record was replaced, and whether that ever failed. */
  committed: Moment | undefined;
  hadConflict: boolean;
  /** When the commit returned. */
  answered: Moment | undefined;
  hasFailed: boolean;
  cookie: CookieChange;
  delivered: Moment | undefined;
  /** Whether an `endAll` came while it was under way, so that either may be the first. */
  isBesideEndAll: boolean;
}

/** How long requests and responses may be under way, in milliseconds (design §7). */
export const WINDOW = 60_000;

/** Whether it took so long that it gets no cookie. */
export function isSlow({ opened, handled }: Exchange): boolean {
  return opened !== undefined && handled !== undefined && handled.time - opened.time > WINDOW;
}

/** Reads the cookie's claims, as anybody may. */
export function readToken(text: string): Token {
  const payload = Buffer.from(text.split(".")[1] ?? "", "base64url").toString();
  const claims: unknown = JSON.parse(payload);
  if (typeof claims !== "object" || claims === null || !("sid" in claims) || !("exp" in claims)) {
    throw new TypeError(`Cannot read a token: ${payload}`);
  }
  return { text, id: String(claims.sid), endsAt: Number(claims.exp) };
}

/** Reads the one `Set-Cookie` line of a response. */
export function readCookie(response: Response): CookieChange {
  const lines = response.headers.getSetCookie();
  const [line] = lines;
  if (line === undefined) return undefined;
  if (lines.length > 1) throw new TypeError("Cannot read a response: it sets two cookies");
  const value = line.slice(line.indexOf("=") + 1, line.indexOf(";"));
  return value === "" ? "deleted" : readToken(value);
}
