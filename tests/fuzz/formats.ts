/** The three formats of a token, made without the library: for mutations that know the right key. */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  sign,
} from "node:crypto";
import { createSessions, type SessionOptions } from "../../session/mod.ts";
import type { Random } from "./random.ts";

/** A format, and the options that choose it. */
export interface TokenFormat {
  readonly name: string;
  readonly options: Pick<SessionOptions, "algorithm" | "encrypt">;
  /** The header without its `kid`. */
  readonly members: Readonly<Record<string, string>>;
}

const typ = "session+jwt";

export const HS256: TokenFormat = {
  name: "HS256",
  options: {},
  members: { alg: "HS256", typ },
};
export const ES256: TokenFormat = {
  name: "ES256",
  options: { algorithm: "ES256" },
  members: { alg: "ES256", typ },
};
export const ENCRYPTED: TokenFormat = {
  name: "A256GCM",
  options: { encrypt: true },
  members: { alg: "dir", enc: "A256GCM", typ },
};
export const FORMATS: readonly TokenFormat[] = [HS256, ES256, ENCRYPTED];

/** Makes a token again, with another header and the right key. */
export type Remake = (token: string, header: string, random: Random) => string;

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const ORDER = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

function derived(secret: string, purpose: string, bytes: number): Buffer {
  return Buffer.from(hkdfSync("sha256", secret, "", `madeleine/1 ${purpose}`, bytes));
}

/** What makes tokens of the format again, for the cookie with this `aud`. */
export async function remakerOf(
  format: TokenFormat,
  secret: string,
  audience: string,
): Promise<Remake> {
  if (format === HS256) return (token, header) => signHs256(textOf(token, header), secret);
  if (format === ES256) return remakerOfEs256(secret);
  const keys = Array.from(ALPHABET, (_, index) =>
    derived(secret, `A256GCM ${audience} ${index}`, 32),
  );
  return (token, header) => reseal(token, header, keys);
}

function textOf(token: string, header: string): string {
  return `${Buffer.from(header, "latin1").toString("base64url")}.${token.split(".")[1] ?? ""}`;
}

function signHs256(text: string, key: string | Uint8Array): string {
  return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`;
}

/** With the private key, or with the public one as if it were an HMAC secret. */
async function remakerOfEs256(secret: string): Promise<Remake> {
  const { keys } = await createSessions({ secretKey: secret, algorithm: "ES256" }).publicKeys();
  const [jwk] = keys;
  if (jwk === undefined) throw new Error("There is no public key");
  const { kty, crv, x, y } = jwk;
  const bytes = derived(secret, "ES256 session", 48).toString("hex");
  const number = (BigInt(`0x${bytes}`) % (ORDER - 1n)) + 1n;
  const d = Buffer.from(number.toString(16).padStart(64, "0"), "hex").toString("base64url");
  const privateKey = createPrivateKey({ key: { kty, crv, x, y, d }, format: "jwk" });
  const publicKey = createPublicKey(privateKey);
  const forms = [
    JSON.stringify(jwk),
    publicKey.export({ format: "pem", type: "spki" }),
    publicKey.export({ format: "der", type: "spki" }),
  ];
  return (token, header, random) => {
    const text = textOf(token, header);
    if (random.below(2) === 0) return signHs256(text, random.pick(forms));
    const key = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
    return `${text}.${sign("sha256", Buffer.from(text), key).toString("base64url")}`;
  };
}

function reseal(token: string, header: string, keys: readonly Buffer[]): string {
  const [before = "", , iv = "", ciphertext = "", tag = ""] = token.split(".");
  const name = Buffer.from(before, "base64url").toString("latin1").at(-3) ?? "";
  const key = keys[ALPHABET.indexOf(name)];
  const nonce = Buffer.from(iv, "base64url");
  const text = Buffer.from(header, "latin1").toString("base64url");
  // A token that was mutated before can't be decrypted: then only its header is another one.
  if (key === undefined || nonce.length !== 12) return [text, "", iv, ciphertext, tag].join(".");
  const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(before));
  const plain = decipher.update(Buffer.from(ciphertext, "base64url"));
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(text));
  const again = Buffer.concat([cipher.update(plain), cipher.final()]);
  const parts = [text, "", iv, again.toString("base64url")];
  return [...parts, cipher.getAuthTag().toString("base64url")].join(".");
}

/** The token with the other one of its two valid signatures, where it has such. */
export function withOtherS(token: string): string {
  const start = token.lastIndexOf(".") + 1;
  const signature = Buffer.from(token.slice(start), "base64url");
  if (signature.length !== 64) return `${token}A`;
  const s = ORDER - (BigInt(`0x${signature.toString("hex", 32)}`) % ORDER);
  const half = Buffer.from(s.toString(16).padStart(64, "0"), "hex");
  return (
    token.slice(0, start) + Buffer.concat([signature.subarray(0, 32), half]).toString("base64url")
  );
}
