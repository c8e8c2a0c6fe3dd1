import {
  type Changes,
  type Entries,
  type Flash,
  flashesOf,
  keyOf,
  nameOf,
  PERMANENT,
  type Snapshot,
  type VerifiedToken,
} from "./entries.ts";
import { SessionValueError } from "./errors.ts";
import { check, decode, encode, type Json } from "./token/json.ts";
import type { Patience } from "./maybe.ts";

/** What all sessions of one `createSessions` share. */
export interface SessionSettings {
  /** Seconds. */
  readonly lifetime: number;
  /** Seconds. */
  readonly idleTimeout: number;
  /** The clock, in milliseconds. */
  readonly now: () => number;
  /** Told of a change that came after the commit. */
  readonly onLateWrite: (id: string) => void;
}

/** What `open` found out: the session as its cookie and the store say, or that there is none. */
export type Origin =
  | { readonly kind: "new" }
  /** The id was given up for a new one moments ago, by a request that overlaps this one. */
  | { readonly kind: "overtaken"; readonly id: string }
  | {
      readonly kind: "live";
      readonly token: VerifiedToken;
      readonly present: Snapshot;
      /** The version of the last write that `present` shows. */
      readonly version: number;
    };

/** A session from the inside, for `open` and `commit`. */
export interface SessionState {
  readonly settings: SessionSettings;
  readonly origin: Origin;
  /** The session as the handler was given it; undefined where it is a new one. */
  readonly opened: Snapshot | undefined;
  /** When the handler was given it, in milliseconds. */
  readonly openedAt: number;
  /** What the values are compared with at commit. Empty again once the session was destroyed. */
  base: Entries;
  /** The user's values; undefined as long as nothing but plain values were looked at. */
  values: Map<string, unknown> | undefined;
  /** The keys that were set, not just changed inside. */
  assigned: Set<string>;
  permanent: boolean;
  subject: string | undefined;
  isSubjectSet: boolean;
  /** The flashes that wait; undefined as long as nobody looked. */
  flashes: Flash[] | undefined;
  takenFlashes: readonly Flash[];
  addedFlashes: readonly Flash[];
  id: string | undefined;
  isTouched: boolean;
  isDestroyed: boolean;
  isRegenerated: boolean;
  isCommitted: boolean;
  /** How long this request may still wait for the store. */
  readonly patience: Patience;
  /** The kinds of events that were told of. */
  reported: readonly string[];
  /** The text of the new id's record, where that is in the store already. */
  started: string | undefined;
}

/** No entry at all. */
export const NO_ENTRIES: Entries = new Map();

// Shared by all sessions until something is put in: most requests only read.
const NO_FLASHES: readonly Flash[] = [];
const NO_KEYS: Set<string> = new Set();
const NO_KINDS: readonly string[] = [];

const parseJson: (text: string) => Json = JSON.parse;

/** The state of a session that nobody used yet. */
export function createState(
  settings: SessionSettings,
  origin: Origin,
  patience: Patience,
): SessionState {
  const opened = origin.kind === "live" ? origin.present : undefined;
  return {
    settings,
    origin,
    opened,
    openedAt: settings.now(),
    base: opened?.entries ?? NO_ENTRIES,
    values: undefined,
    assigned: NO_KEYS,
    permanent: opened?.entries.has(PERMANENT) ?? false,
    subject: opened?.subject?.name,
    isSubjectSet: false,
    flashes: undefined,
    takenFlashes: NO_FLASHES,
    addedFlashes: NO_FLASHES,
    id: opened?.id,
    isTouched: false,
    isDestroyed: false,
    isRegenerated: false,
    isCommitted: false,
    patience,
    reported: NO_KINDS,
    started: undefined,
  };
}

/** A value. One that is no object is read on its own, and the rest stays unread. */
export function read(state: SessionState, key: string): unknown {
  if (state.values !== undefined) return state.values.get(key);
  const text = state.base.get(nameOf(key));
  if (text === undefined) return undefined;
  return text.startsWith("{") || text.startsWith("[") ? valuesOf(state).get(key) : JSON.parse(text);
}

/** The user's values, that a handler may change. */
export function valuesOf(state: SessionState): Map<string, unknown> {
  if (state.values !== undefined) return state.values;
  const values = new Map<string, unknown>();
  for (const [name, text] of state.base) {
    const key = keyOf(name);
    if (key !== undefined) values.set(key, decode(parseJson(text)));
  }
  state.assigned = new Set();
  return (state.values = values);
}

/** Sets a key. Throws `SessionValueError`. */
export function assign(state: SessionState, key: string, value: unknown): void {
  if (typeof key !== "string") throw new SessionValueError(String(key), "the key is no string");
  check(value, key);
  valuesOf(state).set(key, value);
  state.assigned.add(key);
}

/** Throws `SessionValueError` for what is no name of a subject. */
export function checkSubject(subject: string): void {
  if (typeof subject !== "string" || subject === "") {
    throw new SessionValueError("subject", "it is no string, or an empty one");
  }
  // In UTF-8, and so in the store's key, all such names would be one.
  if (!subject.isWellFormed()) {
    throw new SessionValueError("subject", "it has half of a surrogate pair");
  }
}

/** Removes a key. Whether it was there. */
export function remove(state: SessionState, key: string): boolean {
  const isRemoved = valuesOf(state).delete(key);
  state.assigned.delete(key);
  return isRemoved;
}

/** The flashes that wait. */
export function waiting(state: SessionState): Flash[] {
  return (state.flashes ??= flashesOf(state.base));
}

/**
 * What the request changed: its values now, key by key, against those at open. Throws
 * `SessionValueError` where a change inside a value left something that can't be stored.
 */
export function changesOf(state: SessionState): Changes {
  const { base, values, assigned, permanent, takenFlashes, addedFlashes } = state;
  const set = new Map<string, string>();
  const changedInside = new Map<string, string>();
  const removed = new Set<string>();
  for (const [key, value] of values ?? []) {
    const name = nameOf(key);
    const text = encode(value, key);
    if (text === base.get(name)) continue;
    (assigned.has(key) ? set : changedInside).set(name, text);
  }
  if (values !== undefined) {
    for (const name of base.keys()) {
      const key = keyOf(name);
      if (key !== undefined && !values.has(key)) removed.add(name);
    }
  }
  if (permanent && !base.has(PERMANENT)) set.set(PERMANENT, "true");
  if (!permanent && base.has(PERMANENT)) removed.add(PERMANENT);
  return { set, changedInside, removed, takenFlashes, addedFlashes };
}

/** Whether the request tells of this kind of event for the first time: it tells of each once. */
export function isFirst(state: SessionState, kind: string): boolean {
  if (state.reported.includes(kind)) return false;
  state.reported = [...state.reported, kind];
  return true;
}

/** Whether the request did nothing but read plain values: the quick answer for most of them. */
export function isUnused(state: SessionState): boolean {
  return (
    state.values === undefined &&
    state.takenFlashes === NO_FLASHES &&
    state.addedFlashes === NO_FLASHES &&
    !state.isRegenerated &&
    !state.isSubjectSet &&
    state.permanent === state.base.has(PERMANENT)
  );
}

/** Whether the request changed anything at all. */
export function isModified(state: SessionState, changes: Changes): boolean {
  const { set, changedInside, removed, takenFlashes, addedFlashes } = changes;
  return (
    state.isDestroyed ||
    state.isRegenerated ||
    hasNewSubject(state) ||
    set.size + changedInside.size + removed.size + takenFlashes.length + addedFlashes.length > 0
  );
}

/**
 * Whether the request set the subject anew: to another one, or to the same with `regenerate`, which
 * is the same user's next login. To name the present subject once more changes nothing.
 */
export function hasNewSubject(state: SessionState): boolean {
  const { isSubjectSet, subject, isRegenerated, isDestroyed, opened } = state;
  if (!isSubjectSet) return false;
  const present = isDestroyed ? undefined : opened?.subject?.name;
  return subject !== present || (isRegenerated && subject !== undefined);
}
