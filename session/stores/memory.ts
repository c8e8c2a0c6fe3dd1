import { SessionOptionsError, SessionStoreError } from "../errors.ts";
import type { Store } from "./store.ts";

export interface MemoryStoreOptions {
  /** The most records that are kept, a whole number from 1. Default: 1,000,000. */
  maxRecords?: number;
  /** The clock, in milliseconds. Default: `Date.now`. */
  now?: () => number;
}

interface Entry {
  readonly value: string;
  /** When it expires, in milliseconds of the clock. */
  readonly until: number;
}

/** Records of at most this many seconds only serve requests that overlap: they may be forgotten. */
const SHORT_LIVED = 60;

/**
 * A store in this process, for one process and for tests: a restart forgets it, endings too.
 *
 * Full, it forgets a record that was put there for at most 60 s, the older ones first. It never
 * forgets a longer one, because that would bring an ended session back: full of those, `replace`
 * throws `SessionStoreError`. Expired records go as others are written; there is no timer.
 *
 * Throws `SessionOptionsError` for a `maxRecords` that is no whole number from 1.
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  const { maxRecords = 1_000_000, now = Date.now } = options;
  if (!Number.isSafeInteger(maxRecords) || maxRecords < 1) {
    throw new SessionOptionsError(
      "Cannot make a memory store: maxRecords is no whole number from 1",
    );
  }
  const short = new Map<string, Entry>();
  const long = new Map<string, Entry>();
  const shortRounds = rounds(short);
  const longRounds = rounds(long);

  function read(key: string): string | undefined {
    const entry = short.get(key) ?? long.get(key);
    return entry !== undefined && entry.until > now() ? entry.value : undefined;
  }

  function makeRoom(): void {
    if (short.size + long.size < maxRecords) return;
    if (short.size === 0) throw new SessionStoreError(`it is full of ${maxRecords} records`);
    const oldest = shortRounds.next().value ?? shortRounds.next().value;
    if (oldest !== undefined) short.delete(oldest[0]);
  }

  return {
    get: (keys) => keys.map(read),
    replace(key, previous, next, ttl) {
      if (read(key) !== previous) return false;
      purge(short, shortRounds, now());
      purge(long, longRounds, now());
      if (!short.has(key) && !long.has(key)) makeRoom();
      const [home, other] = ttl <= SHORT_LIVED ? [short, long] : [long, short];
      other.delete(key);
      home.set(key, { value: next, until: now() + ttl * 1000 });
      return true;
    },
  };
}

type Rounds = Generator<[string, Entry] | undefined, never>;

/** The entries in their order, again and again, with undefined after each round. */
function* rounds(entries: Map<string, Entry>): Rounds {
  for (;;) {
    yield* entries;
    yield undefined;
  }
}

/** Looks at two entries, more than the one that a write may add, so that none stay for ever. */
function purge(entries: Map<string, Entry>, rounds: Rounds, now: number): void {
  for (const { value } of [rounds.next(), rounds.next()]) {
    if (value !== undefined && value[1].until <= now) entries.delete(value[0]);
  }
}
