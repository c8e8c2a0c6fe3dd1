/** Milliseconds. */
const MINUTE = 60_000;
const BETWEEN_SWEEPS = 10_000;

export interface LimitOptions {
  /** Attempts a minute from one address, a whole number. 0: no limit. */
  readonly rate: number;
  /**
   * A clock in milliseconds that never goes back. Default: `performance.now`, because a correction
   * of the wall clock would block who tried before it.
   */
  readonly now?: () => number;
  /**
   * Addresses to remember at once, from 1. Default: 100,000, which is more than the 65,536 networks
   * of one IPv6 /48, and takes about 60 MB where each of them makes 10 attempts.
   */
  readonly maxAddresses?: number;
}

export interface Limit {
  /**
   * Counts an attempt of `address` and allows it with 0; else gives the whole seconds to wait, from
   * 1 to 60, as `Retry-After` wants them.
   */
  take(address: string): number;
}

/**
 * Limits attempts by address: never are more than `rate` of one address allowed within any 60
 * seconds. What is refused does not count, so that to try again too soon does not prolong the wait.
 *
 * An address is forgotten 60 to 70 seconds after its last allowed attempt, at an attempt of anyone.
 * While `maxAddresses` are remembered, a new one has to wait until some are forgotten, and those
 * that are known go on as before: a flood from many addresses neither fills the memory nor clears
 * anyone's count.
 *
 * @throws {RangeError} at once, where `rate` or `maxAddresses` is out of its range.
 */
export function createLimit(options: LimitOptions): Limit {
  const { rate, now = () => performance.now(), maxAddresses = 100_000 } = options;
  if (!Number.isSafeInteger(rate) || rate < 0) {
    throw new RangeError(
      `Cannot limit attempts to ${rate} a minute: it is not a whole number from 0`,
    );
  }
  if (!Number.isSafeInteger(maxAddresses) || maxAddresses < 1) {
    throw new RangeError(
      `Cannot remember ${maxAddresses} addresses: it is not a whole number from 1`,
    );
  }
  /** The times of each address's last allowed attempts, at most `rate`, the oldest first. */
  const attempts = new Map<string, number[]>();
  let sweepAt = now() + BETWEEN_SWEEPS;

  /** Forgets who was quiet for a minute: seldom, because it looks at every address. */
  function sweep(time: number): void {
    if (time < sweepAt) return;
    sweepAt = time + BETWEEN_SWEEPS;
    for (const [address, times] of attempts) {
      if (times.every((attempt) => attempt + MINUTE <= time)) attempts.delete(address);
    }
  }

  /** When an address with these attempts may try again, on our clock. */
  function nextAt(times: readonly number[]): number {
    const [first] = times;
    if (first === undefined) return attempts.size < maxAddresses ? -Infinity : sweepAt;
    return times.length < rate ? -Infinity : first + MINUTE;
  }

  function take(address: string): number {
    if (rate === 0) return 0;
    const time = now();
    sweep(time);
    const times = attempts.get(address) ?? [];
    const wait = nextAt(times) - time;
    if (wait > 0) return Math.ceil(wait / 1000);
    if (times.length === rate) times.shift();
    times.push(time);
    attempts.set(address, times);
    return 0;
  }

  return { take };
}
