/**
 * Reads the session cookies of Flask 3, so that a server that takes over from a Flask app keeps its
 * users signed in. Only reads: what comes after is a session of ours.
 *
 * ```ts
 * import { createSessions } from "madeleine";
 * import { flaskCookie } from "madeleine/flask";
 *
 * const sessions = createSessions({
 *   secretKey: process.env["SECRET_KEY"],
 *   adopt: flaskCookie({ secretKey: process.env["FLASK_SECRET_KEY"] }),
 * });
 * ```
 *
 * Such a cookie is what itsdangerous' `URLSafeTimedSerializer` makes:
 * `[.]base64url(JSON, or zlib of it after a ".").base64url(seconds).base64url(HMAC-SHA1)`.
 *
 * @module
 */

import { createCookie } from "./cookie/attributes.ts";
import { SessionOptionsError } from "./errors.ts";
import type { MaybePromise } from "./maybe.ts";
import type { Adoptable } from "./options.ts";
import { isBytes } from "./token/keys.ts";

/** A Flask `SECRET_KEY`: a string's UTF-8 bytes, or bytes. */
export type FlaskKey = string | Uint8Array;

/** How the Flask app signs its cookies. */
export interface FlaskCookieOptions {
  /**
   * The app's `SECRET_KEY`, not empty. Its strength is not judged, since the app chose it; but who
   * guesses it can forge every session that is adopted. Never use it as `createSessions`' key too.
   */
  readonly secretKey: FlaskKey | undefined;
  /** The app's `SECRET_KEY_FALLBACKS`. A bare string is one key, not a list of letters. Default none. */
  readonly secretKeyFallbacks?: FlaskKey | readonly FlaskKey[] | undefined;
  /**
   * The app's `PERMANENT_SESSION_LIFETIME`: whole seconds from 0, counted from the last time that
   * Flask sent the cookie. As in Flask it holds for every cookie, permanent or not. Default 31 days.
   */
  readonly maxAge?: number | undefined;
  /** The clock, in milliseconds. Default `Date.now`. */
  readonly now?: (() => number) | undefined;
}

/** Which cookie of a request to adopt, and what becomes of its session. */
export interface FlaskAdoptOptions extends FlaskCookieOptions {
  /** The app's `SESSION_COOKIE_NAME`. Default `session`. */
  readonly name?: string | undefined;
  /** The app's `SESSION_COOKIE_PATH`. Default `/`. */
  readonly path?: string | undefined;
  /** The app's `SESSION_COOKIE_DOMAIN`. Default none. */
  readonly domain?: string | undefined;
  /** Who is signed in, from the session's values, so that `endAll` reaches it. Default nobody. */
  readonly subject?: ((data: FlaskData) => string | undefined) | undefined;
}

/** The values of a Flask session by key, without Flask's own `_permanent` and `_flashes`. */
export type FlaskData = Record<string, unknown>;

const DEFAULT_MAX_AGE = 31 * 24 * 60 * 60;
/** What a compressed cookie may inflate to: 4 kB of zlib could otherwise become 4 MB. */
const MAX_INFLATED = 64 * 1024;
/** The signed part with its payload and time, then a SHA-1 HMAC: 20 bytes are 27 characters. */
const COOKIE = /^((\.?)([\w-]+)\.([\w-]+))\.([\w-]{27})$/;
/** A name and a value of `COOKIE`'s alphabet; no two neighbours overlap, so it runs in linear time. */
const PAIR = /^[ \t]*([^ \t=]+)[ \t]*=[ \t]*([\w.-]+)[ \t]*$/;
/** RFC 9110 §5.6.7, with a year from 0001, as datetimes have it. */
const HTTP_DATE = /^\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d:\d\d:\d\d) GMT$/;
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const HMAC_SHA1 = { name: "HMAC", hash: "SHA-1" };

/**
 * Gives the data of a Flask session cookie's value; undefined where its signature, its age or its
 * form is wrong. No `value` makes it throw; a wrong option is a `SessionOptionsError`, at once.
 *
 * A tuple comes as an array, bytes as a `Uint8Array`, `Markup` and `UUID` (with hyphens) as a
 * string, a datetime as a `Date`, and an integer of more than 53 bits as a bigint (rounded before
 * Node 21, whose `JSON.parse` does not tell the digits). Not read are a compressed session of more
 * than 64 kB, and one that holds NaN or Infinity, which are no JSON. A key `__proto__` is a key like
 * any other: assigning it to another object in a loop would set that object's prototype.
 */
export async function readFlaskCookie(
  value: string,
  options: FlaskCookieOptions,
): Promise<FlaskData | undefined> {
  const session = await flaskReader(options)(value);
  if (session === undefined) return undefined;
  const { _permanent, _flashes, ...data } = session;
  return data;
}

/**
 * An `adopt` option for `createSessions`: gives the session of the request's Flask cookie, and
 * undefined where there is none that is valid. Of several cookies of the name, as when one was set for
 * a path, the first valid one counts. A wrong option is a `SessionOptionsError`, at once.
 *
 * The cookie's signature is the credential, so a Flask session is adopted once, copies included, and
 * the response that adopts it deletes Flask's cookie. Flask signs a new cookie whenever a session
 * changes, and has no way to end the old one: a copy of that is another credential until it is `maxAge`
 * old.
 *
 * `parse` makes typed data of what Flask had, or refuses it with undefined:
 *
 * ```ts
 * flaskCookie({
 *   secretKey,
 *   parse: ({ username }) => (typeof username === "string" ? { username } : undefined),
 *   subject: ({ username }) => (typeof username === "string" ? username : undefined),
 * });
 * ```
 */
export function flaskCookie<Data extends object>(
  options: FlaskAdoptOptions & { readonly parse: (data: FlaskData) => Data | undefined },
): (headers: Headers) => MaybePromise<Adoptable<Data> | undefined>;
export function flaskCookie(
  options: FlaskAdoptOptions,
): (headers: Headers) => MaybePromise<Adoptable<FlaskData> | undefined>;
export function flaskCookie(
  options: FlaskAdoptOptions & { readonly parse?: (data: FlaskData) => object | undefined },
): (headers: Headers) => MaybePromise<Adoptable<object> | undefined> {
  const { name = "session", path = "/", domain, subject, parse = (data) => data } = options;
  // What the response that adopts a session deletes: a wrong attribute would leave it in the browser.
  createCookie({ name, path, ...(domain !== undefined && { domain }) });
  const read = flaskReader(options);
  async function firstValid(values: readonly string[]): Promise<Adoptable<object> | undefined> {
    for (const value of values) {
      const session = await read(value);
      if (session === undefined) continue;
      const { _permanent: permanent, _flashes, ...own } = session;
      const data = parse(own);
      if (data === undefined) return undefined;
      return {
        data,
        subject: subject?.(own),
        permanent: permanent === true,
        credential: value.slice(value.lastIndexOf(".") + 1),
        forget: { name, path, domain },
      };
    }
    return undefined;
  }
  return (headers) => {
    const values = cookieValues(headers.get("cookie") ?? "", name);
    // At once where there is nothing to read: every visitor without a session comes this way.
    return values.length === 0 ? undefined : firstValid(values);
  };
}

/** Only values that may be Flask's: its alphabet needs no quotes and no percent-encoding. */
function cookieValues(header: string, name: string): string[] {
  return header.split(";").flatMap((pair) => {
    const [, key, value = ""] = PAIR.exec(pair) ?? [];
    return key === name ? [value] : [];
  });
}

/** Checks the options, and gives what reads a cookie's value by them. */
function flaskReader(
  options: FlaskCookieOptions,
): (value: string) => Promise<FlaskData | undefined> {
  const { secretKey, secretKeyFallbacks = [], maxAge = DEFAULT_MAX_AGE, now = Date.now } = options;
  const secrets = [secretKey, secretKeyFallbacks].flat().map(secretBytes);
  if (!Number.isSafeInteger(maxAge) || maxAge < 0) {
    throw new SessionOptionsError(
      `Cannot read Flask's cookies: maxAge is ${maxAge}, and has to be whole seconds from 0`,
    );
  }
  // The keys and not the promise of them: a Worker may not await what another request began.
  let keys: readonly CryptoKey[] | undefined;

  return async (value) => {
    const match = COOKIE.exec(value);
    if (match === null) return undefined;
    const [, signed = "", dot, payload = "", timestamp = "", mac = ""] = match;
    const signature = fromBase64url(mac);
    const time = fromBase64url(timestamp);
    if (signature === undefined || time === undefined) return undefined;
    keys ??= await Promise.all(secrets.map(deriveKey));
    if (!(await verifies(keys, signature, signed))) return undefined;
    const age = Math.floor(now() / 1000) - time.reduce((seconds, byte) => seconds * 256 + byte, 0);
    if (!(age >= 0 && age <= maxAge)) return undefined;
    return decode(payload, dot === ".");
  };
}

/** A copy, so that a key's bytes may be wiped or used again. */
function secretBytes(secret: FlaskKey | undefined): Uint8Array<ArrayBuffer> {
  const bytes = typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
  if (isBytes(bytes) && bytes.length > 0) return new Uint8Array(bytes);
  throw new SessionOptionsError(
    "Cannot read Flask's cookies: a key is missing, empty or neither a string nor bytes. " +
      "Give the app's SECRET_KEY",
  );
}

/** itsdangerous' key derivation "hmac" with the salt of Flask's sessions. */
async function deriveKey(secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const root = await crypto.subtle.importKey("raw", secret, HMAC_SHA1, false, ["sign"]);
  const key = await crypto.subtle.sign("HMAC", root, new TextEncoder().encode("cookie-session"));
  return crypto.subtle.importKey("raw", key, HMAC_SHA1, false, ["verify"]);
}

async function verifies(
  keys: readonly CryptoKey[],
  signature: Uint8Array<ArrayBuffer>,
  signed: string,
): Promise<boolean> {
  const data = new TextEncoder().encode(signed);
  for (const key of keys) {
    if (await crypto.subtle.verify("HMAC", key, signature, data)) return true;
  }
  return false;
}

/** The data of a payload whose signature holds: other programs may sign with the same key. */
async function decode(payload: string, compressed: boolean): Promise<FlaskData | undefined> {
  try {
    const bytes = fromBase64url(payload);
    if (bytes === undefined) return undefined;
    const json = compressed ? await inflate(bytes) : bytes;
    const text = new TextDecoder("utf-8", { fatal: true }).decode(json);
    const session: unknown = JSON.parse(text, untag);
    if (!isRecord(session)) return undefined;
    return session;
  } catch {
    return undefined;
  }
}

/** @throws {RangeError} where it would be more than `MAX_INFLATED` bytes. */
async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const reader = stream.getReader();
  const inflated = new Uint8Array(MAX_INFLATED);
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return inflated.subarray(0, size);
    inflated.set(value, size); // a RangeError where it does not fit
    size += value.length;
  }
}

/**
 * A reviver that undoes Flask's tags (`flask.json.tag`): an object of one key that is a tag stands
 * for its value. A dict that only looks like one comes as ` di`, its key with `__` at the end.
 */
function untag(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  // Python's integers have no bound: a 64-bit id must not become its neighbour.
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    const { source = "" } = context ?? {};
    return /^-?\d+$/.test(source) ? BigInt(source) : value;
  }
  if (!isRecord(value)) return value;
  const [entry, ...others] = Object.entries(value);
  if (entry === undefined || others.length > 0) return value;
  const [tag, content] = entry;
  if (tag === " di" && isRecord(content)) {
    return Object.fromEntries(
      Object.entries(content).map(([key, inner]) => [key.slice(0, -2), inner]),
    );
  }
  if (tag === " t") return content;
  if (typeof content !== "string") return value;
  if (tag === " b") return Uint8Array.from(atob(content), (char) => char.charCodeAt(0));
  if (tag === " m") return content;
  if (tag === " u") return content.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  if (tag === " d") return fromHttpDate(content);
  return value;
}

/** Null for any other text. `Date` itself reads a year before 100 as one of our time. */
function fromHttpDate(text: string): Date | null {
  const [, day, name, year, time] = HTTP_DATE.exec(text) ?? [];
  const month = String(MONTHS.indexOf(name ?? "") + 1).padStart(2, "0");
  const date = new Date(`${year}-${month}-${day}T${time}Z`);
  return Number.isNaN(date.getTime()) ? null : date;
}

/** A plain object, as JSON makes it: no array, and nothing that `untag` made of one. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

/** Undefined where the text is not the one spelling of its bytes: no padding, no spare bits set. */
function fromBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 === 1) return undefined;
  const base64 = text.replaceAll("-", "+").replaceAll("_", "/");
  const binary = atob(base64);
  if (btoa(binary).replaceAll("=", "") !== base64) return undefined;
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
