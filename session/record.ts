/**
 * What the store keeps, as text. Each value begins with its own key, so that an answer about another
 * key is noticed; then come its kind and a number.
 *
 * | value        | text                                                                     |
 * |--------------|--------------------------------------------------------------------------|
 * | a record     | `ID record VERSION CLAIMS`: a session's newest state                     |
 * | a mark       | `ID ended MILLISECONDS RANDOM`: the session ended then                   |
 * | a moved mark | `ID moved MILLISECONDS ID`: it continues under the second id             |
 * | a generation | `KEY generation MILLISECONDS RANDOM`: sessions of another one ended then |
 *
 * The claims are as in a token: JSON, or a JWE of it where tokens are encrypted.
 *
 * Another system's session has a mark as well, under the key of its credential: it moved to ours.
 *
 * @module
 */

import { SessionStoreError, SessionTooLargeError } from "./errors.ts";
import { chain, type MaybePromise } from "./maybe.ts";
import type { State } from "./state.ts";
import { isObject, parse, readClaims } from "./token/claims.ts";
import type { Tokens, VerifiedToken } from "./token/token.ts";

/** A cookie whose session has not ended. */
export interface Live {
  readonly kind: "live";
  readonly token: VerifiedToken;
  /** The session's newest state: the cookie's or the record's. */
  readonly state: State;
  /** Whether that is the record's. */
  readonly isNewer: boolean;
  /** Whether the store has something under its id. */
  readonly hasRecord: boolean;
}

/** A cookie, and what the store says of its session. */
export type Found =
  | Live
  | {
      readonly kind: "ended";
      readonly token: VerifiedToken;
      /** When, in milliseconds; undefined if the store does not say. */
      readonly at: number | undefined;
      /** The id that the session moved to. */
      readonly next: string | undefined;
      /** Whether its own id has a mark. */
      readonly hasMark: boolean;
    };

/** A value of the store, taken apart. */
interface Entry {
  readonly kind: string;
  /** When it was made, in milliseconds; a record's version. */
  readonly at: number;
  /** A record's claims, the id that a session moved to, or the random part. */
  readonly body: string;
  /** The id that a session moved to. */
  readonly next: string | undefined;
}

/** The most bytes that a record may take. */
const RECORD_LIMIT = 1024 * 1024;

const ENTRY = /^(record|ended|moved|generation) (\d+(?:\.\d+)?) (?=\{|[\w-]+\.\.|[\w-]{22}$)/;

const encoder = new TextEncoder();

/**
 * The text of a session's newest state, with its claims as the store keeps them: JSON, or a JWE of it. It
 * is never a token, so a reader of the store can't make a cookie from it. Throws `SessionTooLargeError`
 * above 1 MiB.
 */
export function writeRecord({ id, version, data }: State, claims: string): string {
  const text = `${id} record ${version} ${claims}`;
  const bytes = encoder.encode(text).length;
  if (bytes <= RECORD_LIMIT) return text;
  throw new SessionTooLargeError("record", bytes, RECORD_LIMIT, data);
}

/**
 * The text that says that a session ended, or moved to the id `other`. `other` is random in either
 * case, so that a commit can tell its own mark from another one of the same millisecond.
 */
export function writeMark(id: string, how: "ended" | "moved", at: number, other: string): string {
  return `${id} ${how} ${at} ${other}`;
}

/** Whether a text of `writeMark` says that a session of ours ended. */
export function isEnd(text: string): boolean {
  return /^[\w-]+ ended /.test(text);
}

/** The text of a subject's generation, and when it began. */
export function writeGeneration(key: string, generation: string, at: number): string {
  return `${key} generation ${at} ${generation}`;
}

/**
 * What the store's texts say of a cookie: the newer of cookie and record is the session. Throws, or
 * rejects where a record is encrypted, with `SessionStoreError` for a text that is not one of ours.
 *
 * @param text what the store has under the session's id.
 * @param generation what the store has under the subject's key.
 * @param reveal decrypts a record's claims. By default encrypted ones are not ours.
 */
export function find(
  token: VerifiedToken,
  text: string | undefined,
  generation: string | undefined,
  reveal: Tokens["reveal"] = failUnreadable,
): MaybePromise<Found> {
  const { state, hasData } = token;
  const { id, login } = state;
  const own = readEntry(id, text);
  if (own !== undefined && own.kind !== "record") {
    return { kind: "ended", token, at: own.at, next: own.next, hasMark: true };
  }
  const present = login === undefined ? undefined : readEntry(login.key, generation);
  const at = present?.at;
  const ended: Found = { kind: "ended", token, at, next: undefined, hasMark: false };
  if (present !== undefined && present.body !== login?.generation) return ended;
  const live: Live = { kind: "live", token, state, isNewer: false, hasRecord: own !== undefined };
  if (own === undefined) return hasData ? live : ended;
  // In the common case only the version is read.
  const isNewer = own.at > state.version;
  if (hasData && !isNewer) return live;
  // A cookie without data is newer than the record: the store lost the newest one.
  if (own.at < state.version) return ended;
  return chain(readState(state, own, reveal), (record): Found => {
    return { ...live, isNewer, state: isNewer ? record : { ...state, data: record.data } };
  });
}

/** The mark under an id, if there is one. Throws `SessionStoreError` for a text that is not ours. */
export function findMark(id: string, text: string | undefined): Entry | undefined {
  const own = readEntry(id, text);
  return own?.kind === "record" ? undefined : own;
}

/** A subject's generation, if it has one. Throws `SessionStoreError` for a text that is not ours. */
export function readGeneration(key: string, text: string | undefined): string | undefined {
  return readEntry(key, text)?.body;
}

/**
 * Reads a record whole. Its login is the cookie's, since an id has one subject for all its life: so
 * writing to the store signs nobody in.
 */
function readState(
  cookie: State,
  { at, body }: Entry,
  reveal: Tokens["reveal"],
): MaybePromise<State> {
  // JSON begins with a brace, and a JWE never does.
  return chain(body.startsWith("{") ? body : reveal(body), (json) => {
    const members = parse(json ?? "");
    const claims = isObject(members) ? readClaims(members, "") : undefined;
    const isOurs = claims !== undefined && claims.state.id === cookie.id && isObject(claims.data);
    // An encrypted record can't be given another version.
    const isWhole = isOurs && claims.state.version === at;
    return isWhole ? { ...claims.state, login: cookie.login } : failUnreadable();
  });
}

function readEntry(key: string, text: string | undefined): Entry | undefined {
  if (text === undefined) return undefined;
  if (!text.startsWith(key) || text[key.length] !== " ") {
    throw new SessionStoreError("it returned the value of another key");
  }
  const rest = text.slice(key.length + 1);
  const [start = "", kind, at] = ENTRY.exec(rest) ?? [];
  const body = rest.slice(start.length);
  const isOurs =
    kind !== undefined &&
    (kind === "record") === /^\{|\./.test(body) &&
    (kind === "generation") === key.startsWith("sub:");
  const next = kind === "moved" ? body : undefined;
  return isOurs ? { kind, at: Number(at), body, next } : failUnreadable();
}

function failUnreadable(): never {
  throw new SessionStoreError("it returned a value that is not one of ours");
}
