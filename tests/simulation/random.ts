/** A source of chance that a seed repeats. */
export interface Random {
  /** A whole number from 0, less than `limit`. */
  below(limit: number): number;
  /** A whole number from `low` to `high`. */
  between(low: number, high: number): number;
  /** True so many times out of a hundred. */
  percent(percent: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** One of the options, each as often as its weight says. */
  weighted<T>(options: readonly (readonly [weight: number, option: T])[]): T;
}

/** Mulberry32: 32 bits of state are plenty for a few hundred decisions. */
export function createRandom(seed: number): Random {
  let state = Math.imul(seed + 1, 0x9e3779b1);

  function next(): number {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  function below(limit: number): number {
    return Math.floor(next() * limit);
  }

  function pick<T>(list: readonly T[]): T {
    const [first] = list.slice(below(list.length));
    if (first === undefined) throw new RangeError("Cannot pick: the list is empty");
    return first;
  }

  function weighted<T>(options: readonly (readonly [number, T])[]): T {
    let rest = next() * options.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, option] of options) {
      rest -= weight;
      if (rest < 0) return option;
    }
    throw new RangeError("Cannot pick: no option has a weight");
  }

  return {
    below,
    between: (low, high) => low + below(high - low + 1),
    percent: (percent) => next() * 100 < percent,
    pick,
    weighted,
  };
}
