import type { Cookie } from "./cookie/attributes.ts";
import type { CommittedCookie } from "./cookie/header.ts";
import { SessionValueError } from "./errors.ts";
import type { MaybePromise } from "./maybe.ts";
import type { Settings } from "./options.ts";
import type { Found } from "./record.ts";
import type { Source } from "./source.ts";
import { type Content, type Flash, type Login, NOTHING } from "./state.ts";
import { decode, encode } from "./token/json.ts";

/** One request's session: what the request came with, and what it has changed so far. */
export interface Draft {
  readonly settings: Settings;
  readonly source: Source | undefined;
  /** The session that the request came with; undefined without a valid cookie. */
  readonly found: Found | undefined;
  /** Set if that is another system's session. */
  readonly foreign: Foreign | undefined;
  /** The content that changes are compared with: empty after `discard`. */
  base: Content;
  /** The decoded values; undefined if only plain ones were read so far. */
  values: Map<string, unknown> | undefined;
  /** The keys that were set. A value of any other key may have changed inside. */
  assigned: Set<string>;
  /** Undefined until it is set. */
  permanent: boolean | undefined;
  takenFlashes: readonly Flash[];
  addedFlashes: readonly Flash[];
  calls: Calls;
  /** The id of a session that begins or moves. All tries to commit use the same one. */
  newId: string | undefined;
  /** The texts that commits tried to put into the store, each with the text that it replaces. */
  attempts: ReadonlyMap<string, string | undefined>;
  /** The highest version among them. */
  triedVersion: number;
  isTouched: boolean;
  /** The cookies to send, once a commit has begun; undefined again if it fails. */
  committed: MaybePromise<readonly CommittedCookie[]> | undefined;
  hasReportedLateWrite: boolean;
}

/** How another system's session is adopted. */
export interface Foreign {
  /** Whether the store prevents that it is adopted again. */
  readonly isOnce: boolean;
  /** Its cookie, which the response deletes. */
  readonly forget: Cookie | undefined;
}

/** The calls that are about the session as a whole. */
export interface Calls {
  /** The subject of `signIn`. */
  readonly signedIn: string | undefined;
  /** How the subject authenticated just now: set by `signIn` and `confirm`. */
  readonly authentication: Pick<Login, "methods"> | undefined;
  /** The label given to `signIn`. */
  readonly label: string | undefined;
  /** The subject of `endOthers`. */
  readonly endedOthersOf: string | undefined;
  /** Whether the session moves to a new id: by `signIn`, `confirm`, `regenerate` or `endOthers`. */
  readonly hasNewId: boolean;
  /** Whether the session that the request came with ends, under its next ids too. */
  readonly isDestroyed: boolean;
  /** Whether its content stays: not after `destroy`, nor if another subject signs in. */
  readonly keepsRest: boolean;
}

/** What one request changed. */
export interface Changes {
  /**
   * The changed keys, each with its new tagged JSON; without `text` the key was removed. `insideOf` is
   * the old JSON of a value that was changed inside and not set: the change applies only to that value.
   */
  readonly values: ReadonlyMap<string, { readonly text?: string; readonly insideOf?: string }>;
  readonly takenFlashes: readonly Flash[];
  readonly addedFlashes: readonly Flash[];
  /** Undefined if the request did not change it. */
  readonly permanent: boolean | undefined;
  readonly calls: Calls;
  /** What was set to its old value: no change, but part of a session that begins. */
  readonly repeated: Pick<Changes, "values" | "permanent">;
}

/** The most flashes that wait, so that flashes that no page shows can't fill the cookie. */
const FLASH_LIMIT = 20;

// Shared by all drafts until something changes: most requests only read.
const NO_FLASHES: readonly Flash[] = [];
const NO_KEYS: Set<string> = new Set();
const NO_ATTEMPTS: Draft["attempts"] = new Map();
const NO_CALLS: Calls = {
  signedIn: undefined,
  authentication: undefined,
  label: undefined,
  endedOthersOf: undefined,
  hasNewId: false,
  isDestroyed: false,
  keepsRest: true,
};

/** A draft without changes. */
export function createDraft(
  settings: Settings,
  source?: Source,
  found?: Found,
  foreign?: Foreign,
): Draft {
  const base = found?.kind === "live" ? found.state : NOTHING;
  return {
    settings,
    source,
    found,
    foreign,
    base,
    values: undefined,
    assigned: NO_KEYS,
    permanent: undefined,
    takenFlashes: NO_FLASHES,
    addedFlashes: NO_FLASHES,
    calls: NO_CALLS,
    newId: undefined,
    attempts: NO_ATTEMPTS,
    triedVersion: 0,
    isTouched: false,
    committed: undefined,
    hasReportedLateWrite: false,
  };
}

/** Drops the content that the request came with, and its changes so far. */
export function discard(draft: Draft): void {
  draft.base = NOTHING;
  draft.values = undefined;
  draft.permanent = undefined;
  draft.takenFlashes = NO_FLASHES;
  draft.addedFlashes = NO_FLASHES;
  draft.newId = undefined;
  const { isDestroyed, endedOthersOf } = draft.calls;
  draft.calls = { ...NO_CALLS, keepsRest: false, isDestroyed, endedOthersOf };
}

/**
 * The value of a key. A string, number, boolean or null is decoded alone. Anything else can be changed
 * inside, so all values are decoded and kept, to notice that.
 */
export function readValue(draft: Draft, key: string): unknown {
  if (draft.values !== undefined) return draft.values.get(key);
  const text = draft.base.data.get(key);
  if (text === undefined) return undefined;
  const isContainer = text.startsWith("{") || text.startsWith("[");
  return isContainer ? valuesOf(draft).get(key) : JSON.parse(text);
}

/** The decoded values, which the handler may change. */
export function valuesOf(draft: Draft): Map<string, unknown> {
  if (draft.values !== undefined) return draft.values;
  draft.assigned = new Set();
  draft.values = new Map();
  for (const [key, text] of draft.base.data) draft.values.set(key, decode(JSON.parse(text)));
  return draft.values;
}

/** Sets a key. Throws `SessionValueError` if `encode` can't store the value. */
export function assign(draft: Draft, key: string, value: unknown): void {
  if (typeof key !== "string") {
    throw new SessionValueError(String(key), `the key must be a string, got a ${typeof key}`);
  }
  encode(value, key);
  valuesOf(draft).set(key, value);
  draft.assigned.add(key);
}

/** Removes a key, and returns whether it was there. */
export function remove(draft: Draft, key: string): boolean {
  draft.assigned.delete(key);
  return valuesOf(draft).delete(key);
}

/** The waiting flashes, oldest first. Frozen, because requests share them. */
export function waitingFlashes({ base, takenFlashes, addedFlashes }: Draft): readonly Flash[] {
  return nextFlashes(base.flashes, { takenFlashes, addedFlashes }).map((flash) =>
    Object.freeze(flash),
  );
}

/** Adds a flash, and removes the oldest ones if too many wait. */
export function addFlash(draft: Draft, flash: Flash): void {
  const waiting = waitingFlashes(draft);
  removeFlashes(draft, waiting.slice(0, Math.max(0, waiting.length + 1 - FLASH_LIMIT)));
  draft.addedFlashes = [...draft.addedFlashes, flash];
}

/** Removes waiting flashes. One that this request added leaves no trace. */
export function removeFlashes(draft: Draft, flashes: readonly Flash[]): void {
  const { addedFlashes } = draft;
  const old = flashes.filter((flash) => !addedFlashes.includes(flash));
  draft.takenFlashes = [...draft.takenFlashes, ...old];
  draft.addedFlashes = addedFlashes.filter((flash) => !flashes.includes(flash));
}

/** Whether the request only read plain values, as most do: a quick test. */
export function isUnused(draft: Draft): boolean {
  return (
    draft.values === undefined &&
    draft.takenFlashes === NO_FLASHES &&
    draft.addedFlashes === NO_FLASHES &&
    draft.permanent === undefined &&
    draft.calls === NO_CALLS
  );
}

/**
 * What the request changed, key by key. Throws `SessionValueError` if a value that was changed inside
 * can't be stored any more.
 */
export function changesOf(draft: Draft): Changes {
  const { base, assigned, permanent, takenFlashes, addedFlashes, calls } = draft;
  const values = new Map<string, { text?: string; insideOf?: string }>();
  const repeated = new Map<string, { text: string }>();
  for (const [key, value] of draft.values ?? []) {
    const before = base.data.get(key);
    const text = encode(value, key);
    const isSet = before === undefined || assigned.has(key);
    if (text !== before) values.set(key, isSet ? { text } : { text, insideOf: before });
    else if (isSet) repeated.set(key, { text });
  }
  if (draft.values !== undefined) {
    for (const key of base.data.keys()) if (!draft.values.has(key)) values.set(key, {});
  }
  return {
    values,
    takenFlashes,
    addedFlashes,
    permanent: permanent === base.permanent ? undefined : permanent,
    calls,
    repeated: { values: repeated, permanent },
  };
}

/** The content of a session that begins with a request's changes. */
export function begin({ repeated, ...changes }: Changes): ReturnType<typeof apply> {
  const values = new Map([...repeated.values, ...changes.values]);
  return apply(NOTHING, { ...changes, values, permanent: repeated.permanent });
}

/** Whether there is anything to commit. */
export function hasChanges(changes: Changes): boolean {
  const { values, takenFlashes, addedFlashes, permanent, calls } = changes;
  const count = values.size + takenFlashes.length + addedFlashes.length;
  return count > 0 || permanent !== undefined || calls.hasNewId || calls.isDestroyed;
}

/**
 * Applies one request's changes to a content, key by key. Keys that the request did not change keep
 * their values. A change inside a value is dropped if another request has removed or replaced that
 * value, because it would bring back the rest of the old one.
 */
export function apply(
  content: Content,
  changes: Omit<Changes, "repeated">,
): { readonly content: Content; readonly isDropped: boolean } {
  const data = new Map(content.data);
  let isDropped = false;
  for (const [key, { text, insideOf }] of changes.values) {
    if (insideOf !== undefined && data.get(key) !== insideOf) isDropped ||= data.get(key) !== text;
    else if (text === undefined) data.delete(key);
    else data.set(key, text);
  }
  const flashes = nextFlashes(content.flashes, changes);
  return {
    content: { data, flashes, permanent: changes.permanent ?? content.permanent },
    isDropped,
  };
}

/** The flashes without the taken ones, each removed once, and with the added ones. */
function nextFlashes(
  flashes: readonly Flash[],
  { takenFlashes, addedFlashes }: Pick<Changes, "takenFlashes" | "addedFlashes">,
): readonly Flash[] {
  if (takenFlashes.length + addedFlashes.length === 0) return flashes;
  const rest = [...flashes];
  for (const { category, message } of takenFlashes) {
    const at = rest.findIndex((flash) => flash.category === category && flash.message === message);
    if (at !== -1) rest.splice(at, 1);
  }
  return [...rest, ...addedFlashes].slice(-FLASH_LIMIT);
}
