import { createLocalJWKSet, createRemoteJWKSet, errors, type JWK } from "jose";
import { SessionError } from "../errors.ts";
import type { MaybePromise } from "../maybe.ts";
import { fromBase64url, isObject, parse } from "./claims.ts";
import { readEs256 } from "./es256.ts";
import {
  encodeHeader,
  headerOf,
  partsOf,
  type Rejection,
  rejectHeader,
  type TokenKey,
} from "./format.ts";

/** A JWK set (RFC 7517 §5). */
export interface KeySet {
  readonly keys: readonly JWK[];
}

/** What reads the token, or why there is no key for it. */
export type SelectKey = (token: string) => MaybePromise<Pick<TokenKey, "read"> | Rejection>;

/** Finds the key of a set by its `kid`. Rejects with `JWKSNoMatchingKey` if there is none. */
type FindKey = (header: { readonly alg: "ES256"; readonly kid: string }) => Promise<CryptoKey>;

/** The time limit of a fetch, in milliseconds. */
const TIMEOUT = 2000;
/** An unknown `kid` causes no more than one fetch in this time, and neither does a failed fetch. */
const COOLDOWN = 30_000;
/** A set is fetched again when it is as old as this. */
const MAX_AGE = 600_000;
/** How long a set is used while it can't be fetched again, and so how long a withdrawn key may verify. */
const LONGEST_USE = 24 * 60 * 60 * 1000;

/**
 * Selects the public keys of a set. Selecting rejects with the code `ERR_SESSION_KEYS` if the set can't
 * be fetched.
 */
export function selectFrom(keys: URL | KeySet): SelectKey {
  const find = keys instanceof URL ? findIn(keys) : createLocalJWKSet({ keys: [...keys.keys] });
  return (token) => {
    const [header] = partsOf(token) ?? [];
    if (header === undefined) return "malformed";
    const reason = rejectHeader(header, ["ES256"]);
    const parameters = parse(fromBase64url(header));
    const kid = isObject(parameters) ? parameters["kid"] : undefined;
    if (reason !== "unknown-key" || typeof kid !== "string") return reason;
    return encodeHeader(headerOf("ES256", kid)) === header ? selectKey(find, kid) : "wrong-purpose";
  };
}

async function selectKey(find: FindKey, kid: string): Promise<Pick<TokenKey, "read"> | Rejection> {
  try {
    const key = await find({ alg: "ES256", kid });
    return { read: (text) => readEs256(text, key) };
  } catch (cause) {
    if (cause instanceof errors.JWKSNoMatchingKey) return "unknown-key";
    const state = cause instanceof Error ? cause.message : "its keys could not be fetched";
    throw new SessionError("ERR_SESSION_KEYS", `Cannot verify a session: ${state}`, { cause });
  }
}

/**
 * Finds keys in the set at a URL. While it can't be fetched, the last set is used, so that a verifier
 * works while the app is down.
 */
function findIn(url: URL): FindKey {
  const remote = createRemoteJWKSet(url, {
    timeoutDuration: TIMEOUT,
    cooldownDuration: COOLDOWN,
    cacheMaxAge: MAX_AGE,
  });
  /** When the set was last known to be current. */
  let goodAt = -Infinity;
  let failed: { readonly at: number; readonly error: unknown } | undefined;

  function findInLast(header: Parameters<FindKey>[0], error: unknown): Promise<CryptoKey> {
    const last = isWithin(goodAt, LONGEST_USE) ? remote.jwks() : undefined;
    if (last === undefined) throw error;
    return createLocalJWKSet(last)(header);
  }

  return async (header) => {
    if (failed !== undefined && isWithin(failed.at, COOLDOWN)) {
      return findInLast(header, failed.error);
    }
    try {
      const key = await remote(header);
      goodAt = Date.now();
      failed = undefined;
      return key;
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) throw error;
      failed = { at: Date.now(), error };
      return findInLast(header, error);
    }
  };
}

/** Whether a moment is at most so many milliseconds ago. False if the clock went back. */
function isWithin(moment: number, milliseconds: number): boolean {
  const age = Date.now() - moment;
  return age >= 0 && age < milliseconds;
}
