/**
 * A verifier, for services beside the app that read sessions but must not sign any. It needs neither the
 * secret nor the store. So it does not see endings or changes: a session that was logged out verifies
 * until its `exp`.
 *
 * @module
 */

import { createDraft } from "./changes.ts";
import { type CookieOptions, createCookie } from "./cookie/attributes.ts";
import { SessionOptionsError } from "./errors.ts";
import type { SessionEvent } from "./events.ts";
import { createOpener } from "./open.ts";
import type { Settings } from "./options.ts";
import { ReadonlySession } from "./readonly_session.ts";
import { find } from "./record.ts";
import { cookieHeaderOf, headersOf, type Source } from "./source.ts";
import { describe } from "./stores/store.ts";
import { NO_STORE } from "./stores/guarded.ts";
import { type KeySet, selectFrom } from "./token/jwks.ts";
import type { Rejection } from "./token/format.ts";
import { checkTime, readToken, type VerifiedToken } from "./token/token.ts";

export type { KeySet } from "./token/jwks.ts";
export type { ReadonlySession } from "./readonly_session.ts";

/** The options of `createVerifier`. */
export interface VerifierOptions {
  /**
   * The app's public keys: the URL of its JWK set, or the set that `publicKeys()` gave. A URL is fetched
   * at the first use, and again after ten minutes; an unknown `kid` or a failure causes another fetch at
   * most every 30 s. While it can't be fetched, the last set is used, for a day. Use https, unless the
   * network is trusted.
   */
  readonly keys: URL | KeySet;
  /** The app's cookie, as its `createSessions` has it. */
  readonly cookie?: CookieOptions;
  /** Called for each cookie or token that is rejected. Nothing is called by default. */
  readonly onEvent?: (event: SessionEvent) => void;
  /** The clock, in milliseconds. `Date.now` by default. */
  readonly now?: () => number;
}

/** Reads sessions that an app signed with ES256. */
export interface Verifier<Data extends object = Record<string, unknown>> {
  /**
   * The session of a request's cookie; undefined without a valid one. With `dataIn: "store"` it has no
   * data. Rejects with `SessionError`, `code` `ERR_SESSION_KEYS`, if the keys can't be fetched.
   */
  read(source: Source): Promise<ReadonlySession<Data> | undefined>;
  /** The same for a token that did not come in a cookie, for example in a message. */
  verify(token: string): Promise<ReadonlySession<Data> | undefined>;
}

const NAMES: ReadonlySet<string> = new Set<keyof VerifierOptions>([
  "keys",
  "cookie",
  "onEvent",
  "now",
]);

/**
 * A verifier of an app's sessions. Throws `SessionOptionsError` for wrong options.
 *
 * ```ts
 * const keys = new URL("https://app.example/.well-known/jwks.json");
 * const verifier = createVerifier<{ username: string }>({ keys });
 * const session = await verifier.read(request); // undefined if nobody is signed in
 * ```
 */
export function createVerifier<Data extends object = Record<string, unknown>>(
  options: VerifierOptions,
): Verifier<Data> {
  checkOptions(options);
  const { keys, onEvent = () => {}, now = Date.now } = options;
  const cookie = createCookie(options.cookie);
  const select = selectFrom(keys);
  const settings: Settings = { ...NOTHING_TO_COMMIT, cookie, onEvent, now };

  async function verifyToken(token: string): Promise<VerifiedToken | Rejection> {
    const key = await select(token);
    if (typeof key === "string") return key;
    const read = await readToken(
      { ...key, isCurrent: true, isExposed: false },
      token,
      cookie.audience,
    );
    // Without its data a token would count as ended, because its record is missing.
    return typeof read === "string" ? read : checkTime({ ...read, hasData: true }, now());
  }

  // Without a store there is no record.
  const tokens = { verify: verifyToken, reveal: async () => undefined };
  const open = createOpener(settings, tokens, NO_STORE, undefined);

  async function read(source: Source): Promise<ReadonlySession<Data> | undefined> {
    const draft = await open(source, cookieHeaderOf(headersOf(source)));
    return draft.found?.kind === "live" ? new ReadonlySession<Data>(draft) : undefined;
  }

  async function verify(token: string): Promise<ReadonlySession<Data> | undefined> {
    const verified = await verifyToken(token);
    if (typeof verified !== "string") {
      const found = await find(verified, undefined, undefined);
      return new ReadonlySession<Data>(createDraft(settings, undefined, found));
    }
    onEvent({ type: "rejected", reason: verified });
    return undefined;
  }

  return Object.freeze({ read, verify });
}

/** Settings that a verifier never uses. */
const NOTHING_TO_COMMIT = {
  secrets: () => [],
  format: "ES256",
  lifetime: 1,
  idleTimeout: 1,
  store: null,
  storeTimeout: 1,
  dataIn: "cookie",
  list: false,
  origin: false,
} as const;

function checkOptions(options: VerifierOptions): void {
  if (!isObject(options)) fail("the options", "an object", options);
  const { keys, onEvent, now } = options;
  for (const name of Object.keys(options)) {
    if (NAMES.has(name)) continue;
    const state = `there is no such option, only ${[...NAMES].join(", ")}`;
    throw new SessionOptionsError(`Cannot use option ${name}: ${state}`);
  }
  const isSet = isObject(keys) && "keys" in keys && isListOfPublicKeys(keys.keys);
  if (!isSet && !isWebUrl(keys)) {
    fail("option keys", "the http URL of a JWK set, or the set that publicKeys() gave", keys);
  }
  if (onEvent !== undefined && typeof onEvent !== "function") {
    fail("option onEvent", "a function", onEvent);
  }
  if (now !== undefined && typeof now !== "function") fail("option now", "a function", now);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isListOfPublicKeys(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isPublicKey);
}

function isPublicKey(key: unknown): boolean {
  return isObject(key) && "kid" in key && typeof key.kid === "string" && !("d" in key);
}

function isWebUrl(value: unknown): boolean {
  return value instanceof URL && /^https?:$/.test(value.protocol);
}

function fail(name: string, expected: string, value: unknown): never {
  throw new SessionOptionsError(`Cannot use ${name}: must be ${expected}, got ${describe(value)}`);
}
