import { base64url, CompactSign } from "jose";
import { createCache } from "./cache.ts";
import { deflate, inflate } from "./deflate.ts";
import {
  type Entries,
  FLASHES,
  isList,
  keyOf,
  nameOf,
  PERMANENT,
  type Snapshot,
  snapshot,
  SUBJECT,
  subjectEntry,
  type VerifiedToken,
} from "../entries.ts";
import { importKeys, type Key } from "./keys.ts";
import { chain, type MaybePromise } from "../maybe.ts";

/**
 * Why a token is not taken:
 * - `malformed`: no canonical compact JWS, or not with our claims;
 * - `unknown-key`: its `kid` names no key of the ring;
 * - `forged`: the signature is wrong;
 * - `wrong-purpose`: another `typ`, `alg` or `aud`, or a header member that is not ours;
 * - `expired`: its time is over, or not yet there.
 */
export type Rejection = "malformed" | "unknown-key" | "forged" | "wrong-purpose" | "expired";

export interface Tokens {
  /** The token's session, or why it is not taken: at once where it was verified before. */
  verify(token: string): MaybePromise<VerifiedToken | Rejection>;
  /** Signs what `snapshot` says, with the current key. */
  sign(snapshot: Snapshot): Promise<string>;
}

export interface TokenSettings {
  /** The keys' bytes, the signing one first. */
  readonly secrets: readonly Uint8Array<ArrayBuffer>[];
  /** The `aud` claim: the cookie's name. */
  readonly audience: string;
  /** Seconds from a session's start to its end. */
  readonly lifetime: number;
  /** Seconds from a token's signing to its end. */
  readonly idleTimeout: number;
  /** The clock, in milliseconds. */
  readonly now: () => number;
}

/**
 * Base64url without padding (RFC 7515 §2), in the one spelling of its bytes: of a last group no spare
 * bit is set. Decoding would take others for the same.
 */
const CANONICAL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/;
/** No cookie can be longer, so no token can. */
const TOKEN_LIMIT = 4096;
/** How far other instances' clocks may be ahead, in seconds. */
const CLOCK_SKEW = 30;
/** What a token's deflated data may become, in bytes. */
const INFLATED_LIMIT = 64 * 1024;
/** Shorter data hardly gets shorter, and deflating costs half a signature. */
const DEFLATE_FROM = 128;
/** 128 bits in base64url. */
const ID = /^[\w-]{21}[AQgw]$/;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The parts of a compact JWS (RFC 7515 §7.1). */
interface Parts {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

/** Undefined for what is too long, or no canonical compact JWS. */
function partsOf(token: string): Parts | undefined {
  if (token.length > TOKEN_LIMIT) return undefined;
  const parts = token.split(".", 4);
  const [header, payload, signature] = parts;
  if (header === undefined || payload === undefined || signature === undefined) return undefined;
  const isCanonical = parts.length === 3 && parts.every((part) => CANONICAL.test(part));
  return isCanonical ? { header, payload, signature } : undefined;
}

/** A key with the one spelling of its protected header. */
interface Signer extends Key {
  readonly header: { readonly alg: "HS256"; readonly typ: "session+jwt"; readonly kid: string };
}

interface Ring {
  readonly current: Signer;
  /** The keys by the text of their protected header, so that a token selects exactly one. */
  readonly byHeader: ReadonlyMap<string, Signer>;
}

async function createRing(secrets: TokenSettings["secrets"]): Promise<Ring> {
  const [current, ...fallbacks] = await importKeys(secrets);
  const first = signer(current);
  const signers = [first, ...fallbacks.map(signer)];
  const byHeader = new Map(signers.map((one) => [headerText(one), one]));
  return { current: first, byHeader };
}

function signer({ kid, key }: Key): Signer {
  return { kid, key, header: { alg: "HS256", typ: "session+jwt", kid } };
}

function headerText({ header }: Signer): string {
  return base64url.encode(JSON.stringify(header));
}

/** A new session's id: 128 random bits in base64url. */
export function randomId(): string {
  return base64url.encode(crypto.getRandomValues(new Uint8Array(16)));
}

/** Signs and verifies the tokens of one cookie, and remembers those that it verified or signed. */
export function createTokens(settings: TokenSettings): Tokens {
  const { audience, lifetime, idleTimeout, now } = settings;
  const cache = createCache<VerifiedToken>(sizeOf);
  let ring: Ring | undefined;

  /**
   * Made at first use, because Workers forbid a digest while modules load; and by each of the first
   * requests for itself, because there a request may not wait for another one's promise.
   */
  function getRing(): MaybePromise<Ring> {
    return ring ?? createRing(settings.secrets).then((made) => (ring ??= made));
  }

  function checkTime(verified: VerifiedToken): VerifiedToken | Rejection {
    const seconds = now() / 1000;
    const isInTime = seconds < verified.endsAt && verified.startedAt <= seconds + CLOCK_SKEW;
    return isInTime ? verified : "expired";
  }

  /** Not by `exp` alone: where the settings were lowered, the store forgets sooner than it says. */
  function endOf({ endsAt, startedAt, version }: Snapshot): number {
    return Math.min(endsAt, startedAt + lifetime, Math.floor(version / 1000) + idleTimeout);
  }

  function verify(token: string): MaybePromise<VerifiedToken | Rejection> {
    const known = cache.get(token);
    if (known !== undefined) return checkTime(known);
    const parts = partsOf(token);
    if (parts === undefined) return "malformed";
    return chain(getRing(), ({ byHeader, current }) => {
      const signer = byHeader.get(parts.header);
      return signer === undefined
        ? rejectHeader(parts.header)
        : verifySignature(parts, signer, signer === current);
    });
  }

  /**
   * RFC 7515 §5.2, of which only the signature is left to check: the header is one of ours to the
   * letter. Not by `jose`, which decodes that header again and makes an error for each forgery.
   */
  async function verifySignature(
    { header, payload, signature }: Parts,
    { key }: Signer,
    isCurrentKey: boolean,
  ): Promise<VerifiedToken | Rejection> {
    const signed = encoder.encode(`${header}.${payload}`);
    if (!(await crypto.subtle.verify("HMAC", key, decode(signature), signed))) return "forged";
    const read = await readClaims(payload, audience);
    if (typeof read === "string") return read;
    // Joined anew, so that the cache keeps the token alone and not the header it was cut from.
    const text = `${header}.${payload}.${signature}`;
    const verified = { ...read, endsAt: endOf(read), text, isCurrentKey };
    cache.put(verified);
    return checkTime(verified);
  }

  async function sign(signed: Snapshot): Promise<string> {
    const { current } = await getRing();
    const claims = writeClaims(signed, audience, await writeData(signed.entries));
    const token = await new CompactSign(encoder.encode(claims))
      .setProtectedHeader(current.header)
      .sign(current.key);
    if (token.length <= TOKEN_LIMIT) cache.put({ ...signed, text: token, isCurrentKey: true });
    return token;
  }

  return { verify, sign };
}

/** About how many bytes of memory a verified token takes. */
function sizeOf({ text, entries }: VerifiedToken): number {
  let bytes = text.length + 256;
  for (const [name, text] of entries) bytes += name.length + text.length + 128;
  return bytes;
}

/** Tells apart the tokens that no key of ours signed, for whoever reads the events. */
function rejectHeader(header: string): Rejection {
  const parameters = parse(decode(header));
  if (!isObject(parameters)) return "malformed";
  const { alg, typ, kid, ...others } = parameters;
  const isOurs = alg === "HS256" && typ === "session+jwt" && Object.keys(others).length === 0;
  return isOurs && typeof kid === "string" ? "unknown-key" : "wrong-purpose";
}

/** The claims as JSON, in their fixed order (design: registered ones first, then ours). */
function writeClaims(signed: Snapshot, audience: string, data: string): string {
  const { id, startedAt, endsAt, version, entries, subject } = signed;
  const claims = JSON.stringify({
    aud: audience,
    sid: id,
    iat: startedAt,
    exp: endsAt,
    ver: version,
    sub: subject?.name,
    gen: subject?.generation,
    permanent: entries.has(PERMANENT) || undefined,
  });
  const flashes = entries.get(FLASHES);
  const members = flashes === undefined ? "" : `"flashes":${flashes},`;
  return `${claims.slice(0, -1)},${members}"data":${data}}`;
}

/** The user's values as a JSON object; deflated to a string where that is shorter. */
function writeData(entries: Entries): MaybePromise<string> {
  const texts: string[] = [];
  for (const [name, text] of entries) {
    const key = keyOf(name);
    if (key !== undefined) texts.push(`${JSON.stringify(key)}:${text}`);
  }
  const json = `{${texts.join(",")}}`;
  return json.length < DEFLATE_FROM ? json : deflateWhereShorter(json);
}

async function deflateWhereShorter(json: string): Promise<string> {
  const bytes = encoder.encode(json);
  if (bytes.length > INFLATED_LIMIT) return json;
  const deflated = `"${base64url.encode(await deflate(bytes))}"`;
  return deflated.length < bytes.length ? deflated : json;
}

/** What a verified payload says; each claim is required to have its type and to be finite. */
async function readClaims(payload: string, audience: string): Promise<Snapshot | Rejection> {
  const claims = parse(decode(payload));
  if (!isObject(claims)) return "malformed";
  const { aud, sid, iat, exp, ver, sub, gen, permanent, flashes, data } = claims;
  if (aud !== audience) return "wrong-purpose";
  if (typeof sid !== "string" || !ID.test(sid)) return "malformed";
  if (!isTime(iat) || !isTime(exp) || !isTime(ver)) return "malformed";
  const values = typeof data === "string" ? await inflateData(data) : data;
  if (!isObject(values)) return "malformed";
  const entries = new Map<string, string>();
  for (const [key, value] of Object.entries(values)) {
    entries.set(nameOf(key), JSON.stringify(value));
  }
  if (isList(flashes)) entries.set(FLASHES, JSON.stringify(flashes));
  if (permanent === true) entries.set(PERMANENT, "true");
  if (typeof sub === "string") {
    const generation = typeof gen === "string" ? gen : undefined;
    const subject = { name: sub, key: await subjectKey(sub), generation, since: iat };
    entries.set(SUBJECT, subjectEntry(subject));
  }
  return snapshot({ id: sid, startedAt: iat, endsAt: exp, version: ver }, entries);
}

async function inflateData(data: string): Promise<unknown> {
  try {
    const bytes = await inflate(decode(data), INFLATED_LIMIT);
    return bytes === undefined ? undefined : parse(bytes);
  } catch {
    return undefined;
  }
}

function decode(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(base64url.decode(text));
}

/** What the bytes of JSON stand for; undefined where they are none. */
function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    return undefined;
  }
}

/** The store's key of a subject: its hash, since the name may be personal and of any length. */
export async function subjectKey(subject: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", encoder.encode(subject));
  return `sub:${base64url.encode(new Uint8Array(hash))}`;
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !isList(value);
}
