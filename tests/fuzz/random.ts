/** Random choices that a seed repeats. */
export interface Random {
  /** A whole number from 0, less than `limit`. */
  readonly below: (limit: number) => number;
  /** One of a list, or of a text's characters. Throws `RangeError` where there is none. */
  readonly pick: <Item>(list: ArrayLike<Item>) => Item;
}

/** Mulberry32: small, and good enough to choose with. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  function below(limit: number): number {
    return Math.floor(next() * limit);
  }

  function pick<Item>(list: ArrayLike<Item>): Item {
    const item = list[below(list.length)];
    if (item === undefined) throw new RangeError("Cannot pick from a list: it is empty");
    return item;
  }

  return { below, pick };
}
