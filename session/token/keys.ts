import { base64url, calculateJwkThumbprint } from "jose";
import { SessionOptionsError } from "../errors.ts";

/** A secret: a string stands for its UTF-8 bytes. */
export type Secret = string | Uint8Array;

/** A key of the ring: `kid` names it in the token's protected header (RFC 7515 §4.1.4). */
export interface Key {
  readonly kid: string;
  readonly key: CryptoKey;
}

/** The one key that signs, first, and those that still verify. */
export type KeyRing = readonly [current: Key, ...fallbacks: Key[]];

/** RFC 7518 §3.2: a key for HS256 is at least as long as its hash. */
const MINIMUM_BYTES = 32;
const MINIMUM_DIFFERENT_BYTES = 8;
/** 48 bits of the thumbprint: enough to name one key of a few, too little to be one. */
const KID_LENGTH = 8;

/** What an environment or a file of settings gives where nobody set a key. */
const MISSING: ReadonlySet<unknown> = new Set([null, ""]);

/** What stands in examples to be replaced: a key that contains it is in somebody's repository. */
const PLACEHOLDER =
  /change[-_ ]?(?:me|this|it)|replace[-_ ]?(?:me|this|it)|your[-_ ]?(?:secret|key)|placeholder|insert[-_ ]|192b9bdd22ab9ed4d12e236c78afcb9a/i;

/**
 * The bytes of all keys, the signing one first, each checked: at least 32 bytes, at least 8
 * different ones, no placeholder, none twice. Throws `SessionOptionsError`, which never shows a key.
 */
export function checkSecrets(
  secretKey: Secret | undefined,
  fallbacks: Secret | readonly Secret[] = [],
): readonly Uint8Array<ArrayBuffer>[] {
  if (secretKey === undefined || MISSING.has(secretKey)) {
    throw new SessionOptionsError(
      "Cannot use secretKey: it is missing. Make one of 32 random bytes and keep it out of the code",
    );
  }
  const list: unknown =
    typeof fallbacks === "string" || fallbacks instanceof Uint8Array ? [fallbacks] : fallbacks;
  if (!Array.isArray(list)) {
    throw new SessionOptionsError("Cannot use secretKeyFallbacks: it is neither a key nor a list");
  }
  const secrets = [checkSecret(secretKey, "secretKey")];
  const all: readonly unknown[] = list;
  for (const [index, fallback] of all.entries()) {
    const bytes = checkSecret(fallback, `secretKeyFallbacks[${index}]`);
    if (secrets.some((other) => isEqual(other, bytes))) {
      throw new SessionOptionsError(
        `Cannot use secretKeyFallbacks[${index}]: the same key stands before it`,
      );
    }
    secrets.push(bytes);
  }
  return secrets;
}

function checkSecret(secret: unknown, option: string): Uint8Array<ArrayBuffer> {
  const fail = (state: string): never => {
    throw new SessionOptionsError(`Cannot use ${option}: ${state}`);
  };
  if (typeof secret !== "string" && !(secret instanceof Uint8Array)) {
    return fail("it is neither a string nor bytes");
  }
  const bytes = typeof secret === "string" ? new TextEncoder().encode(secret) : secret.slice();
  if (bytes.length < MINIMUM_BYTES) {
    fail(`it has ${bytes.length} bytes, and HS256 asks for ${MINIMUM_BYTES} (RFC 7518 §3.2)`);
  }
  if (new Set(bytes).size < MINIMUM_DIFFERENT_BYTES) {
    fail(`it has fewer than ${MINIMUM_DIFFERENT_BYTES} different bytes, so it is not random`);
  }
  if (PLACEHOLDER.test(new TextDecoder().decode(bytes))) {
    fail("it is a placeholder. Make one of 32 random bytes");
  }
  return new Uint8Array(bytes);
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** Imports the keys, none of them extractable, and names each by its RFC 7638 thumbprint. */
export async function importKeys(secrets: readonly Uint8Array<ArrayBuffer>[]): Promise<KeyRing> {
  const [current, ...fallbacks] = await Promise.all(secrets.map(importSecret));
  if (current === undefined) throw new TypeError("Cannot make a key ring: there is no key");
  return [current, ...fallbacks];
}

async function importSecret(secret: Uint8Array<ArrayBuffer>): Promise<Key> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const [key, thumbprint] = await Promise.all([
    crypto.subtle.importKey("raw", secret, algorithm, false, ["sign", "verify"]),
    calculateJwkThumbprint({ kty: "oct", k: base64url.encode(secret) }),
  ]);
  return { kid: thumbprint.slice(0, KID_LENGTH), key };
}
