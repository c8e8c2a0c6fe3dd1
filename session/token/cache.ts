/** Values by their text. */
export interface Cache<Value> {
  get(text: string): Value | undefined;
  put(text: string, value: Value): void;
}

/**
 * Enough for the browsers that are active at once. Not more, because objects that live long make the
 * garbage collector's work longer, for every request.
 */
const DEFAULT_LIMITS = { entries: 4096, bytes: 8 * 1024 * 1024 };

/**
 * Makes an empty cache of values that each take `sizeOf(value)` bytes of memory, text included. It
 * has two halves: when the newer half is full, the older one is dropped as a whole. Removing values one
 * by one would cost more than verifying a token now and then. `get` changes nothing.
 */
export function createCache<Value>(
  sizeOf: (value: Value) => number,
  limits: { readonly entries: number; readonly bytes: number } = DEFAULT_LIMITS,
): Cache<Value> {
  const half = { entries: Math.ceil(limits.entries / 2), bytes: limits.bytes / 2 };
  let newer = new Map<string, Value>();
  let older = new Map<string, Value>();
  let bytes = 0;

  function get(text: string): Value | undefined {
    return newer.get(text) ?? older.get(text);
  }

  function put(text: string, value: Value): void {
    const size = sizeOf(value);
    if (size > half.bytes || get(text) !== undefined) return;
    if (newer.size >= half.entries || bytes + size > half.bytes) {
      older = newer;
      newer = new Map();
      bytes = 0;
    }
    newer.set(text, value);
    bytes += size;
  }

  return { get, put };
}
