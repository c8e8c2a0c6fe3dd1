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
   * Networks of each size to remember at once, from 1. Default: 100,000, which takes about 170 MB
   * for the three sizes where each network makes 10 attempts.
   */
  readonly maxNetworks?: number;
}

export interface Limit {
  /**
   * Counts an attempt from an address, which is in each of these networks, the smallest first, and
   * allows it with 0; else gives the whole seconds to wait, from 1 to 60, as `Retry-After` wants
   * them.
   */
  take(networks: readonly string[]): number;
}

/**
 * How many times the rate of one address a network of each size has. An attacker has a network, not
 * an address: a provider gives a customer a /64, a /56 or a /48 of IPv6, and the last has 65,536
 * networks of 64 bits, each with a rate. A household shares none of them with another, and people
 * of an office, who do, seldom log in all at once. Of IPv4 the sizes are one address, which many
 * may share already, a /28, which a customer rents, and a /24, the smallest that is routed.
 */
const SHARES = [1, 4, 16];

/**
 * Limits attempts by address and network: never are more than `rate` of one address, and more than
 * its share of one network, allowed within any 60 seconds. What is refused does not count, so that
 * to try again too soon does not prolong the wait.
 *
 * A network is forgotten 60 to 70 seconds after its last allowed attempt, at an attempt of anyone.
 * Where `maxNetworks` are remembered, a tenth of them makes room for new ones, those with the fewest
 * attempts: a flood from many networks does not fill the memory, makes no visitor wait, and clears
 * the count of nobody who tried more often than the flood does from each.
 *
 * @throws {RangeError} at once, where `rate` or `maxNetworks` is out of its range.
 */
export function createLimit(options: LimitOptions): Limit {
  const { rate, now = () => performance.now(), maxNetworks = 100_000 } = options;
  if (!Number.isSafeInteger(rate) || rate < 0) {
    throw new RangeError(`Cannot limit attempts to ${rate} a minute: it must be a whole number`);
  }
  if (!Number.isSafeInteger(maxNetworks) || maxNetworks < 1) {
    throw new RangeError(`Cannot remember ${maxNetworks} networks: it must be a number from 1`);
  }
  const counters = SHARES.map((share) => createCounter(rate * share, maxNetworks));
  let sweepAt = now() + BETWEEN_SWEEPS;

  function take(networks: readonly string[]): number {
    if (rate === 0) return 0;
    const time = now();
    if (time >= sweepAt) {
      sweepAt = time + BETWEEN_SWEEPS;
      for (const { sweep } of counters) sweep(time);
    }
    const counted = networks.flatMap((network, index) => {
      const counter = counters[index];
      return counter === undefined ? [] : [{ network, counter }];
    });
    const nextAt = Math.max(...counted.map(({ network, counter }) => counter.nextAt(network)));
    if (nextAt > time) return Math.ceil((nextAt - time) / 1000);
    for (const { network, counter } of counted) counter.add(network, time);
    return 0;
  }

  return { take };
}

/** The attempts of networks of one size. */
interface Counter {
  /** When the network may try again, on our clock. */
  readonly nextAt: (network: string) => number;
  readonly add: (network: string, time: number) => void;
  /** Forgets who was quiet for a minute: to be called seldom, because it looks at everyone. */
  readonly sweep: (time: number) => void;
}

function createCounter(rate: number, maxNetworks: number): Counter {
  /** The times of each network's last allowed attempts, at most `rate`, the oldest first. */
  const attempts = new Map<string, number[]>();

  /** Forgets a tenth, those with the fewest attempts: many at once, because it looks at everyone. */
  function makeRoom(): void {
    const enough = maxNetworks - Math.ceil(maxNetworks / 10);
    for (let fewest = 1; attempts.size > enough; fewest++) {
      for (const [network, times] of attempts) {
        if (times.length === fewest) attempts.delete(network);
        if (attempts.size === enough) return;
      }
    }
  }

  return {
    nextAt(network) {
      const times = attempts.get(network);
      const [first] = times ?? [];
      return first === undefined || times?.length !== rate ? -Infinity : first + MINUTE;
    },
    add(network, time) {
      const known = attempts.get(network);
      if (known === undefined && attempts.size === maxNetworks) makeRoom();
      const times = known ?? [];
      if (times.length === rate) times.shift();
      times.push(time);
      attempts.set(network, times);
    },
    sweep(time) {
      for (const [network, times] of attempts) {
        if (times.every((attempt) => attempt + MINUTE <= time)) attempts.delete(network);
      }
    },
  };
}
