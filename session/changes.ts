import type { Cookie } from "./cookie/attributes.ts";
import type { CommittedCookie } from "./cookie/header.ts";
import { SessionValueError } from "./errors.ts";
import type { MaybePromise } from "./maybe.ts";
import type { Settings } from "./options.ts";
import type { Found } from "./record.ts";
import type { Source } from "./source.ts";
import { type Content, type Flash, NOTHING } from "./state.ts";
import { check, decode, encode } from "./token/json.ts";

/** A session as one request has it: what it was given, and what it has made of that so far. */
export interface Draft {
  readonly settings: Settings;
  readonly source: Source | undefined;
  /** The request's session from before; undefined for a visitor without a good cookie. */
  readonly found: Found | undefined;
  /** Where that is another system's, to become one of ours. */
  readonly foreign: Foreign | undefined;
  /** What changes are compared with: nothing, once the request gave up what it was given. */
  base: Content;
  /** The values, decoded; undefined as long as only plain ones were read. */
  values: Map<string, unknown> | undefined;
  /** The keys that were set. Other values may have changed inside. */
  assigned: Set<string>;
  /** Undefined until it was set. */
  permanent: boolean | undefined;
  takenFlashes: readonly Flash[];
  addedFlashes: readonly Flash[];
  calls: Calls;
  /** The id of a session that begins or moves, the same for all tries to commit. */
  newId: string | undefined;
  /** What commits tried to put into the store, each text with what was there before. */
  attempts: ReadonlyMap<string, string | undefined>;
  /** The highest version among them. */
  triedVersion: number;
  isTouched: boolean;
  /** The cookies to send, once a commit began; undefined again where that failed. */
  committed: MaybePromise<readonly CommittedCookie[]> | undefined;
  hasReportedLateWrite: boolean;
}

/** What becomes of another system's session. */
export interface Foreign {
  /** Whether a store keeps it from being adopted again. */
  readonly isOnce: boolean;
  /** Its cookie, to be deleted. */
  readonly forget: Cookie | undefined;
}

/** What the request did to the session as a whole. */
export interface Calls {
  /** The subject of `signIn`. */
  readonly signedIn: string | undefined;
  /** The subject of `endOthers`. */
  readonly endedOthersOf: string | undefined;
  /** Whether the session moves to a new id: by `signIn`, `regenerate` or `endOthers`. */
  readonly hasNewId: boolean;
  /** Whether the session that was given ends, with whatever it moved to. */
  readonly isDestroyed: boolean;
  /** Whether its content stays: not after `destroy`, and not for another subject. */
  readonly keepsRest: boolean;
}

/** What one request changed. */
export interface Changes {
  /**
   * The changed keys, each with its new tagged JSON; without `text` the key was removed. `insideOf` is
   * the JSON of a value that was changed inside without being set: the change holds only on top of it.
   */
  readonly values: ReadonlyMap<string, { readonly text?: string; readonly insideOf?: string }>;
  readonly takenFlashes: readonly Flash[];
  readonly addedFlashes: readonly Flash[];
  /** Undefined where the request left it as it was. */
  readonly permanent: boolean | undefined;
  readonly calls: Calls;
  /** What was set to what it was: no change, but a session that begins holds it. */
  readonly repeated: Pick<Changes, "values" | "permanent">;
}

/** How many flashes wait at most, so that a queue that nobody shows can't fill the cookie. */
const FLASH_LIMIT = 20;

// Shared until something is put in: most requests only read.
const NO_FLASHES: readonly Flash[] = [];
const NO_KEYS: Set<string> = new Set();
const NO_ATTEMPTS: Draft["attempts"] = new Map();
const NO_CALLS: Calls = {
  signedIn: undefined,
  endedOthersOf: undefined,
  hasNewId: false,
  isDestroyed: false,
  keepsRest: true,
};

/** A draft that nobody used yet. */
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

/** Gives up what the request was given, and what it changed so far. */
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
 * A value. A plain one is read on its own and the others stay unread; what can be changed inside is
 * decoded once, so that a change is noticed.
 */
export function read(draft: Draft, key: string): unknown {
  if (draft.values !== undefined) return draft.values.get(key);
  const text = draft.base.data.get(key);
  if (text === undefined) return undefined;
  const isPlain = !text.startsWith("{") && !text.startsWith("[");
  return isPlain ? JSON.parse(text) : valuesOf(draft).get(key);
}

/** The user's values, for the handler to change. */
export function valuesOf(draft: Draft): Map<string, unknown> {
  if (draft.values !== undefined) return draft.values;
  draft.assigned = new Set();
  draft.values = new Map();
  for (const [key, text] of draft.base.data) draft.values.set(key, decode(JSON.parse(text)));
  return draft.values;
}

/** Throws `SessionValueError` for what is not the name of a subject. */
export function checkSubject(subject: unknown): asserts subject is string {
  if (typeof subject !== "string" || subject === "") {
    const got = subject === "" ? "an empty one" : `a value of type ${typeof subject}`;
    throw new SessionValueError(
      "subject",
      `it must be a string with at least one character, got ${got}`,
    );
  }
  // In UTF-8, and so in the store's key, all such names would be one.
  if (!subject.isWellFormed()) {
    throw new SessionValueError("subject", "it must be well-formed, got half of a surrogate pair");
  }
}

/** Sets a key. Throws `SessionValueError`. */
export function assign(draft: Draft, key: string, value: unknown): void {
  if (typeof key !== "string") {
    throw new SessionValueError(String(key), `the key must be a string, got a ${typeof key}`);
  }
  check(value, key);
  valuesOf(draft).set(key, value);
  draft.assigned.add(key);
}

/** Removes a key. Whether it was there. */
export function remove(draft: Draft, key: string): boolean {
  draft.assigned.delete(key);
  return valuesOf(draft).delete(key);
}

/** The flashes that wait, oldest first. Frozen, since requests share them. */
export function waitingFlashes({ base, takenFlashes, addedFlashes }: Draft): readonly Flash[] {
  return nextFlashes(base.flashes, { takenFlashes, addedFlashes }).map((flash) =>
    Object.freeze(flash),
  );
}

/** Adds a flash. Where too many wait, the oldest go. */
export function addFlash(draft: Draft, flash: Flash): void {
  const waiting = waitingFlashes(draft);
  take(draft, waiting.slice(0, Math.max(0, waiting.length + 1 - FLASH_LIMIT)));
  draft.addedFlashes = [...draft.addedFlashes, flash];
}

/** Takes flashes that wait: those that this request added are as if they had never been. */
export function take(draft: Draft, flashes: readonly Flash[]): void {
  const { addedFlashes } = draft;
  const old = flashes.filter((flash) => !addedFlashes.includes(flash));
  draft.takenFlashes = [...draft.takenFlashes, ...old];
  draft.addedFlashes = addedFlashes.filter((flash) => !flashes.includes(flash));
}

/** Whether the request did nothing but read plain values: the quick answer for most of them. */
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
 * What the request changed, key by key. Throws `SessionValueError` where a change inside a value left
 * something that can't be stored.
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

/** What a session holds that begins with the changes of a request. */
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
 * Puts one request's changes on another content, key by key: what the request did not touch stands.
 * A change inside a value is dropped unless that value is still what the request was given, since it
 * would bring back the rest of a value that another request removed or replaced.
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

/** The flashes less each of the taken ones once, and with the added ones. */
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
