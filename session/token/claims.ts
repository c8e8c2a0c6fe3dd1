import { base64url } from "jose";
import { type Flash, type Login, NOTHING, type State } from "../state.ts";
import { deflate, inflate } from "./deflate.ts";

/** Shorter data hardly gets shorter, and deflating costs half a signature. */
const DEFLATE_FROM = 128;
/** The most bytes that deflated data may stand for: a small cookie can't become a large object. */
const INFLATED_LIMIT = 64 * 1024;
/** 128 bits in base64url. */
const ID = /^[\w-]{21}[AQgw]$/;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The claims as JSON, in a fixed order: registered claims, ours, unknown ones, and `data`. `data` is
 * JSON, from `writeData`; undefined leaves the claim out.
 */
export function writeClaims(state: State, audience: string, data: string | undefined): string {
  const { id, version, issuedAt, expiresAt, endsAt, login } = state;
  const { permanent, flashes, unknown } = state;
  const claims = JSON.stringify({
    aud: audience,
    sid: id,
    iat: issuedAt,
    exp: expiresAt,
    max: endsAt,
    ver: version,
    sub: login?.subject,
    gen: login?.generation,
    auth_time: login?.authenticatedAt,
    amr: login?.methods,
    permanent: permanent || undefined,
    flashes: flashes.length === 0 ? undefined : flashes.map(toPair),
    ...unknown,
  });
  return data === undefined ? claims : `${claims.slice(0, -1)},"data":${data}}`;
}

function toPair({ category, message }: Flash): readonly [category: string, message: string] {
  return [category, message];
}

/** The user's values as a JSON object. */
export function writeData(data: State["data"]): string {
  const members = Array.from(data, ([key, text]) => `${JSON.stringify(key)}:${text}`);
  return `{${members.join(",")}}`;
}

/** A JSON object as the `data` claim: itself, or its raw deflate in base64url if that is shorter. */
export async function shortenData(json: string): Promise<string> {
  if (json.length < DEFLATE_FROM) return json;
  const bytes = encoder.encode(json);
  if (bytes.length > INFLATED_LIMIT) return json;
  const deflated = `"${base64url.encode(await deflate(bytes))}"`;
  return deflated.length < bytes.length ? deflated : json;
}

/**
 * The state that claims stand for; undefined if a claim is missing or of another type. The state has
 * the data if the `data` claim is an object. A string is deflated data; undefined leaves the data to
 * the store. `generationKey` is the store's key of the subject's generation.
 */
export function readClaims(
  json: Readonly<Record<string, unknown>>,
  generationKey: string,
): { readonly state: State; readonly data: unknown } | undefined {
  const { aud: _, sid, iat, exp, max, ver, sub, gen, auth_time, amr, ...others } = json;
  const { permanent, flashes, data, ...unknown } = others;
  if (typeof sid !== "string" || !ID.test(sid)) return undefined;
  if (!isTime(iat) || !isTime(exp) || !isTime(max) || !isTime(ver)) return undefined;
  const login = readLogin({ sub, gen, auth_time, amr }, generationKey);
  const waiting = flashes === undefined ? NOTHING.flashes : readFlashes(flashes);
  if (login === "malformed" || waiting === undefined) return undefined;
  const state: State = {
    id: sid,
    version: ver,
    issuedAt: iat,
    expiresAt: exp,
    endsAt: max,
    login,
    data: isObject(data) ? readData(data) : NOTHING.data,
    flashes: waiting,
    permanent: permanent === true,
    unknown,
  };
  return { state, data };
}

function readLogin(
  claims: Readonly<Record<"sub" | "gen" | "auth_time" | "amr", unknown>>,
  key: string,
): Login | undefined | "malformed" {
  const { sub: subject, gen: generation, auth_time: authenticatedAt, amr: methods } = claims;
  if (subject === undefined) return undefined;
  if (typeof subject !== "string") return "malformed";
  if (authenticatedAt !== undefined && !isTime(authenticatedAt)) return "malformed";
  if (generation !== undefined && typeof generation !== "string") return "malformed";
  if (methods !== undefined && !isTexts(methods)) return "malformed";
  return { subject, key, generation, authenticatedAt, methods };
}

function isTexts(value: unknown): value is readonly string[] {
  return isList(value) && value.every((item) => typeof item === "string");
}

function readFlashes(flashes: unknown): readonly Flash[] | undefined {
  if (!isList(flashes)) return undefined;
  const read = flashes.map((pair) => {
    const [category, message] = isList(pair) ? pair : [];
    return typeof category === "string" && typeof message === "string"
      ? { category, message }
      : undefined;
  });
  return read.every((flash) => flash !== undefined) ? read : undefined;
}

function readData(data: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  return new Map(Object.entries(data).map(([key, value]) => [key, JSON.stringify(value)]));
}

/** The values of a deflated `data` claim; undefined if it is malformed or too large. */
export async function readDeflated(data: string): Promise<State["data"] | undefined> {
  try {
    const bytes = await inflate(fromBase64url(data), INFLATED_LIMIT);
    const values = bytes === undefined ? undefined : parse(bytes);
    return isObject(values) ? readData(values) : undefined;
  } catch {
    return undefined;
  }
}

/** The bytes of base64url. */
export function fromBase64url(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(base64url.decode(text));
}

/** The value of JSON, given as text or in UTF-8; undefined for anything else. */
export function parse(json: string | Uint8Array): unknown {
  try {
    return JSON.parse(typeof json === "string" ? json : decoder.decode(json));
  } catch {
    return undefined;
  }
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** Whether the value is a JSON object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !isList(value);
}
