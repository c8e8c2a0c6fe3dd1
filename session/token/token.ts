import { base64url } from "jose";

import { chain, type MaybePromise } from "../maybe.ts";
import { NOTHING, type State } from "../state.ts";
import { createCache } from "./cache.ts";
import { isObject, parse, readClaims, readDeflated, shortenData, writeData } from "./claims.ts";
import type { Format, Rejection } from "./format.ts";
import { createRing, type RingKey, type RingOptions } from "./ring.ts";

/** A token with a valid signature and claims. Requests share it: nothing in it changes. */
export interface VerifiedToken {
  /** The token itself. */
  readonly text: string;
  readonly state: State;
  /** False if the data is only in the store. */
  readonly hasData: boolean;
  /** False if it was made with a fallback key, or in another format than new ones. */
  readonly isCurrentKey: boolean;
  /** Whether it is readable although new tokens are encrypted. */
  readonly isExposed: boolean;
}

/** Makes and reads the tokens of one cookie, and encrypts and decrypts its sessions' records. */
export interface Tokens {
  /** The verified token, or why it is rejected. Returns at once if it was verified before. */
  verify(token: string): MaybePromise<VerifiedToken | Rejection>;
  /** Signs the claims of a state with the current key. `hasData` says whether its data is in them. */
  sign(claims: string, state: State, hasData: boolean): Promise<string>;
  /** A record's claims as the store keeps them: encrypted if new tokens are encrypted. */
  readonly hide: (claims: string) => MaybePromise<string>;
  /** The claims of an encrypted record; undefined if no key of ours opens it. */
  readonly reveal: (text: string) => Promise<string | undefined>;
}

/** How far other instances' clocks may be ahead, in seconds. */
export const CLOCK_SKEW = 60;

const encoder = new TextEncoder();

/** A new session's id: 128 random bits in base64url. */
export function randomId(): string {
  return base64url.encode(crypto.getRandomValues(new Uint8Array(16)));
}

/** The store's key of a subject's generation. */
export function generationKey(audience: string, subject: string): Promise<string> {
  return hashKey("sub", audience, subject);
}

/** The store's key of the list of a subject's sessions, from that of its generation. */
export function listKey(generationKey: string): string {
  return generationKey.replace("sub:", "list:");
}

/**
 * A key of the store for a name: a hash, because the name may be personal, secret or long. It depends
 * on the audience, so that apps that share a store do not share keys.
 */
export async function hashKey(kind: string, audience: string, name: string): Promise<string> {
  const bytes = encoder.encode(JSON.stringify([audience, name]));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return `${kind}:${base64url.encode(hash)}`;
}

/** What the tokens of one cookie depend on. */
export interface TokensOptions extends RingOptions {
  /** The clock, in milliseconds. */
  readonly now: () => number;
}

/** Signs and verifies one cookie's tokens, and caches those that it verified or signed. */
export function createTokens(options: TokensOptions): Tokens {
  const { audience, format, now } = options;
  const isEncrypting = format === "A256GCM";
  const cache = createCache<VerifiedToken>(sizeOf);
  const ring = createRing(options);

  function verify(token: string): MaybePromise<VerifiedToken | Rejection> {
    const known = cache.get(token);
    if (known !== undefined) return checkTime(known, now());
    return chain(ring.select(token), (key) =>
      typeof key === "string" ? key : readToken(key, token, audience).then(keep),
    );
  }

  function keep(verified: VerifiedToken | Rejection): VerifiedToken | Rejection {
    if (typeof verified === "string") return verified;
    cache.put(verified.text, verified);
    return checkTime(verified, now());
  }

  async function sign(claims: string, state: State, hasData: boolean): Promise<string> {
    const key = await ring.current();
    const text = await key.write(encoder.encode(claims));
    // Large data that is only in the store would push other tokens out of the cache.
    const kept = hasData ? state : { ...state, data: NOTHING.data };
    cache.put(text, { text, state: kept, hasData, isCurrentKey: true, isExposed: false });
    return text;
  }

  function hide(claims: string): MaybePromise<string> {
    if (!isEncrypting) return claims;
    return chain(ring.records(), (records) => records.write(claims));
  }

  async function reveal(text: string): Promise<string | undefined> {
    return (await ring.records()).read(text);
  }

  return { verify, sign, hide, reveal };
}

/** Reads a token with the key that its header selects. Its times are not checked. */
export async function readToken(
  key: Pick<RingKey, "read" | "isCurrent" | "isExposed">,
  token: string,
  audience: string,
): Promise<VerifiedToken | Rejection> {
  const payload = await key.read(token);
  if (typeof payload === "string") return payload;
  const read = await readPayload(payload, audience);
  if (typeof read === "string") return read;
  // A copy, so that the cache does not keep the whole header that the token was cut from.
  const text = token.split(".").join(".");
  return { ...read, text, isCurrentKey: key.isCurrent, isExposed: key.isExposed };
}

async function readPayload(
  payload: Uint8Array,
  audience: string,
): Promise<Pick<VerifiedToken, "state" | "hasData"> | Rejection> {
  const json = parse(payload);
  if (!isObject(json)) return "malformed";
  const { aud, sub } = json;
  if (aud !== audience) return "wrong-purpose";
  const key = typeof sub === "string" ? await generationKey(audience, sub) : "";
  const claims = readClaims(json, key);
  if (claims === undefined) return "malformed";
  const { state, data } = claims;
  if (data === undefined) return { state, hasData: false };
  if (isObject(data)) return { state, hasData: true };
  const values = typeof data === "string" ? await readDeflated(data) : undefined;
  return values === undefined ? "malformed" : { state: { ...state, data: values }, hasData: true };
}

/** The token, unless its time is over or to come. `now` is in milliseconds. */
export function checkTime(verified: VerifiedToken, now: number): VerifiedToken | Rejection {
  const seconds = now / 1000;
  const { issuedAt, expiresAt, endsAt } = verified.state;
  if (issuedAt > seconds + CLOCK_SKEW) return "early";
  return seconds < expiresAt && seconds < endsAt ? verified : "expired";
}

/**
 * The `data` claim of a token. Where tokens are encrypted it is not deflated: the length would show how
 * much a visitor's text has in common with a secret beside it, as in the CRIME attack.
 */
export function dataClaim(data: State["data"], format: Format): MaybePromise<string> {
  const json = writeData(data);
  return format === "A256GCM" ? json : shortenData(json);
}

/** About how many bytes of memory a verified token takes. */
function sizeOf({ text, state }: VerifiedToken): number {
  let bytes = text.length + 512;
  for (const [key, value] of state.data) bytes += key.length + value.length + 128;
  return bytes;
}
