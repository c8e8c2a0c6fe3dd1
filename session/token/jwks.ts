import { createLocalJWKSet, createRemoteJWKSet, errors, type JSONWebKeySet, type JWK } from "jose";
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

/** The key of a set that has a `kid`. Rejects with `JWKSNoMatchingKey` if there is none. */
type FindKey = (header: { readonly alg: "ES256"; readonly kid: string }) => Promise<CryptoKey>;

/** The time limit of a fetch, in milliseconds. */
const TIMEOUT = 2000;
/** An unknown `kid` causes no more than one fetch in this time, and neither does a failed fetch. */
const COOLDOWN = 30_000;
/** A set is fetched again when it is as old as this, so a key that was withdrawn is accepted no longer. */
const MAX_AGE = 600_000;

/**
 * Selects the public keys of a set. Selecting rejects with the code `ERR_SESSION_KEYS` if there is no
 * set to be had.
 */
export function selectFrom(keys: URL | KeySet): SelectKey {
  const find = keys instanceof URL ? findIn(keys) : localSet({ keys: [...keys.keys] });
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
    const state = cause instanceof Error ? cause.message : "its keys can't be had";
    throw new SessionError("ERR_SESSION_KEYS", `Cannot verify a session: ${state}`, { cause });
  }
}

function localSet(set: JSONWebKeySet): FindKey {
  return createLocalJWKSet(set);
}

/**
 * Finds keys in the set of a URL. While the URL can't be reached, in what was fetched last: a verifier
 * goes on when the app is down.
 */
function findIn(url: URL): FindKey {
  const remote = createRemoteJWKSet(url, {
    timeoutDuration: TIMEOUT,
    cooldownDuration: COOLDOWN,
    cacheMaxAge: MAX_AGE,
  });
  let last: { readonly find: FindKey; readonly until: number } | undefined;

  return async (header) => {
    if (last !== undefined && Date.now() < last.until) return last.find(header);
    try {
      return await remote(header);
    } catch (error) {
      const known = remote.jwks();
      if (known === undefined || error instanceof errors.JWKSNoMatchingKey) throw error;
      last = { find: localSet(known), until: Date.now() + COOLDOWN };
      return last.find(header);
    }
  };
}
