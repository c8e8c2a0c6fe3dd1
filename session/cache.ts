/** Values by text, the least recently used out first. */
export interface Cache<Value> {
  get(text: string): Value | undefined;
  /** Puts a value that takes some `bytes` of memory, its text not counted. */
  put(text: string, value: Value, bytes: number): void;
}

/** How much a cache holds: so many entries, and so many bytes. */
export interface CacheLimits {
  readonly entries: number;
  readonly bytes: number;
}

/**
 * For the browsers of one process that are active at once. Not more, because what lives long costs
 * every other request its share of the garbage collector's work.
 */
const DEFAULT_LIMITS: CacheLimits = { entries: 10_000, bytes: 16 * 1024 * 1024 };

/** What an entry takes beside its text and its value. */
const ENTRY_BYTES = 256;

/** An entry in the list from the least to the most recently used one. */
interface Entry<Value> {
  readonly text: string;
  readonly value: Value;
  readonly bytes: number;
  older: Entry<Value> | undefined;
  newer: Entry<Value> | undefined;
}

/** Makes an empty cache. */
export function createCache<Value>(limits: CacheLimits = DEFAULT_LIMITS): Cache<Value> {
  // Not ordered by the Map itself: to put an entry behind the others there, over and over, and to
  // look for the first one takes the longer the more entries were removed.
  const entries = new Map<string, Entry<Value>>();
  let oldest: Entry<Value> | undefined;
  let newest: Entry<Value> | undefined;
  let bytes = 0;

  function unlink({ older, newer }: Entry<Value>): void {
    if (older === undefined) oldest = newer;
    else older.newer = newer;
    if (newer === undefined) newest = older;
    else newer.older = older;
  }

  function link(entry: Entry<Value>): void {
    entry.older = newest;
    entry.newer = undefined;
    if (newest === undefined) oldest = entry;
    else newest.newer = entry;
    newest = entry;
  }

  function isOver(): boolean {
    return entries.size > limits.entries || bytes > limits.bytes;
  }

  function remove(entry: Entry<Value>): void {
    unlink(entry);
    entries.delete(entry.text);
    bytes -= entry.bytes;
  }

  function get(text: string): Value | undefined {
    const entry = entries.get(text);
    if (entry !== undefined && entry !== newest) {
      unlink(entry);
      link(entry);
    }
    return entry?.value;
  }

  function put(text: string, value: Value, valueBytes: number): void {
    const present = entries.get(text);
    if (present !== undefined) remove(present);
    const size = text.length + valueBytes + ENTRY_BYTES;
    const entry = { text, value, bytes: size, older: undefined, newer: undefined };
    entries.set(text, entry);
    link(entry);
    bytes += size;
    for (let last = oldest; last !== undefined && isOver(); last = oldest) remove(last);
  }

  return { get, put };
}
