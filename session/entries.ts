/** A session at one moment: what its cookie says, or its cookie and its record together. */
export interface Snapshot {
  /** The `sid` claim. */
  readonly id: string;
  /** The `iat` claim, in seconds. */
  readonly startedAt: number;
  /** The `exp` claim, or a sooner end that the settings ask for by now, in seconds. */
  readonly endsAt: number;
  /** The `ver` claim: when it was last written, in milliseconds. */
  readonly version: number;
  readonly entries: Entries;
  /** What the entry `$subject` says. */
  readonly subject: Subject | undefined;
}

/**
 * What a session holds: tagged JSON texts by name. A name is the user's key, or one of the reserved
 * names; a key that starts with `$` is written with one `$` more, so that it is never one of them.
 */
export type Entries = ReadonlyMap<string, string>;

export const FLASHES = "$flashes";
export const PERMANENT = "$permanent";
export const SUBJECT = "$subject";

/** Whose session it is. */
export interface Subject {
  readonly name: string;
  /** The store's key of the subject's generation. */
  readonly key: string;
  /** The generation when the subject was set; undefined before the first `endAll`. */
  readonly generation: string | undefined;
  /** When the subject was set, in seconds: the session's new start. */
  readonly since: number;
}

/** What a token says whose signature and claims hold. Requests share it: nothing in it changes. */
export interface VerifiedToken extends Snapshot {
  /** The token itself. */
  readonly text: string;
  /** False where a fallback signed it, so that it is to be signed again. */
  readonly isCurrentKey: boolean;
}

/** What one request does to a session's entries. */
export interface Changes {
  /** Names that the request set. */
  readonly set: Entries;
  /** Names whose value the request changed inside, without setting it. */
  readonly changedInside: Entries;
  readonly removed: ReadonlySet<string>;
  readonly takenFlashes: readonly Flash[];
  readonly addedFlashes: readonly Flash[];
}

/** A message for the next page (Flask's `flash`). */
export interface Flash {
  readonly category: string;
  readonly message: string;
}

/** How many flashes wait at most: a queue that nobody shows can't fill the cookie. */
const FLASH_LIMIT = 20;

/** The entry's name of a user's key. */
export function nameOf(key: string): string {
  return key.charCodeAt(0) === 0x24 ? `$${key}` : key;
}

/** The user's key of an entry's name; undefined for a reserved name. */
export function keyOf(name: string): string | undefined {
  if (name.charCodeAt(0) !== 0x24) return name;
  return name.charCodeAt(1) === 0x24 ? name.slice(1) : undefined;
}

/** Whether there is anything of the user's in the entries. */
export function hasKeys(entries: Entries): boolean {
  for (const name of entries.keys()) if (keyOf(name) !== undefined) return true;
  return false;
}

/** A JSON array, its members not yet known. */
export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** Gives a snapshot of `id`; a subject counts as the session's start. */
export function snapshot(
  times: Pick<Snapshot, "id" | "startedAt" | "endsAt" | "version">,
  entries: Entries,
): Snapshot {
  const { id, endsAt, version } = times;
  const subject = subjectOf(entries);
  return { id, startedAt: subject?.since ?? times.startedAt, endsAt, version, entries, subject };
}

function subjectOf(entries: Entries): Subject | undefined {
  const text = entries.get(SUBJECT);
  if (text === undefined) return undefined;
  const parts: unknown = JSON.parse(text);
  if (!isList(parts)) return undefined;
  const [name, key, generation, since] = parts;
  if (typeof name !== "string" || typeof key !== "string" || typeof since !== "number") {
    return undefined;
  }
  return { name, key, generation: typeof generation === "string" ? generation : undefined, since };
}

/** The entry `$subject` of a subject. */
export function subjectEntry({ name, key, generation, since }: Subject): string {
  return JSON.stringify([name, key, generation ?? null, since]);
}

/** What an entry `$flashes` holds: pairs of category and message. */
export function flashesOf(entries: Entries): Flash[] {
  const text = entries.get(FLASHES);
  const list: unknown = text === undefined ? undefined : JSON.parse(text);
  if (!isList(list)) return [];
  return list.flatMap((pair) => {
    const [category, message] = isList(pair) ? pair : [];
    return typeof category === "string" && typeof message === "string"
      ? [{ category, message }]
      : [];
  });
}

function flashesEntry(flashes: readonly Flash[]): string {
  return JSON.stringify(flashes.map(({ category, message }) => [category, message]));
}

/** The newest flashes that may wait. */
export function latestFlashes(flashes: readonly Flash[]): Flash[] {
  return flashes.slice(-FLASH_LIMIT);
}

/**
 * Puts one request's changes on the present entries. What the request did not see stands, and a
 * change inside a value that another request removed meanwhile is dropped, even where a third one
 * set the key again: it would bring the rest of the removed value back.
 */
export function apply(
  present: Entries,
  changes: Changes,
  wasRemoved: (name: string) => boolean = (name) => !present.has(name),
): { readonly entries: Entries; readonly isDropped: boolean } {
  const entries = new Map(present);
  let isDropped = false;
  for (const name of changes.removed) entries.delete(name);
  for (const [name, text] of changes.set) entries.set(name, text);
  for (const [name, text] of changes.changedInside) {
    if (!wasRemoved(name)) entries.set(name, text);
    else isDropped = true;
  }
  if (changes.takenFlashes.length + changes.addedFlashes.length > 0) {
    const flashes = latestFlashes([
      ...without(flashesOf(present), changes.takenFlashes),
      ...changes.addedFlashes,
    ]);
    if (flashes.length === 0) entries.delete(FLASHES);
    else entries.set(FLASHES, flashesEntry(flashes));
  }
  return { entries, isDropped };
}

/** The entries that both have, with the same text, but for the flashes. */
export function shared(one: Entries, other: Entries): Entries {
  const both = new Map([...one].filter(([name, text]) => other.get(name) === text));
  both.delete(FLASHES);
  return both;
}

/** `flashes` less each of `taken` once. */
function without(flashes: readonly Flash[], taken: readonly Flash[]): Flash[] {
  const rest = [...flashes];
  for (const { category, message } of taken) {
    const at = rest.findIndex((flash) => flash.category === category && flash.message === message);
    if (at !== -1) rest.splice(at, 1);
  }
  return rest;
}
