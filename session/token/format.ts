import { base64url } from "jose";
import { fromBase64url, isObject, parse } from "./claims.ts";

/**
 * Why a token is rejected:
 * - `malformed`: it is not a canonical compact JWS or JWE, or its claims are not ours;
 * - `unknown-key`: its `kid` names no key of the ring;
 * - `forged`: the signature is wrong, or the JWE's tag;
 * - `wrong-purpose`: another `typ`, `alg` or `aud`, or a header member that is not ours;
 * - `expired`: its time is over;
 * - `early`: it is from the future, so a clock is wrong.
 */
export type Rejection =
  "malformed" | "unknown-key" | "forged" | "wrong-purpose" | "expired" | "early";

/** A key for one format. */
export interface TokenKey {
  /** The protected headers that select it, in base64url. */
  readonly headers: readonly string[];
  /** The text of a token with these claims. */
  write(claims: Uint8Array): Promise<string>;
  /** The claims of a text that has one of the headers, or why it is rejected. */
  read(text: string): Promise<Uint8Array | Rejection>;
}

/** The format of a token, named by its algorithm. */
export type Format = "HS256" | "ES256" | "A256GCM";

const encoder = new TextEncoder();

/** The characters of a JWE's IV, and of its tag: 96 and 128 bits. */
const IV = 16;
const TAG = 22;

/** Each format's protected header: exactly these members, then `kid`. */
const MEMBERS = {
  HS256: { alg: "HS256", typ: "session+jwt" },
  ES256: { alg: "ES256", typ: "session+jwt" },
  A256GCM: { alg: "dir", enc: "A256GCM", typ: "session+jwt" },
} as const;

/** The header of a key, with its members in their order. */
export function headerOf<Name extends Format>(
  format: Name,
  kid: string,
): (typeof MEMBERS)[Name] & { readonly kid: string } {
  return { ...MEMBERS[format], kid };
}

/** A header as the first part of a token. */
export function encodeHeader(header: object): string {
  return base64url.encode(JSON.stringify(header));
}

/** The characters of a token besides its claims: the header, the dots, and the signature or IV and tag. */
const FRAMES: Readonly<Record<Format, number>> = {
  HS256: 70 + 2 + 43,
  ES256: 70 + 2 + 86,
  A256GCM: 90 + 4 + IV + TAG,
};

/** The number of characters of a token with these claims. */
export function tokenLength(claims: string, format: Format): number {
  return FRAMES[format] + Math.ceil((encoder.encode(claims).length * 4) / 3);
}

/**
 * Base64url without padding (RFC 7515 §2) in the one spelling of its bytes: no spare bit of a last
 * group is set. Decoding would accept other spellings of the same token.
 */
const CANONICAL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;
/** No cookie can be longer, so no token can. */
const TOKEN_LIMIT = 4096;

/**
 * The parts of a canonical compact JWS, or of a JWE without an encrypted key; undefined for any other
 * text.
 */
export function partsOf(token: string): readonly string[] | undefined {
  if (token.length > TOKEN_LIMIT) return undefined;
  const parts = token.split(".", 6);
  const isOurs = parts.length === 3 || (parts.length === 5 && isDirect(parts));
  return isOurs && parts.every((part) => CANONICAL.test(part)) ? parts : undefined;
}

function isDirect([, key, iv, , tag]: readonly string[]): boolean {
  return key === "" && iv?.length === IV && tag?.length === TAG;
}

/** Whether the text claims to be a token of ours, valid or not: its header has our `typ`. */
export function hasOurType(text: string): boolean {
  const [header = ""] = text.split(".", 1);
  const parameters = CANONICAL.test(header) ? parse(fromBase64url(header)) : undefined;
  return isObject(parameters) && parameters["typ"] === "session+jwt";
}

/** Why a token is rejected whose header selects no key. `formats` are those that are accepted. */
export function rejectHeader(header: string, formats: readonly Format[]): Rejection {
  const parameters = parse(fromBase64url(header));
  if (!isObject(parameters)) return "malformed";
  const { kid, ...members } = parameters;
  const isOurs = formats.some((format) => hasMembers(members, MEMBERS[format]));
  return isOurs && typeof kid === "string" ? "unknown-key" : "wrong-purpose";
}

function hasMembers(
  one: Readonly<Record<string, unknown>>,
  other: Readonly<Record<string, unknown>>,
): boolean {
  const names = Object.keys(other);
  return (
    Object.keys(one).length === names.length && names.every((name) => one[name] === other[name])
  );
}
