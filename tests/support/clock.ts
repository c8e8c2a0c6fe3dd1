/** When every test starts, in milliseconds. */
export const START = 1_700_000_000_000;

/** In seconds. */
export const MINUTE = 60;
/** In seconds. */
export const DAY: number = 24 * 60 * MINUTE;

/** A clock that only a test moves. */
export interface Clock {
  /** In milliseconds. */
  readonly now: () => number;
  readonly advance: (seconds: number) => void;
}

export function createClock(start: number = START): Clock {
  let time = start;
  return { now: () => time, advance: (seconds) => void (time += seconds * 1000) };
}
