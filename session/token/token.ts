import { base64url, type CompactJWSHeaderParameters, CompactSign, compactVerify } from "jose";

import { chain, type MaybePromise } from "../maybe.ts";
import { NOTHING, type State } from "../state.ts";
import { createCache } from "./cache.ts";
import { fromBase64url, isObject, parse, readClaims, readDeflated } from "./claims.ts";
import { importKeys } from "./keys.ts";

/**
 * Why a token is rejected:
 * - `malformed`: it is not a canonical compact JWS, or its claims are not ours;
 * - `unknown-key`: its `kid` names no key of the ring;
 * - `forged`: the signature is wrong;
 * - `wrong-purpose`: another `typ`, `alg` or `aud`, or a header member that is not ours;
 * - `expired`: its time is over;
 * - `early`: it is from the future, so a clock is wrong.
 */
export type Rejection =
  "malformed" | "unknown-key" | "forged" | "wrong-purpose" | "expired" | "early";

/** A token with a valid signature and claims. Requests share it: nothing in it changes. */
export interface VerifiedToken {
  /** The token itself. */
  readonly text: string;
  readonly state: State;
  /** False if the data is only in the store. */
  readonly hasData: boolean;
  /** False if a fallback key signed it. */
  readonly isCurrentKey: boolean;
}

/** Signs and verifies the tokens of one cookie. */
export interface Tokens {
  /** The verified token, or why it is rejected. Returns at once if it was verified before. */
  verify(token: string): MaybePromise<VerifiedToken | Rejection>;
  /** Signs the claims of a state with the current key. `hasData` says whether its data is in them. */
  sign(claims: string, state: State, hasData: boolean): Promise<string>;
}

/** A kind of token: how it is written and read, and which header selects its key. */
interface Format {
  /** The protected header, with exactly these members in this order. */
  header(kid: string): CompactJWSHeaderParameters;
  write(claims: Uint8Array, header: CompactJWSHeaderParameters, key: CryptoKey): Promise<string>;
  /** The payload; undefined if the signature is wrong. */
  read(text: string, key: CryptoKey): Promise<Uint8Array | undefined>;
  /** The number of characters after the header, for so many bytes of claims. */
  lengthOf(bytes: number): number;
}

/** A JWS in compact form (RFC 7515 §7.1) with HMAC SHA-256 (RFC 7518 §3.2). */
const HS256: Format = {
  header: (kid) => ({ alg: "HS256", typ: "session+jwt", kid }),
  write: (claims, header, key) => new CompactSign(claims).setProtectedHeader(header).sign(key),
  async read(text, key) {
    try {
      return (await compactVerify(text, key, { algorithms: ["HS256"] })).payload;
    } catch {
      return undefined;
    }
  },
  lengthOf: (bytes) => 1 + Math.ceil((bytes * 4) / 3) + 1 + 43,
};

/** A key of the ring. */
interface Signer {
  readonly format: Format;
  readonly key: CryptoKey;
  /** The one header that selects it. */
  readonly header: CompactJWSHeaderParameters;
  /** Whether it signs. The others are fallbacks. */
  readonly isCurrent: boolean;
}

/**
 * Three parts of base64url without padding (RFC 7515 §2), each in the one spelling of its bytes: no
 * spare bit of a last group is set. Decoding would accept other spellings of the same token.
 */
const CANONICAL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;
/** No cookie can be longer, so no token can. */
const TOKEN_LIMIT = 4096;
/** How far other instances' clocks may be ahead, in seconds. */
const CLOCK_SKEW = 60;

/** Every `kid` has eight characters, so every header is as long. */
const HEADER_LENGTH = base64url.encode(JSON.stringify(HS256.header("12345678"))).length;

const encoder = new TextEncoder();

/** The header of a canonical compact JWS; undefined for any other text. */
function headerOf(token: string): string | undefined {
  if (token.length > TOKEN_LIMIT) return undefined;
  const parts = token.split(".", 4);
  const isCanonical = parts.length === 3 && parts.every((part) => CANONICAL.test(part));
  return isCanonical ? parts[0] : undefined;
}

/** The keys by the text of their header, so that a token selects exactly one. The first signs. */
async function createRing(
  secrets: () => MaybePromise<readonly Uint8Array<ArrayBuffer>[]>,
): Promise<ReadonlyMap<string, Signer>> {
  const keys = await importKeys(await secrets());
  return new Map(
    Array.from(keys, ([kid, key], index) => {
      const header = HS256.header(kid);
      const signer: Signer = { format: HS256, key, header, isCurrent: index === 0 };
      return [base64url.encode(JSON.stringify(header)), signer];
    }),
  );
}

/** A new session's id: 128 random bits in base64url. */
export function randomId(): string {
  return base64url.encode(crypto.getRandomValues(new Uint8Array(16)));
}

/** The store's key of a subject's generation. */
export function generationKey(audience: string, subject: string): Promise<string> {
  return hashKey("sub", audience, subject);
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

/** Signs and verifies one cookie's tokens, and caches those that it verified or signed. */
export function createTokens({
  secrets,
  audience,
  now,
}: {
  /** The keys' bytes, the signing one first. */
  readonly secrets: () => MaybePromise<readonly Uint8Array<ArrayBuffer>[]>;
  /** The `aud` claim. */
  readonly audience: string;
  /** The clock, in milliseconds. */
  readonly now: () => number;
}): Tokens {
  const cache = createCache<VerifiedToken>(sizeOf);
  let ring: ReadonlyMap<string, Signer> | undefined;

  /**
   * Makes the ring at first use, because Workers forbid a digest while modules load. Each of the first
   * requests makes it anew, because in Workers a request must not wait for another one's promise.
   */
  function getRing(): MaybePromise<ReadonlyMap<string, Signer>> {
    return ring ?? createRing(secrets).then((made) => (ring ??= made));
  }

  function checkTime(verified: VerifiedToken): VerifiedToken | Rejection {
    const seconds = now() / 1000;
    const { issuedAt, expiresAt, endsAt } = verified.state;
    if (issuedAt > seconds + CLOCK_SKEW) return "early";
    return seconds < expiresAt && seconds < endsAt ? verified : "expired";
  }

  function verify(token: string): MaybePromise<VerifiedToken | Rejection> {
    const known = cache.get(token);
    if (known !== undefined) return checkTime(known);
    const header = headerOf(token);
    if (header === undefined) return "malformed";
    return chain(getRing(), (ring) => {
      const signer = ring.get(header);
      return signer === undefined ? rejectHeader(header) : verifyWith(signer, token);
    });
  }

  async function verifyWith(
    { format, key, isCurrent }: Signer,
    token: string,
  ): Promise<VerifiedToken | Rejection> {
    const payload = await format.read(token, key);
    if (payload === undefined) return "forged";
    const read = await readPayload(payload);
    if (typeof read === "string") return read;
    // A copy, so that the cache does not keep the whole header that the token was cut from.
    const text = token.split(".").join(".");
    const verified = { ...read, text, isCurrentKey: isCurrent };
    cache.put(text, verified);
    return checkTime(verified);
  }

  async function readPayload(
    payload: Uint8Array,
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
    return values === undefined
      ? "malformed"
      : { state: { ...state, data: values }, hasData: true };
  }

  async function sign(claims: string, state: State, hasData: boolean): Promise<string> {
    const [current] = (await getRing()).values();
    if (current === undefined) throw new TypeError("Cannot sign: the key ring is empty");
    const { format, header, key } = current;
    const text = await format.write(encoder.encode(claims), header, key);
    // Large data that is only in the store would push other tokens out of the cache.
    const kept = hasData ? state : { ...state, data: NOTHING.data };
    cache.put(text, { text, state: kept, hasData, isCurrentKey: true });
    return text;
  }

  return { verify, sign };
}

/** The number of characters of a token with these claims. */
export function tokenLength(claims: string): number {
  return HEADER_LENGTH + HS256.lengthOf(encoder.encode(claims).length);
}

/** About how many bytes of memory a verified token takes. */
function sizeOf({ text, state }: VerifiedToken): number {
  let bytes = text.length + 512;
  for (const [key, value] of state.data) bytes += key.length + value.length + 128;
  return bytes;
}

/** Whether the text claims to be a token of ours, valid or not: its header has our `typ`. */
export function hasOurType(text: string): boolean {
  const [header = ""] = text.split(".", 1);
  const parameters = CANONICAL.test(header) ? parse(fromBase64url(header)) : undefined;
  return isObject(parameters) && parameters["typ"] === "session+jwt";
}

/** Why a token that no key of ours signed is rejected. */
function rejectHeader(header: string): Rejection {
  const parameters = parse(fromBase64url(header));
  if (!isObject(parameters)) return "malformed";
  const { alg, typ, kid, ...others } = parameters;
  const isOurs = alg === "HS256" && typ === "session+jwt" && Object.keys(others).length === 0;
  return isOurs && typeof kid === "string" ? "unknown-key" : "wrong-purpose";
}
