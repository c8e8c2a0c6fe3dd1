/**
 * The list of a subject's sessions, as the store keeps it under `list:` and the subject's hash. Like
 * the other texts of the store (`record.ts`) it begins with its own key:
 *
 *     KEY list {"REF":["REST OF THE ID",STARTED,SEEN,EXPIRES,ENDS,GENERATION,LABEL], …}
 *
 * Times are in seconds. The generation is null before the first `endAll`; the label may be missing.
 * The list may have a session that has ended or never began, but it never lacks a live one.
 *
 * @module
 */

import { SessionStoreError } from "./errors.ts";
import { refOf } from "./state.ts";
import { isObject, parse } from "./token/claims.ts";

/** A session in the list. */
export interface Listed {
  readonly id: string;
  /** In seconds, as the other times. */
  readonly startedAt: number;
  /** When its newest cookie was signed. */
  readonly seenAt: number;
  /** When the newest cookie ends. */
  readonly expiresAt: number;
  /** When the session ends at the latest. */
  readonly endsAt: number;
  /** The generation of its subject that it belongs to. */
  readonly generation: string | undefined;
  /** The label given to `signIn`. */
  readonly label: string | undefined;
}

/** The most sessions that a subject may have at once. */
export const LIST_LIMIT = 100;

/** The text of a list. */
export function writeList(key: string, sessions: readonly Listed[]): string {
  const members = sessions.map(
    ({ id, startedAt, seenAt, expiresAt, endsAt, generation = null, label }) => {
      const rest = id.slice(refOf(id).length);
      const values = [rest, startedAt, seenAt, expiresAt, endsAt, generation];
      return [refOf(id), label === undefined ? values : [...values, label]];
    },
  );
  return `${key} list ${JSON.stringify(Object.fromEntries(members))}`;
}

/** The sessions of a list, in the order in which they were added. Throws `SessionStoreError`. */
export function readList(key: string, text: string | undefined): readonly Listed[] {
  if (text === undefined) return [];
  const start = `${key} list `;
  const json = text.startsWith(start) ? parse(text.slice(start.length)) : undefined;
  if (!isObject(json)) return failUnreadable();
  return Object.entries(json).map(([ref, values]) => readListed(ref, values) ?? failUnreadable());
}

function readListed(ref: string, values: unknown): Listed | undefined {
  const list: readonly unknown[] = Array.isArray(values) ? values : [];
  const [rest, startedAt, seenAt, expiresAt, endsAt, generation, label] = list;
  if (typeof rest !== "string" || !ID.test(ref + rest) || refOf(ref + rest) !== ref)
    return undefined;
  if (!isTime(startedAt) || !isTime(seenAt) || !isTime(expiresAt) || !isTime(endsAt)) {
    return undefined;
  }
  if (generation !== null && typeof generation !== "string") return undefined;
  if (label !== undefined && typeof label !== "string") return undefined;
  const times = { startedAt, seenAt, expiresAt, endsAt };
  return { id: ref + rest, ...times, generation: generation ?? undefined, label };
}

const ID = /^[\w-]{22}$/;

function isTime(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= LATEST;
}

/** The last second that a `Date` can express. */
const LATEST = 8.64e12;

function failUnreadable(): never {
  throw new SessionStoreError("it returned a list of sessions that is not one of ours");
}

/** The list with this session: in its old place, or at the end. */
export function put(sessions: readonly Listed[], session: Listed): readonly Listed[] {
  const at = sessions.findIndex(({ id }) => id === session.id);
  return at === -1 ? [...sessions, session] : sessions.with(at, session);
}

/** The sessions above the limit: the oldest, but never the one whose id is `own`. */
export function excessOf(sessions: readonly Listed[], own: string | undefined): readonly Listed[] {
  const count = Math.max(0, sessions.length - LIST_LIMIT);
  return sessions
    .filter(({ id }) => id !== own)
    .toSorted((one, other) => one.startedAt - other.startedAt)
    .slice(0, count);
}

/** When the last of these sessions expires, in seconds. */
export function lastEnd(sessions: readonly Listed[]): number {
  return sessions.reduce((last, { expiresAt }) => Math.max(last, expiresAt), 0);
}
