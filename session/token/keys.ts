import { base64url, calculateJwkThumbprint, type JWK } from "jose";
import { SessionOptionsError } from "../errors.ts";

/** A secret: a string stands for its UTF-8 bytes. */
export type Secret = string | Uint8Array;

/** RFC 7518 §3.2: a key for HS256 is at least as long as its hash. */
const MINIMUM_BYTES = 32;
const MINIMUM_DIFFERENT_BYTES = 8;
const MINIMUM_PERIOD = 16;
/** A repetition has at least this many bytes in a row, or half of the key's. */
const REPETITION = 12;
/** 48 bits of the thumbprint: enough to tell a few keys apart, too few to find a key by. */
const KID_LENGTH = 8;

/** The value of a key that nobody set, in an environment or a settings file. */
const MISSING: ReadonlySet<unknown> = new Set([undefined, null, ""]);

const ADVICE = "Make a random key: openssl rand -base64 32";

/**
 * What keys in documentation and tutorials contain, in lower case and without separators. Apart from
 * `secret`, words have at least seven characters: shorter ones turn up in random keys too often. At
 * the end stand the first 16 characters of keys that look random and were printed: by Flask, FastAPI,
 * Tornado, tutorials for Spring, jose, RFC 7515 §A.1, RFC 7520 §3.5 and our docs/tokens.md, and the
 * SHA-256 of nothing and the MD5 of "password".
 */
export const EXAMPLES: readonly string[] = [
  ..."secret 32bytes example keyhere letmein longkey replace testkey thisisa yourkey".split(" "),
  ..."asdfghjk averylong changein changeit changeme changethis character correcthorse".split(" "),
  ..."donotuse generate hardcoded helloworld insecure keyboard loremipsum opensslrand".split(" "),
  ..."passphrase password placeholder 1qaz2wsx qazwsxed qwer1234 qwertyui qwertzui".split(" "),
  ..."192b9bdd22ab9ed4 09d25e094faa6ca2 oetzkxqagaydkl5g".split(" "),
  ..."404e635266556a58 cc7e0d44fd473002 aym1sysppbydfgzl hjtxiz2usn5kbqfb".split(" "),
  ..."q2mz7wflk0vtxc9s e3b0c44298fc1c14 5f4dcc3b5aa765d6".split(" "),
];

const ALGORITHM = { name: "HMAC", hash: "SHA-256" };

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The bytes of all keys, the signing one first. A key is rejected if it has fewer than 32 bytes, white
 * space at either end, or a sign that it is not random (few different bytes, a repetition, a run, words,
 * a key from documentation), or is given twice; `mayRepeat` lets the first be a fallback too. Throws
 * `SessionOptionsError`, which names the rule and never shows a key.
 */
export function checkSecrets(
  secretKey: Secret | undefined,
  fallbacks: Secret | readonly Secret[] = [],
  mayRepeat = false,
): readonly Uint8Array<ArrayBuffer>[] {
  const list: unknown =
    typeof fallbacks === "string" || isBytes(fallbacks) ? [fallbacks] : fallbacks;
  if (!isList(list)) {
    throw refusal("secretKeyFallbacks", `must be a key or an array of keys, got ${typeOf(list)}`);
  }
  const secrets: Uint8Array<ArrayBuffer>[] = [];
  for (const [place, secret] of [secretKey, ...list].entries()) {
    const bytes = checkSecret(secret, optionOf(place));
    const others = mayRepeat ? secrets.slice(1) : secrets;
    if (others.some((other) => isEqual(other, bytes))) {
      throw refusal(optionOf(place), "must be given once, got it twice. Remove one of them");
    }
    secrets.push(bytes);
  }
  return secrets;
}

function checkSecret(secret: unknown, option: string): Uint8Array<ArrayBuffer> {
  if (MISSING.has(secret))
    throw refusal(option, `it is missing: is its environment variable set? ${ADVICE}`);
  if (typeof secret !== "string" && !isBytes(secret)) {
    throw refusal(option, `must be a string or a Uint8Array, got ${typeOf(secret)}`);
  }
  const bytes = typeof secret === "string" ? encoder.encode(secret) : new Uint8Array(secret);
  const text = textOf(bytes);
  if (text !== text?.trim()) {
    throw refusal(
      option,
      "it starts or ends with white space, such as a file's line break. Trim it",
    );
  }
  if (bytes.length < MINIMUM_BYTES) {
    const state = `it has ${bytes.length} bytes, must have at least ${MINIMUM_BYTES}`;
    throw refusal(option, `${state} (RFC 7518 §3.2). ${ADVICE}`);
  }
  const weakness = weaknessOf(bytes);
  if (weakness !== undefined) throw refusal(option, `${weakness}. ${ADVICE}`);
  const hidden = weaknessOf(decodedFrom(text));
  if (hidden !== undefined) throw refusal(option, `decoded, ${hidden}. ${ADVICE}`);
  return bytes;
}

/** Why these bytes can be guessed; undefined if they look random. */
function weaknessOf(bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined;
  if (new Set(bytes).size < MINIMUM_DIFFERENT_BYTES) {
    return `it has fewer than ${MINIMUM_DIFFERENT_BYTES} different bytes`;
  }
  if (isRepeated(bytes)) return `it repeats fewer than ${MINIMUM_PERIOD} bytes`;
  const text = textOf(bytes);
  const codes = text === undefined ? [...bytes] : codePoints(text.toLowerCase());
  // Eight characters in a row, or twelve by turns.
  if (hasRun(codes, 1, 7) || hasRun(codes, 2, 10)) {
    return "it has a run, such as abcdefgh, 87654321 or a1b2c3d4e5f6";
  }
  if (text === undefined) return undefined;
  if (hasExample(text)) return `it contains a word or a key from documentation, such as "example"`;
  return isPassphrase(text) ? "it is made of words, as a passphrase is" : undefined;
}

/** Whether many bytes in a row each repeat the one some places before, as in padding. */
function isRepeated(bytes: Uint8Array): boolean {
  const limit = Math.min(REPETITION, bytes.length / 2);
  for (let places = 1; places < MINIMUM_PERIOD; places++) {
    if (longestRow(bytes.length, (at) => bytes[at] === bytes[at - places]) >= limit) return true;
  }
  return false;
}

/**
 * Whether codes differ by the same amount from the code `places` before them: `steps` in a row, or half
 * of all. Equal codes in a row do not count, because `isRepeated` allows more of them.
 */
function hasRun(codes: readonly number[], places: number, steps: number): boolean {
  const distances = codes.slice(places).map((code, at) => (code - (codes[at] ?? 0)) & 255);
  const isStep = (at: number): boolean =>
    distances[at] !== 0 && distances[at] === distances[at - 1];
  if (longestRow(distances.length, isStep) >= steps - 1) return true;
  const countOf = (one: number): number => distances.filter((other) => other === one).length;
  return [...new Set(distances)].some((one) => countOf(one) >= distances.length / 2);
}

/** The most places in a row, of the first `count`, that pass the test. */
function longestRow(count: number, test: (at: number) => boolean): number {
  let [row, longest] = [0, 0];
  for (let at = 0; at < count; at++) {
    row = test(at) ? row + 1 : 0;
    longest = Math.max(longest, row);
  }
  return longest;
}

function hasExample(text: string): boolean {
  const characters = text.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");
  return EXAMPLES.some((example) => characters.includes(example));
}

/**
 * Whether the text is printable, and separators and camelCase split it into words and numbers. A word
 * has a vowel, which random letters may lack, and at most 40 letters: a longer one may be random.
 */
function isPassphrase(text: string): boolean {
  const isPart = /^(?:\p{Lu}?[\p{Ll}\p{Lo}]{0,40}|\p{Lu}{0,40})\p{N}{0,8}$/u;
  const hasNoVowel = /^[b-df-hj-np-tv-xz]{2,}\d*$/i;
  const parts = text.split(/[^\p{L}\p{N}]|(?<=\p{Ll})(?=\p{Lu})/u);
  if (!/\p{L}/u.test(text) || /[^\P{C}\s]/u.test(text)) return false;
  return parts.every((part) => isPart.test(part) && !hasNoVowel.test(part));
}

/** The bytes that hexadecimal or base64 text stands for; undefined for any other. */
function decodedFrom(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  if (/^(?:[\da-f]{2})+$/i.test(text)) {
    return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  }
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}

/** The text of bytes in UTF-8; undefined for other bytes, for example random ones. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function codePoints(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0);
}

/** Whether the value is a Uint8Array, of any realm: in Jest, a Buffer is of another realm. */
export function isBytes(value: unknown): value is Uint8Array {
  return (
    ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === "[object Uint8Array]"
  );
}

/** The secrets, each once. */
export function distinct(
  secrets: readonly Uint8Array<ArrayBuffer>[],
): readonly Uint8Array<ArrayBuffer>[] {
  return secrets.filter((one, place) => secrets.findIndex((two) => isEqual(one, two)) === place);
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/**
 * Imports the keys, none of them extractable, under the `kid` that names each in a token's header
 * (RFC 7515 §4.1.4). `start` is the place in the ring that the first of them has.
 */
export async function importKeys(
  secrets: readonly Uint8Array<ArrayBuffer>[],
  start = 0,
): Promise<ReadonlyMap<string, CryptoKey>> {
  const keys = new Map<string, CryptoKey>();
  for (const [place, secret] of secrets.entries()) {
    const kid = await kidOf({ kty: "oct", k: base64url.encode(secret) });
    checkKid(kid, keys, optionOf(start + place));
    keys.set(
      kid,
      await crypto.subtle.importKey("raw", secret, ALGORITHM, false, ["sign", "verify"]),
    );
  }
  return keys;
}

/** The `kid` of a key: the start of its RFC 7638 thumbprint. */
export async function kidOf(jwk: JWK): Promise<string> {
  return (await calculateJwkThumbprint(jwk)).slice(0, KID_LENGTH);
}

/** Refuses a key whose `kid` another one has: it must select exactly one. */
export function checkKid(kid: string, keys: ReadonlyMap<string, unknown>, option: string): void {
  if (!keys.has(kid)) return;
  throw refusal(option, `a key before it has the same kid, ${kid}. ${ADVICE}`);
}

/** The option that the key at this place of the ring comes from. */
export function optionOf(place: number): string {
  return place === 0 ? "secretKey" : `secretKeyFallbacks[${place - 1}]`;
}

/** The type of a value, for an error that must not show a key. */
function typeOf(value: unknown): string {
  return value === null ? "null" : `a value of type ${typeof value}`;
}

function refusal(option: string, state: string): SessionOptionsError {
  return new SessionOptionsError(`Cannot use ${option}: ${state}`);
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}
