/** Values by their text. */
export interface Cache<Value> {
  get(text: string): Value | undefined;
  put(text: string, value: Value): void;
}

/**
 * For the browsers of one process that are active at once. Not more, because what lives long costs
 * every other request its share of the garbage collector's work.
 */
const DEFAULT_LIMITS = { entries: 16_384, bytes: 16 * 1024 * 1024 };

/**
 * Makes an empty cache of values that each take `sizeOf(value)` bytes of memory, text and all. When
 * it is full, the oldest entry goes first, so that `get` changes nothing and stays cheap. A token
 * that was dropped is verified again.
 */
export function createCache<Value>(
  sizeOf: (value: Value) => number,
  limits: { readonly entries: number; readonly bytes: number } = DEFAULT_LIMITS,
): Cache<Value> {
  const values = new Map<string, Value>();
  let bytes = 0;

  function put(text: string, value: Value): void {
    if (values.has(text) || sizeOf(value) > limits.bytes) return;
    bytes += sizeOf(value);
    values.set(text, value);
    for (const [oldest, old] of values) {
      if (bytes <= limits.bytes && values.size <= limits.entries) break;
      values.delete(oldest);
      bytes -= sizeOf(old);
    }
  }

  return { get: (text) => values.get(text), put };
}
