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

/** For the sessions of one app: some 65,000 browsers that are in use, in 32 MiB at most. */
const DEFAULT_LIMITS: CacheLimits = { entries: 65_536, bytes: 32 * 1024 * 1024 };

/** What an entry takes beside its text and its value. */
const ENTRY_BYTES = 256;

interface Entry<Value> {
  readonly value: Value;
  readonly bytes: number;
}

/** Makes an empty cache. */
export function createCache<Value>(limits: CacheLimits = DEFAULT_LIMITS): Cache<Value> {
  // A Map keeps its entries in the order they were put: the first one is the one used longest ago.
  const entries = new Map<string, Entry<Value>>();
  let latest: string | undefined;
  let bytes = 0;

  function remove(text: string): void {
    const entry = entries.get(text);
    if (entry === undefined) return;
    entries.delete(text);
    bytes -= entry.bytes;
  }

  function get(text: string): Value | undefined {
    const entry = entries.get(text);
    if (entry !== undefined && text !== latest) {
      entries.delete(text);
      entries.set(text, entry);
      latest = text;
    }
    return entry?.value;
  }

  function put(text: string, value: Value, valueBytes: number): void {
    remove(text);
    const entry = { value, bytes: text.length + valueBytes + ENTRY_BYTES };
    entries.set(text, entry);
    latest = text;
    bytes += entry.bytes;
    for (const oldest of entries.keys()) {
      if (entries.size <= limits.entries && bytes <= limits.bytes) break;
      remove(oldest);
    }
  }

  return { get, put };
}
