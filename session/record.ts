import { type Entries, isList, type Snapshot, snapshot } from "./entries.ts";
import { SessionStoreError } from "./errors.ts";

/** A value with the version that wrote it. */
interface Written {
  readonly version: number;
  readonly text: string;
}

/** What the store knows of a session that goes on. */
export interface LiveRecord {
  /** The version of the last write. */
  readonly version: number;
  /** Removed names, with the version that removed each. */
  readonly gone: ReadonlyMap<string, number>;
  /** Names written lately; with `dataIn: "store"` all of them. */
  readonly set: ReadonlyMap<string, Written>;
  /** The last version that was written beside another, so that two cookies may be on their way. */
  readonly raced: number | undefined;
  /** Cookies of older versions are over: there were too many removals to name each. */
  readonly floor: number | undefined;
}

/** What the store knows of an id that is no more: logged out, or moved to a new one. */
export interface EndedRecord {
  readonly version: number;
  readonly end: "over" | "moved";
}

export type SessionRecord = LiveRecord | EndedRecord;

/** Where the data lives: in the cookie itself, or in the store with the cookie holding the id. */
export type DataIn = "cookie" | "store";

/** How long responses and requests of one session may be on their way, in seconds. */
export const WINDOW = 60;
/** How many removed names a record tells apart. */
const GONE_LIMIT = 128;
/** What a record says of a cookie. */
export type Reading =
  | {
      readonly end: "over" | "moved";
      readonly since: number;
      /** A live one where this cookie is over, and others of the session may not be. */
      readonly record: SessionRecord | undefined;
    }
  | {
      readonly end: undefined;
      /** The session now: the very snapshot of the cookie where the record has nothing newer. */
      readonly present: Snapshot;
      readonly record: LiveRecord | undefined;
    };

/** Whether the cookie's session goes on, and as what. */
export function readRecord(
  cookie: Snapshot,
  record: SessionRecord | undefined,
  dataIn: DataIn,
): Reading {
  if (record === undefined) {
    return dataIn === "store"
      ? { end: "over", since: 0, record }
      : { end: undefined, present: cookie, record };
  }
  if ("end" in record) return { end: record.end, since: record.version, record };
  if (record.floor !== undefined && cookie.version < record.floor) {
    return { end: "over", since: record.floor, record };
  }
  return { end: undefined, present: merge(cookie, record, dataIn), record };
}

/**
 * The session as its cookie and its record say together: the cookie's entries less each that was
 * removed after it was signed, with each that was set after it.
 */
function merge(cookie: Snapshot, record: LiveRecord, dataIn: DataIn): Snapshot {
  if (dataIn === "store") {
    return snapshot(cookie, new Map(Array.from(record.set, ([name, { text }]) => [name, text])));
  }
  if (record.version <= cookie.version) return cookie;
  const entries = new Map(cookie.entries);
  let isStale = false;
  for (const [name, version] of record.gone) {
    if (version > cookie.version && entries.delete(name)) isStale = true;
  }
  for (const [name, { version, text }] of record.set) {
    if (version <= cookie.version) continue;
    entries.set(name, text);
    isStale = true;
  }
  return isStale ? snapshot(cookie, entries) : cookie;
}

/** A version above every other: unique while clocks differ by less than the window. */
export function nextVersion(
  now: number,
  cookie: Snapshot,
  record: SessionRecord | undefined,
): number {
  return Math.max(now, cookie.version + 1, (record?.version ?? 0) + 1);
}

/** What `nextRecord` looks at. */
export interface Write {
  readonly previous: LiveRecord | undefined;
  /** The entries before and after the write. */
  readonly present: Entries;
  readonly entries: Entries;
  /** What the request removed: it may have seen names that the present no longer shows. */
  readonly removed: ReadonlySet<string>;
  readonly version: number;
  /** Whether another write came between this request's cookie and this one. */
  readonly isRaced: boolean;
  /** No cookie is older than this many seconds. */
  readonly long: number;
  readonly dataIn: DataIn;
}

/** The record after a write: a removed name leaves `set` for `gone`, a set name keeps its `gone`. */
export function nextRecord(write: Write): LiveRecord {
  const { previous, present, entries, removed, version, isRaced, dataIn } = write;
  const oldest = version - write.long * 1000;
  if (dataIn === "store") return wholeRecord(write);
  const gone = new Map(previous?.gone);
  const set = new Map(previous?.set);
  for (const name of [...present.keys(), ...removed]) {
    if (entries.has(name)) continue;
    gone.set(name, version);
    set.delete(name);
  }
  for (const [name, text] of entries) {
    if (present.get(name) !== text) set.set(name, { version, text });
  }
  for (const [name, at] of gone) if (at < oldest) gone.delete(name);
  for (const [name, written] of set) if (written.version < oldest) set.delete(name);
  const raced = isRaced ? version : previous?.raced;
  const record = { version, gone, set, floor: previous?.floor };
  return limitGone({ ...record, raced: raced !== undefined && raced < oldest ? undefined : raced });
}

/** With `dataIn: "store"` no copy of the data is about that could bring anything back. */
function wholeRecord({ present, previous, entries, version }: Write): LiveRecord {
  const set = new Map<string, Written>();
  for (const [name, text] of entries) {
    const written = previous?.set.get(name);
    const isUnchanged = written !== undefined && present.get(name) === text;
    set.set(name, isUnchanged ? written : { version, text });
  }
  return { version, gone: new Map(), set, raced: undefined, floor: undefined };
}

function limitGone(record: LiveRecord): LiveRecord {
  if (record.gone.size <= GONE_LIMIT) return record;
  return { ...record, gone: new Map(), floor: Math.max(...record.gone.values()) };
}

/** How long the record has to live, in seconds: as any cookie that it could contradict. */
export function timeToLive(record: SessionRecord, long: number, dataIn: DataIn): number {
  if ("end" in record || dataIn === "store") return long;
  const isLong = record.gone.size > 0 || record.raced !== undefined || record.floor !== undefined;
  return isLong ? long : WINDOW;
}

/** A value's text: it begins with its own key, so that an answer about another key is noticed. */
export function formatValue(key: string, json: string): string {
  return `${key} ${json}`;
}

/** The JSON text behind the key. Throws `SessionStoreError` where the answer is about another key. */
export function parseValue(key: string, value: string): string {
  if (!value.startsWith(`${key} `)) {
    throw new SessionStoreError("it answered about another session");
  }
  return value.slice(key.length + 1);
}

/** The record's text in the store. */
export function formatRecord(id: string, record: SessionRecord): string {
  if ("end" in record) return formatValue(id, `{"v":${record.version},"end":"${record.end}"}`);
  const set = Array.from(
    record.set,
    ([name, { version, text }]) => `${JSON.stringify(name)}:[${version},${text}]`,
  );
  const gone = JSON.stringify(Object.fromEntries(record.gone));
  const raced = record.raced === undefined ? "" : `,"raced":${record.raced}`;
  const floor = record.floor === undefined ? "" : `,"floor":${record.floor}`;
  return formatValue(
    id,
    `{"v":${record.version},"gone":${gone},"set":{${set.join(",")}}${raced}${floor}}`,
  );
}

/** Reads what `formatRecord` wrote. Throws `SessionStoreError` for anything else. */
export function parseRecord(id: string, value: string | undefined): SessionRecord | undefined {
  if (value === undefined) return undefined;
  const json = parseValue(id, value);
  try {
    const { v, end, gone, set, raced, floor } = members(JSON.parse(json));
    const version = number(v);
    if (end === "over" || end === "moved") return { version, end };
    return {
      version,
      gone: new Map(Object.entries(members(gone)).map(([name, at]) => [name, number(at)])),
      set: new Map(Object.entries(members(set)).map(([name, pair]) => [name, written(pair)])),
      raced: raced === undefined ? undefined : number(raced),
      floor: floor === undefined ? undefined : number(floor),
    };
  } catch (cause) {
    throw new SessionStoreError("its record is not one of ours", { cause });
  }
}

function members(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || isList(value)) {
    throw new TypeError("Cannot read a record: it is no object");
  }
  return { ...value };
}

function number(value: unknown): number {
  if (typeof value !== "number") throw new TypeError("Cannot read a version: it is no number");
  return value;
}

function written(value: unknown): Written {
  if (!isList(value) || value.length !== 2) {
    throw new TypeError("Cannot read an entry: it is no pair");
  }
  const [version, json] = value;
  return { version: number(version), text: JSON.stringify(json) };
}
