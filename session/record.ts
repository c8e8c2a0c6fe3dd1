/**
 * What the store keeps, as text. Each value begins with its own key, so that an answer about another
 * key is noticed; then come its kind and a number.
 *
 * | value        | text                                                                          |
 * |--------------|-------------------------------------------------------------------------------|
 * | a record     | `ID record VERSION CLAIMS`: a session's newest state; the claims as in a token |
 * | a mark       | `ID ended MILLISECONDS RANDOM`: the session ended then                        |
 * | a moved mark | `ID moved MILLISECONDS ID`: it goes on under the second id                    |
 * | a generation | `KEY generation MILLISECONDS RANDOM`: sessions of another one ended then      |
 *
 * Another system's session has a mark as well, under the key of its credential: it moved to ours.
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
      /** Whether the store has something under its id. */
      readonly hasRecord: boolean;
    }
  | {
      readonly kind: "ended";
      readonly token: VerifiedToken;
      /** When, in milliseconds; undefined where the store does not say. */
      readonly at: number | undefined;
      /** The id that the session moved to. */
      readonly next: string | undefined;
      /** Whether its own id has a mark. */
      readonly hasMark: boolean;
    };

/** A cookie whose session goes on. */
export type Live = Extract<Found, { kind: "live" }>;

/** What a text says: a record's version or a time, and the claims, the id or the random part. */
interface Text {
  readonly kind: string;
  readonly at: number;
  readonly body: string;
}

/** The most bytes that a record may take. */
const RECORD_LIMIT = 1024 * 1024;

const TEXT = /^(record|ended|moved|generation) (\d+(?:\.\d+)?) (?=\{|[\w-]{22}$)/;

const encoder = new TextEncoder();

/**
 * The text of a session's newest state. It is never a token: whoever reads it can sign nothing. Throws
 * `SessionTooLargeError` above 1 MiB.
 */
export function writeRecord(state: State, audience: string): string {
  const claims = writeClaims(state, audience, writeData(state.data));
  const text = `${state.id} record ${state.version} ${claims}`;
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
  return `${key} generation ${at} ${generation}`;
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
  const { id, login } = state;
  const own = text === undefined ? undefined : readText(id, text);
  if (own !== undefined && own.kind !== "record") {
    return { kind: "ended", token, ...readMark(own), hasMark: true };
  }
  const present = login === undefined ? undefined : readGeneration(login.key, generation);
  const at = present?.at;
  const ended: Found = { kind: "ended", token, at, next: undefined, hasMark: false };
  if (present !== undefined && present.generation !== login?.generation) return ended;
  const live: Live = { kind: "live", token, state, isNewer: false, hasRecord: own !== undefined };
  if (own === undefined) return hasData ? live : ended;
  // In the common case only the version is read.
  const version = own.at;
  if (version > state.version) return { ...live, state: readState(state, own), isNewer: true };
  if (hasData) return live;
  // A cookie without its data that is newer than the record: the store went back.
  if (version < state.version) return ended;
  return { ...live, state: { ...state, data: readState(state, own).data } };
}

/** When a session ended, and the id that it moved to. */
export interface Mark {
  readonly at: number;
  readonly next: string | undefined;
}

/** The mark under an id; undefined where there is none. Throws `SessionStoreError` for other text. */
export function findMark(id: string, text: string | undefined): Mark | undefined {
  const own = text === undefined ? undefined : readText(id, text);
  return own === undefined || own.kind === "record" ? undefined : readMark(own);
}

function readMark({ kind, at, body }: Text): Mark {
  if (kind === "ended") return { at, next: undefined };
  return kind === "moved" ? { at, next: body } : failForeign();
}

/** Reads a generation. Throws `SessionStoreError` for anything else. */
export function readGeneration(
  key: string,
  text: string | undefined,
): { readonly generation: string; readonly at: number } | undefined {
  if (text === undefined) return undefined;
  const { kind, at, body } = readText(key, text);
  return kind === "generation" ? { generation: body, at } : failForeign();
}

/**
 * Reads a record whole. Its login is the cookie's, since an id has one subject for all its life: so
 * whoever can write the store signs nobody in.
 */
function readState(cookie: State, { body }: Text): State {
  const json: unknown = parse(body);
  const claims = isObject(json) ? readClaims(json, "") : undefined;
  const isOurs = claims !== undefined && claims.state.id === cookie.id && isObject(claims.data);
  return isOurs ? { ...claims.state, login: cookie.login } : failForeign();
}

function readText(key: string, text: string): Text {
  if (!text.startsWith(key) || text[key.length] !== " ") {
    throw new SessionStoreError("it answered about another session");
  }
  const rest = text.slice(key.length + 1);
  const [start = "", kind, at] = TEXT.exec(rest) ?? [];
  const body = rest.slice(start.length);
  const isOurs = kind !== undefined && (kind === "record") === body.startsWith("{");
  return isOurs ? { kind, at: Number(at), body } : failForeign();
}

function failForeign(): never {
  throw new SessionStoreError("it gave a record that is not one of ours");
}
