import type { Random } from "./random.ts";

/** How often trouble happens in a world. */
export interface Rates {
  /** Calls of the store that fail, in percent. */
  readonly fault: number;
  /** Entries that the store keeps longer than it was told to, in percent. */
  readonly lateExpiry: number;
  /** Requests that commit again where that failed, in percent. */
  readonly retry: number;
  /** Crashes, of a hundred things that happen for each thing of another kind. */
  readonly crash: number;
  /** Calls of `endAll`, likewise. */
  readonly endAll: number;
  /** Calls of `list` and of `end`, likewise: none without a list. */
  readonly list: number;
  readonly end: number;
  /** Instances that get other settings, likewise. */
  readonly setUp: number;
}

/** Some worlds have no trouble at all, and some a lot. */
export function chooseRates(random: Random, hasList: boolean): Rates {
  const some = (percent: number, rate: number): number => (random.percent(percent) ? rate : 0);
  return {
    fault: some(50, random.pick([2, 5, 12])),
    lateExpiry: some(50, random.pick([20, 80])),
    retry: some(60, random.pick([20, 60])),
    crash: some(40, random.pick([10, 30])),
    endAll: some(30, 100),
    list: hasList ? 50 : 0,
    end: hasList ? random.pick([0, 50, 100]) : 0,
    setUp: some(40, 20),
  };
}
