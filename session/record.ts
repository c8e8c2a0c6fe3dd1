/**
 * What the store keeps, as text. Each value begins with its own key, so that an answer about another
 * key is noticed.
 *
 * | value        | text                                                                        |
 * |--------------|-----------------------------------------------------------------------------|
 * | a record     | `ID VERSION CLAIMS`: a session's newest state; the claims as in a token     |
 * | a mark       | `ID ended MILLISECONDS RANDOM`: the session ended then                      |
 * | a moved mark | `ID moved MILLISECONDS ID`: it goes on under the second id                  |
 * | a generation | `KEY RANDOM MILLISECONDS`: sessions of another generation ended then        |
 * | an adoption  | `KEY MILLISECONDS`: another system's session was adopted then; 0 once over  |
 *
 * @module
 */

import { SessionStoreError, SessionTooLargeError } from "./errors.ts";
import type { State } from "./state.ts";
import { isObject, parse, readClaims, writeClaims, writeData } from "./token/claims.ts";
import type { VerifiedToken } from "./token/token.ts";

/** A cookie, and what the store says of its session. */
export type Found =
  | {
      readonly kind: "live";
      readonly token: VerifiedToken;
      /** The session's newest state: the cookie's or the record's. */
      readonly state: State;
      /** Whether that is the record's. */
      readonly isNewer: boolean;
      /** The record's text; undefined where there is none. */
      readonly text: string | undefined;
    }
  | {
      readonly kind: "ended";
      readonly token: VerifiedToken;
      /** When, in milliseconds; undefined where the store does not say. */
      readonly at: number | undefined;
      /** The id that the session moved to. */
      readonly next: string | undefined;
      /** Whether its own id has a mark, and what else the store has under it. */
      readonly hasMark: boolean;
      readonly text: string | undefined;
    };

/** A cookie whose session goes on. */
export type Live = Extract<Found, { kind: "live" }>;

/** The most bytes that a record may take. */
const RECORD_LIMIT = 1024 * 1024;

const VERSION = /^(\d+(?:\.\d+)?) \{/;
const GENERATION = /^([\w-]{22}) (\d+)$/;
const ADOPTION = /^\d+$/;
const MARK = /^(ended|moved) (\d+) ([\w-]{22})$/;

const encoder = new TextEncoder();

/**
 * The text of a session's newest state. It is never a token: whoever reads it can sign nothing. Throws
 * `SessionTooLargeError` above 1 MiB.
 */
export function writeRecord(state: State, audience: string): string {
  const claims = writeClaims(state, audience, writeData(state.data));
  const text = `${state.id} ${state.version} ${claims}`;
  const bytes = encoder.encode(text).length;
  if (bytes <= RECORD_LIMIT) return text;
  throw new SessionTooLargeError("record", bytes, RECORD_LIMIT, state.data);
}

/**
 * The text that says that a session ended, or moved to `other`. That is random in either case, so that
 * a commit knows its own mark from another one of the same millisecond.
 */
export function writeMark(id: string, how: "ended" | "moved", at: number, other: string): string {
  return `${id} ${how} ${at} ${other}`;
}

/** The text of a subject's generation, and since when it has that. */
export function writeGeneration(key: string, generation: string, at: number): string {
  return `${key} ${generation} ${at}`;
}

/** The text that says when another system's session was adopted. 0 for one that never is again. */
export function writeAdoption(key: string, at: number): string {
  return `${key} ${at}`;
}

/**
 * What the store's texts say of a cookie: the newer of cookie and record is the session. Throws
 * `SessionStoreError` for a text that is not one of ours.
 *
 * @param text what the store has under the session's id.
 * @param generation what it has under the subject's key.
 */
export function find(
  token: VerifiedToken,
  text: string | undefined,
  generation: string | undefined,
): Found {
  const { state, hasData } = token;
  const mark = text === undefined ? undefined : readMark(state.id, text);
  if (mark !== undefined) return { kind: "ended", token, ...mark, hasMark: true, text };
  const { login } = state;
  const present = login === undefined ? undefined : readGeneration(login.key, generation);
  const at = present?.at;
  const ended: Found = { kind: "ended", token, at, next: undefined, hasMark: false, text };
  if (present !== undefined && present.generation !== login?.generation) return ended;
  const live: Live = { kind: "live", token, state, isNewer: false, text };
  if (text === undefined) return hasData ? live : ended;
  // In the common case only the version is read.
  const version = readVersion(state.id, text);
  if (version > state.version) return { ...live, state: readState(state, text), isNewer: true };
  if (hasData) return live;
  // A cookie without its data that is newer than the record: the store went back.
  if (version < state.version) return ended;
  return { ...live, state: { ...state, data: readState(state, text).data } };
}

/** Reads a mark; undefined for a record. Throws `SessionStoreError` for another key. */
export function readMark(
  id: string,
  text: string,
): { readonly at: number; readonly next: string | undefined } | undefined {
  const [, how, at, other] = MARK.exec(withoutKey(id, text)) ?? [];
  if (at === undefined) return undefined;
  return { at: Number(at), next: how === "moved" ? other : undefined };
}

/** Reads a generation. Throws `SessionStoreError` for anything else. */
export function readGeneration(
  key: string,
  text: string | undefined,
): { readonly generation: string; readonly at: number } | undefined {
  if (text === undefined) return undefined;
  const [, generation, at] = GENERATION.exec(withoutKey(key, text)) ?? [];
  return generation === undefined ? failForeign() : { generation, at: Number(at) };
}

/** Reads an adoption. Throws `SessionStoreError` for anything else. */
export function readAdoption(key: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const at = withoutKey(key, text);
  return ADOPTION.test(at) ? Number(at) : failForeign();
}

/** Reads a record's version, or when its mark was made. Throws `SessionStoreError` for another key. */
export function readVersion(id: string, text: string): number {
  const mark = readMark(id, text);
  if (mark !== undefined) return mark.at;
  const [, version] = VERSION.exec(withoutKey(id, text)) ?? [];
  return version === undefined ? failForeign() : Number(version);
}

/**
 * Reads a record whole. Its login is the cookie's, since an id has one subject for all its life: so
 * whoever can write the store signs nobody in.
 */
function readState(cookie: State, text: string): State {
  const json: unknown = parse(text.slice(text.indexOf("{")));
  const claims = isObject(json) ? readClaims(json, "") : undefined;
  const isOurs = claims !== undefined && claims.state.id === cookie.id && isObject(claims.data);
  return isOurs ? { ...claims.state, login: cookie.login } : failForeign();
}

function withoutKey(key: string, text: string): string {
  if (text.startsWith(key) && text[key.length] === " ") return text.slice(key.length + 1);
  throw new SessionStoreError("it answered about another session");
}

function failForeign(): never {
  throw new SessionStoreError("it gave a record that is not one of ours");
}
