/** Values by their text, the least recently used out first. */
export interface Cache<Value extends Texted> {
  get(text: string): Value | undefined;
  /** Puts a value, unless one with its text is there. */
  put(value: Value): void;
}

/**
 * A value with the text that it is found by. No other copy of the text is kept: the one that somebody
 * asks with may be a part of a larger one, which it would keep in memory.
 */
interface Texted {
  readonly text: string;
}

/** How much a cache holds at most: so many entries, and so many bytes. */
export interface CacheLimits {
  readonly entries: number;
  readonly bytes: number;
}

/**
 * For the browsers of one process that are active at once. Not more, because what lives long costs
 * every other request its share of the garbage collector's work.
 */
const DEFAULT_LIMITS: CacheLimits = { entries: 16_384, bytes: 16 * 1024 * 1024 };

/**
 * Makes an empty cache of values that each take `sizeOf(value)` bytes of memory, text and all.
 *
 * It has two generations, each of half the size. What is put or used is in the young one; when that
 * is full it becomes the old one, whose entries, all used longer ago than any of the young, go. So
 * what was used lately costs one look, and nothing has to be kept in order.
 */
export function createCache<Value extends Texted>(
  sizeOf: (value: Value) => number,
  limits: CacheLimits = DEFAULT_LIMITS,
): Cache<Value> {
  let young = new Map<string, Value>();
  let old = new Map<string, Value>();
  let youngBytes = 0;

  function turn(): void {
    old = young;
    young = new Map();
    youngBytes = 0;
  }

  function put(value: Value): void {
    const bytes = sizeOf(value);
    if (bytes > limits.bytes / 2 || young.has(value.text)) return;
    if (youngBytes + bytes > limits.bytes / 2) turn();
    youngBytes += bytes;
    young.set(value.text, value);
    if (young.size >= limits.entries / 2) turn();
  }

  function get(text: string): Value | undefined {
    const recent = young.get(text);
    if (recent !== undefined) return recent;
    const value = old.get(text);
    if (value !== undefined) put(value);
    return value;
  }

  return { get, put };
}
