import { base64url } from "jose";
import { SessionOptionsError } from "../errors.ts";
import type { MaybePromise } from "../maybe.ts";
import { fromBase64url } from "./claims.ts";
import { derive } from "./derive.ts";
import { encodeHeader, type Format, headerOf, type Rejection, type TokenKey } from "./format.ts";
import { readJws, writeJws } from "./jws.ts";
import { checkKid, distinct, kidOf, optionOf } from "./keys.ts";

/** The public half of a key for ES256, as a JWK set has it (RFC 7517, RFC 7518 §6.2.1). */
export interface PublicKey {
  readonly kty: "EC";
  readonly crv: "P-256";
  readonly x: string;
  readonly y: string;
  /** The start of its RFC 7638 thumbprint. */
  readonly kid: string;
  readonly alg: "ES256";
  readonly use: "sig";
}

/** A key pair for ES256. */
export interface KeyPair {
  /** Signs. It can't be exported. */
  readonly privateKey: CryptoKey;
  readonly publicKey: PublicKey;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" };
/** The order of the curve P-256 (SP 800-186 §3.2.1.3). */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
/** What PKCS#8 has before the 32 bytes of a private key for P-256, if the public point is left out. */
const PKCS8 = "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";
/** The bytes of r, and of s. */
const HALF = 32;

/**
 * The key pair of a secret for one purpose: the same one on every instance and runtime. Its private key
 * comes from 48 derived bytes, so that all keys are equally likely (FIPS 186-5 §A.2.1).
 */
export async function deriveKeyPair(
  secret: Uint8Array<ArrayBuffer>,
  purpose: "ES256 session" | "ES256 identity",
): Promise<KeyPair> {
  const d = (toNumber(await derive(secret, purpose, 48)) % (ORDER - 1n)) + 1n;
  const pkcs8 = fromHex(PKCS8 + toHex(d));
  const { subtle } = crypto;
  // Extractable once, because Web Crypto computes the public point only for an export.
  const extractable = await subtle.importKey("pkcs8", pkcs8, ALGORITHM, true, ["sign"]);
  const { x, y } = await subtle.exportKey("jwk", extractable);
  if (x === undefined || y === undefined)
    throw new TypeError("Cannot derive a key: it has no x, y");
  const privateKey = await subtle.importKey("pkcs8", pkcs8, ALGORITHM, false, ["sign"]);
  const point = { kty: "EC", crv: "P-256", x, y } as const;
  const kid = await kidOf(point);
  return { privateKey, publicKey: { ...point, kid, alg: "ES256", use: "sig" } };
}

/** The session keys of these secrets by their `kid`, the signing one first; of equal secrets, one. */
async function deriveSessionKeys(
  secrets: readonly Uint8Array<ArrayBuffer>[],
): Promise<ReadonlyMap<string, KeyPair>> {
  const pairs = new Map<string, KeyPair>();
  for (const [place, secret] of distinct(secrets).entries()) {
    const pair = await deriveKeyPair(secret, "ES256 session");
    const { kid } = pair.publicKey;
    checkKid(kid, pairs, optionOf(place));
    pairs.set(kid, pair);
  }
  return pairs;
}

/**
 * The public keys of these secrets as a JWK set, the signing one first. Rejects with
 * `SessionOptionsError` if tokens have another format.
 */
export async function publicKeysOf({
  secrets,
  format,
}: {
  readonly secrets: () => MaybePromise<readonly Uint8Array<ArrayBuffer>[]>;
  readonly format: Format;
}): Promise<{ keys: PublicKey[] }> {
  if (format !== "ES256") {
    const state = `algorithm must be "ES256", got "HS256"`;
    throw new SessionOptionsError(`Cannot give public keys: ${state}`);
  }
  const pairs = await deriveSessionKeys(await secrets());
  return { keys: Array.from(pairs.values(), ({ publicKey }) => publicKey) };
}

/** The keys of these secrets that sign and verify tokens, the signing one first. */
export async function es256Keys(
  secrets: readonly Uint8Array<ArrayBuffer>[],
): Promise<readonly TokenKey[]> {
  const pairs = await deriveSessionKeys(secrets);
  return Promise.all(Array.from(pairs.values(), es256Key));
}

async function es256Key({ privateKey, publicKey }: KeyPair): Promise<TokenKey> {
  const { kty, crv, x, y, kid } = publicKey;
  const jwk = { kty, crv, x, y };
  const verifying = await crypto.subtle.importKey("jwk", jwk, ALGORITHM, false, ["verify"]);
  const header = headerOf("ES256", kid);
  return {
    headers: [encodeHeader(header)],
    write: async (claims) => withLowS(await writeJws(claims, header, privateKey)),
    read: (text) => readEs256(text, verifying),
  };
}

/**
 * The payload of a token with a valid signature. Of the two that are valid, r‖s and r‖n − s, only the
 * one with the low s is accepted: a token must have one spelling.
 */
export async function readEs256(text: string, key: CryptoKey): Promise<Uint8Array | Rejection> {
  const signature = fromBase64url(text.slice(text.lastIndexOf(".") + 1));
  if (signature.length === 2 * HALF && isHigh(toNumber(signature.subarray(HALF)))) {
    return "malformed";
  }
  return readJws(text, "ES256", key);
}

/** The token with the low one of its two signatures. */
function withLowS(token: string): string {
  const start = token.lastIndexOf(".") + 1;
  const signature = fromBase64url(token.slice(start));
  const s = toNumber(signature.subarray(HALF));
  if (!isHigh(s)) return token;
  signature.set(fromHex(toHex(ORDER - s)), HALF);
  return token.slice(0, start) + base64url.encode(signature);
}

function isHigh(s: bigint): boolean {
  return s > ORDER / 2n;
}

function toNumber(bytes: Uint8Array): bigint {
  return BigInt(`0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`);
}

/** A number below 2²⁵⁶ as 32 bytes, in hexadecimal. */
function toHex(number: bigint): string {
  return number.toString(16).padStart(2 * HALF, "0");
}

function fromHex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
