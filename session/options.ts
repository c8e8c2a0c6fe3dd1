import { type Cookie, type CookieOptions, createCookie } from "./cookie/attributes.ts";
import { SessionOptionsError } from "./errors.ts";
import { checkSecrets, type Secret } from "./token/keys.ts";
import type { MaybePromise } from "./maybe.ts";
import type { DataIn } from "./record.ts";
import type { ValuesOf } from "./session.ts";
import type { Store } from "./stores/store.ts";
import { memoryStore } from "./stores/memory.ts";
import type { Rejection } from "./token/token.ts";

/**
 * What happened to a session, for logs and alarms. One event at most of a kind for each request,
 * with the session's id at most, never a token or a key.
 */
export type SessionEvent =
  /** A cookie of our name that was not taken, and why. */
  | { readonly type: "rejected"; readonly reason: Rejection }
  /** A cookie whose session was ended: a copy from before a logout, say. */
  | { readonly type: "ended"; readonly id: string }
  /** A cookie whose session got a new id, by a request that this one overlaps or came after. */
  | { readonly type: "superseded"; readonly id: string }
  /** Two good cookies of our name, of two sessions: neither was taken. */
  | { readonly type: "ambiguous" }
  /** A change had no effect, because its session, or the value, had been removed meanwhile. */
  | { readonly type: "dropped"; readonly id: string }
  /** The cookie takes more than three quarters of what browsers accept. Once a session. */
  | { readonly type: "near-limit"; readonly id: string; readonly bytes: number }
  /** The cookie was not sent, because it takes more than browsers accept. */
  | { readonly type: "too-large"; readonly id: string; readonly bytes: number }
  /** A token of a fallback key was signed again with the current one. */
  | { readonly type: "rotated"; readonly id: string }
  /** A change came after the commit, and threw; the first of several. */
  | { readonly type: "late-write"; readonly id: string };

/** The options of `createSessions`. */
export interface SessionOptions<Data extends object = Record<string, unknown>> {
  /**
   * Signs and verifies the tokens: a string (its UTF-8 bytes) or bytes, at least 32 of them and at
   * least 8 different ones. Undefined throws at once, so that `process.env["SECRET_KEY"]` can be
   * given as it is. Use one key for one app, and for nothing else.
   */
  readonly secretKey: Secret | undefined;
  /** Keys that verify and do not sign, for rotation. None by default; a bare string is one key. */
  readonly secretKeyFallbacks?: Secret | readonly Secret[];
  /** The cookie's name and attributes. */
  readonly cookie?: CookieOptions;
  /** Seconds from a session's start to its end, whatever happens. 30 days by default. */
  readonly lifetime?: number;
  /**
   * An unused session ends between half of this and this many seconds after its last use. 7 days by
   * default, or the `lifetime` where that is less.
   */
  readonly idleTimeout?: number;
  /**
   * What makes endings hold, and parallel changes. By default the memory of this process; several
   * processes, serverless functions and Workers give a store that they share. `null` for none: then
   * a copy of a cookie is good until it expires, and of parallel changes the last response wins.
   */
  readonly store?: Store | null;
  /**
   * Where the data lives. `"cookie"` by default; with `"store"` the cookie holds the id alone, and
   * the data is neither limited to 4 kB nor seen by who holds the cookie.
   */
  readonly dataIn?: DataIn;
  /**
   * Asked for the data of another system's session where no token of ours came: the session starts
   * with what it gives. None by default.
   */
  readonly adopt?: (request: Request) => MaybePromise<ValuesOf<Data> | undefined>;
  /**
   * Told of what happened. None by default; what it throws goes to the request's error handler. It is
   * not waited for: an async one has to catch its own errors.
   */
  readonly onEvent?: (event: SessionEvent) => void;
  /** The clock, in milliseconds. `Date.now` by default. */
  readonly now?: () => number;
}

/** The options with their defaults, checked. */
export interface Settings<Data extends object> {
  readonly secrets: readonly Uint8Array<ArrayBuffer>[];
  readonly cookie: Cookie;
  readonly lifetime: number;
  readonly idleTimeout: number;
  readonly store: Store | null;
  readonly dataIn: DataIn;
  readonly adopt: SessionOptions<Data>["adopt"];
  readonly onEvent: (event: SessionEvent) => void;
  readonly now: () => number;
}

const DAY = 24 * 60 * 60;
const DEFAULT_LIFETIME = 30 * DAY;
const DEFAULT_IDLE_TIMEOUT = 7 * DAY;
/** A century: dates and stores count that far. */
const LONGEST = 36_500 * DAY;

/** Every option there is: one that is written wrong is not taken for one that is left out. */
const NAMES: ReadonlySet<string> = new Set<keyof SessionOptions>([
  "secretKey",
  "secretKeyFallbacks",
  "cookie",
  "lifetime",
  "idleTimeout",
  "store",
  "dataIn",
  "adopt",
  "onEvent",
  "now",
]);

/** Checks the options once. Throws `SessionOptionsError`. */
export function checkOptions<Data extends object>(options: SessionOptions<Data>): Settings<Data> {
  if (!isObject(options))
    throw new SessionOptionsError("Cannot use the options: they are no object");
  for (const name of Object.keys(options)) {
    if (!NAMES.has(name)) fail(name, "there is no option of that name");
  }
  const { dataIn = "cookie", now = Date.now, adopt, onEvent = ignore } = options;
  const secrets = checkSecrets(options.secretKey, options.secretKeyFallbacks);
  const { lifetime = DEFAULT_LIFETIME } = options;
  checkSeconds("lifetime", lifetime);
  const { idleTimeout = Math.min(DEFAULT_IDLE_TIMEOUT, lifetime) } = options;
  checkSeconds("idleTimeout", idleTimeout);
  if (dataIn !== "cookie" && dataIn !== "store") fail("dataIn", `it is "cookie" or "store"`);
  for (const [name, value] of Object.entries({ now, onEvent, adopt })) {
    const isLeftOut = name === "adopt" && value === undefined;
    if (typeof value !== "function" && !isLeftOut) fail(name, "it is no function");
  }
  const store = options.store === undefined ? memoryStore({ now }) : options.store;
  if (store !== null && (typeof store.get !== "function" || typeof store.replace !== "function")) {
    fail("store", "it lacks get or replace");
  }
  if (store === null && dataIn === "store") fail("dataIn", `"store" asks for a store`);
  const cookie = createCookie(options.cookie);
  return Object.freeze({
    secrets,
    cookie,
    lifetime,
    idleTimeout,
    store,
    dataIn,
    adopt,
    onEvent,
    now,
  });
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function checkSeconds(name: string, seconds: number): void {
  if (!Number.isSafeInteger(seconds) || seconds < 1 || seconds > LONGEST) {
    fail(name, `it is no whole number of seconds from 1 to ${LONGEST}`);
  }
}

function fail(name: string, state: string): never {
  throw new SessionOptionsError(`Cannot use option ${name}: ${state}`);
}

function ignore(): void {
  // Nobody asked to be told.
}
