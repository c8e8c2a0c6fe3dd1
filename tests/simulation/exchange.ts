import type { Contents, Effects } from "./effects.ts";
import type { Plan } from "./plan.ts";

/** When something happened: in the order of all that happened, and in true milliseconds. */
export interface Moment {
  readonly order: number;
  readonly time: number;
}

/** A session cookie as the browser has it, with the claims that say when it ends. */
export interface Token {
  readonly text: string;
  /** The `sid` claim. */
  readonly id: string;
  /** The `iat` claim, in seconds. */
  readonly issuedAt: number;
  /** The `exp` claim, in seconds. */
  readonly expiresAt: number;
  /** The `max` claim, in seconds. */
  readonly endsAt: number;
  /** The `auth_time` claim, in seconds. */
  readonly authenticatedAt: number | undefined;
}

/** What a response says of the cookie: nothing, that it goes, or its new value. */
export type CookieChange = undefined | "deleted" | Token;

/** How the instance that serves a request is set up. */
export interface Settings {
  /** How wrong its clock is, in milliseconds. */
  readonly skew: number;
  readonly lifetime: number;
  readonly idleTimeout: number;
  readonly dataIn: "cookie" | "store";
}

/** Why a session is over. */
export interface End {
  readonly kind: "moved" | "emptied" | "destroyed" | "generation";
  readonly moment: Moment;
  /** When the request asked for it. */
  readonly asked: Moment;
  /** The request that put the mark. */
  readonly by: number | undefined;
  /** The id that it moved to. */
  readonly next: string | undefined;
}

/** What the store told of a session at one moment. */
export interface Look {
  readonly moment: Moment;
  /**
   * Whether the session was over by the clock, so that changes are dropped though nothing ended it:
   * at its `max`, or where nothing was there long after the cookie's end.
   */
  readonly isOutlived: boolean;
  /** What the session held, by the model. */
  readonly contents: Contents;
  /** Whether a value of it was too large for a cookie. */
  readonly isHuge: boolean;
  /** Why the session was over, where it was, but for what the same request did. */
  readonly end: End | undefined;
  /** When the session was used before, in milliseconds. */
  readonly usedBefore: number;
}

/** One request with all that became of it. What is undefined did not happen yet. */
export interface Exchange {
  /** The mark on every value that it writes. */
  readonly number: number;
  /** Undefined for a copy of a cookie, whose responses no browser gets. */
  readonly browser: number | undefined;
  readonly token: Token | undefined;
  readonly plan: Plan;
  readonly settings: Settings;
  readonly sent: Moment;
  /** Each time the store told of its cookie's session. */
  readonly looks: Look[];
  /** What the store told of generations, by key. */
  readonly generations: Map<string, string | undefined>;
  opened: Moment | undefined;
  /** What the store told when it was opened. */
  found: Look | undefined;
  /** Whether the cookie's session was still there. */
  isLive: boolean;
  seen: Contents;
  subjectSeen: string | undefined;
  /** In seconds. */
  authenticatedSeen: number | undefined;
  effects: Effects;
  /** When its handler was ready to commit. */
  handled: Moment | undefined;
  /** What the store took from it for the cookie's session, and what was there before all its tries. */
  readonly written: Map<string, string | undefined>;
  /** All texts that it asked the store to take. Another request may write the same one. */
  readonly tried: Set<string>;
  /** When the store last took that. */
  changed: Moment | undefined;
  /** The new id that it gave to the session, and what that held: undefined where it was over. */
  moved: { readonly id: string; readonly base: Contents | undefined } | undefined;
  /** The generation that it put in place of its session's. */
  generation: string | undefined;
  /** Whether something else was there when it replaced a value. */
  hadConflict: boolean;
  /** Whether the store told it something else than what happened. */
  hadFault: boolean;
  isCrashed: boolean;
  answered: Moment | undefined;
  /** The code of the error that it ended with. */
  failure: string | undefined;
  cookie: CookieChange;
}

/** How far a clock may be wrong, and what a request takes at the store, in milliseconds. */
export const TOLERANCE = 30_000;

export function createExchange(
  given: Pick<Exchange, "number" | "browser" | "token" | "plan" | "settings" | "sent">,
  effects: Effects,
): Exchange {
  return {
    ...given,
    looks: [],
    generations: new Map(),
    written: new Map(),
    tried: new Set(),
    opened: undefined,
    found: undefined,
    isLive: false,
    seen: new Map(),
    subjectSeen: undefined,
    authenticatedSeen: undefined,
    effects,
    handled: undefined,
    changed: undefined,
    moved: undefined,
    generation: undefined,
    hadConflict: false,
    hadFault: false,
    isCrashed: false,
    answered: undefined,
    failure: undefined,
    cookie: undefined,
  };
}

/** Whether a request is under way. */
export function isOpen({ answered, isCrashed }: Exchange): boolean {
  return answered === undefined && !isCrashed;
}

/** A moment as the request's instance sees it, in milliseconds. */
export function clockOf({ settings }: Exchange, { time }: Moment): number {
  return time + settings.skew;
}

/** Reads the one `Set-Cookie` line of a response. */
export function readCookie(response: Response): CookieChange {
  const [line, ...others] = response.headers.getSetCookie();
  if (line === undefined) return undefined;
  if (others.length > 0) throw new TypeError("Cannot read a response: it sets two cookies");
  const value = line.slice(line.indexOf("=") + 1, line.indexOf(";"));
  return value === "" ? "deleted" : readToken(value);
}

/** Reads the claims, as anybody may. */
function readToken(text: string): Token {
  const payload: unknown = JSON.parse(
    Buffer.from(text.split(".")[1] ?? "", "base64url").toString(),
  );
  if (typeof payload !== "object") throw new TypeError(`Cannot read a token: ${text}`);
  const claims: Record<string, unknown> = { ...payload };
  return {
    text,
    id: String(claims["sid"]),
    issuedAt: Number(claims["iat"]),
    expiresAt: Number(claims["exp"]),
    endsAt: Number(claims["max"]),
    authenticatedAt: claims["auth_time"] === undefined ? undefined : Number(claims["auth_time"]),
  };
}
