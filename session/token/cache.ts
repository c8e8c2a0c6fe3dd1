/** Values by their text. */
export interface Cache<Value> {
  get(text: string): Value | undefined;
  put(text: string, value: Value): void;
}

/**
 * For the browsers of one process that are active at once. Not more, because what lives long costs
 * every other request its share of the garbage collector's work.
 */
const DEFAULT_LIMITS = { entries: 4096, bytes: 8 * 1024 * 1024 };

/**
 * Makes an empty cache of values that each take `sizeOf(value)` bytes of memory, text and all. It
 * keeps them in two halves: when the newer one is full, the older one goes as a whole. To remove
 * them one by one would cost more than to verify a token now and then. `get` changes nothing.
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
