import { base64url, CompactEncrypt, compactDecrypt } from "jose";
import { derive } from "./derive.ts";
import { encodeHeader, headerOf, type Rejection, type TokenKey } from "./format.ts";
import { checkKid, distinct, kidOf, optionOf } from "./keys.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

type Header = Readonly<Record<"alg" | "enc" | "typ" | "kid", string>>;

/**
 * The last character of a token's `kid` names one of 64 sub-keys. AES-GCM with random 96-bit IVs allows
 * 2³² encryptions a key (SP 800-38D §8.3): at 1,000 a second one key would last 50 days.
 */
const SUB_KEYS = Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
const OPTIONS = { keyManagementAlgorithms: ["dir"], contentEncryptionAlgorithms: ["A256GCM"] };

/** The keys that encrypt a cookie's tokens, one for each secret. */
export function deriveTokenKeys(
  secrets: readonly Uint8Array<ArrayBuffer>[],
  audience: string,
): Promise<readonly TokenKey[]> {
  return deriveAll(secrets, (secret) => deriveTokenKey(secret, audience));
}

/** Encrypts and decrypts the claims of records. */
export interface RecordCipher {
  write(claims: string): Promise<string>;
  /** Undefined if no key of ours encrypted the text. */
  read(text: string): Promise<string | undefined>;
}

/** The cipher for the records of a cookie's sessions. The first secret's key encrypts. */
export async function deriveRecordCipher(
  secrets: readonly Uint8Array<ArrayBuffer>[],
  audience: string,
): Promise<RecordCipher> {
  const keys = await deriveAll(secrets, (secret) => deriveRecordKey(secret, audience));
  return {
    write: async (claims) => {
      const [current] = keys;
      if (current === undefined) throw new TypeError("Cannot encrypt: there is no key");
      return current.write(encoder.encode(claims));
    },
    async read(text) {
      const header = text.slice(0, text.indexOf("."));
      const claims = await keys.find(({ headers }) => headers.includes(header))?.read(text);
      return claims instanceof Uint8Array ? decoder.decode(claims) : undefined;
    },
  };
}

async function deriveAll(
  secrets: readonly Uint8Array<ArrayBuffer>[],
  deriveOne: (secret: Uint8Array<ArrayBuffer>) => Promise<TokenKey & { readonly kid: string }>,
): Promise<readonly TokenKey[]> {
  const keys = new Map<string, TokenKey>();
  for (const [place, secret] of distinct(secrets).entries()) {
    const key = await deriveOne(secret);
    checkKid(key.kid, keys, optionOf(place));
    keys.set(key.kid, key);
  }
  return [...keys.values()];
}

async function deriveTokenKey(
  secret: Uint8Array<ArrayBuffer>,
  audience: string,
): Promise<TokenKey & { readonly kid: string }> {
  const bytesOf = (index: number): Promise<Uint8Array<ArrayBuffer>> =>
    derive(secret, `A256GCM ${audience} ${index}`, 32);
  const kid = await kidOfBytes(await bytesOf(0));
  const headers = SUB_KEYS.map((name) => headerOf("A256GCM", kid + name));
  const texts = headers.map(encodeHeader);
  const keys: CryptoKey[] = [];

  // Made at first use, because a process that has just started needs few of them.
  async function keyAt(index: number): Promise<CryptoKey> {
    return (keys[index] ??= await importKey(await bytesOf(index)));
  }

  return {
    kid,
    headers: texts,
    async write(claims) {
      const [random = 0] = crypto.getRandomValues(new Uint8Array(1));
      const index = random % SUB_KEYS.length;
      const header = headers[index] ?? headerOf("A256GCM", kid + SUB_KEYS[0]);
      return encrypt(claims, header, await keyAt(index));
    },
    async read(text) {
      return decrypt(text, await keyAt(texts.indexOf(text.slice(0, text.indexOf(".")))));
    },
  };
}

/** A record is never a cookie: it has another key, and another `typ`. */
async function deriveRecordKey(
  secret: Uint8Array<ArrayBuffer>,
  audience: string,
): Promise<TokenKey & { readonly kid: string }> {
  const bytes = await derive(secret, `A256GCM record ${audience}`, 32);
  const [kid, key] = [await kidOfBytes(bytes), await importKey(bytes)];
  const header = { alg: "dir", enc: "A256GCM", typ: "session-record+jwt", kid };
  return {
    kid,
    headers: [encodeHeader(header)],
    write: (claims) => encrypt(claims, header, key),
    read: (text) => decrypt(text, key),
  };
}

function kidOfBytes(bytes: Uint8Array): Promise<string> {
  return kidOf({ kty: "oct", k: base64url.encode(bytes) });
}

function importKey(bytes: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
}

/** A JWE in compact form (RFC 7516 §7.1), encrypted with the key itself (RFC 7518 §4.5). */
function encrypt(claims: Uint8Array, header: Header, key: CryptoKey): Promise<string> {
  return new CompactEncrypt(claims).setProtectedHeader(header).encrypt(key);
}

async function decrypt(text: string, key: CryptoKey): Promise<Uint8Array | Rejection> {
  try {
    return (await compactDecrypt(text, key, OPTIONS)).plaintext;
  } catch {
    return "forged";
  }
}
