import { SessionOptionsError, SessionStoreError } from "../errors.ts";
import { checkOptionNames, type Store } from "./store.ts";

export interface MemoryStoreOptions {
  /**
   * The most bytes that the records may take, a whole number from 1. A record counts as 250 bytes
   * and 2 for each UTF-16 code unit of its key and value. Default: 134,217,728 (128 MiB), enough
   * for about 330,000 ended sessions, or 16,000 records of 4,000 characters.
   */
  readonly maxBytes?: number;
  /** The clock, in milliseconds. Default: `Date.now`. */
  readonly now?: () => number;
}

const DEFAULT_MAX_BYTES = 128 * 2 ** 20;

/** Measured in Bun: the most that a record takes besides its characters. */
const BYTES_PER_RECORD = 250;

/**
 * A store in the memory of this process, for one process and for tests. A restart forgets it, and
 * with it which sessions had ended.
 *
 * A Bun process with a full store of the default size takes at most 180 MB of resident memory, and
 * 400 MB while it replaces thousands of records a second, because replaced values wait for the
 * garbage collector. Other sizes are in proportion.
 *
 * The store never forgets a record that has not expired, because an ended session would come back.
 * When it is full, `replace` throws `SessionStoreError` for a new key and for a longer value; every
 * other call works as before. Expired records leave as others are written, without a timer.
 *
 * Throws `SessionOptionsError` if an option is wrong.
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  checkOptionNames(options, ["maxBytes", "now"]);
  const { maxBytes = DEFAULT_MAX_BYTES, now = Date.now } = options;
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    throw new SessionOptionsError(
      `Cannot make a memory store: maxBytes must be a whole number from 1, got ${maxBytes}`,
    );
  }
  /** A record expires at a time of the clock, in milliseconds. */
  const entries = new Map<string, { readonly value: string; readonly expires: number }>();
  /** Each key of `entries` once, at a time when its record may have expired. */
  const schedule = createSchedule();
  let used = 0;

  function read(key: string): string | undefined {
    const entry = entries.get(key);
    return entry !== undefined && entry.expires > now() ? entry.value : undefined;
  }

  /** Looks at the next record that is due, and removes it if it has expired. False if none is due. */
  function purge(): boolean {
    const time = now();
    const key = schedule.takeDue(time);
    const entry = key === undefined ? undefined : entries.get(key);
    if (key === undefined || entry === undefined) return false;
    if (entry.expires > time) {
      schedule.add(key, entry.expires); // It was replaced since, and lives longer.
    } else {
      entries.delete(key);
      used -= bytesOf(key, entry.value);
    }
    return true;
  }

  /** The bytes that the store grows by when `value` is put under the key. */
  function growth(key: string, value: string): number {
    const entry = entries.get(key);
    return bytesOf(key, value) - (entry === undefined ? 0 : bytesOf(key, entry.value));
  }

  function makeRoom(key: string, value: string): void {
    while (used + growth(key, value) > maxBytes) {
      if (!purge()) {
        throw new SessionStoreError(
          `the memory store is full, with ${used} of ${maxBytes} bytes. ` +
            "Raise maxBytes, or use a store outside of this process",
        );
      }
    }
  }

  return {
    get: (keys) => keys.map(read),
    replace(key, previous, next, ttl) {
      if (read(key) !== previous) return false;
      // Two, because a write schedules at most one look: so the looks never fall behind.
      purge();
      purge();
      makeRoom(key, next);
      const expires = now() + ttl * 1000;
      if (!entries.has(key)) schedule.add(key, expires);
      used += growth(key, next);
      entries.set(key, { value: next, expires });
      return true;
    },
  };
}

function bytesOf(key: string, value: string): number {
  return BYTES_PER_RECORD + 2 * (key.length + value.length);
}

const MINUTE = 60_000;

/**
 * Keys, each with a time to look at it. Keeps them by the minute, rounded up, so that adding and taking
 * one need no search. `takeDue` removes and returns a key whose time has come, if there is one.
 */
function createSchedule(): {
  add(key: string, time: number): void;
  takeDue(now: number): string | undefined;
} {
  const minutes = new Map<number, string[]>();
  let first = Infinity;

  return {
    add(key, time) {
      const minute = Math.ceil(time / MINUTE);
      const keys = minutes.get(minute);
      if (keys === undefined) minutes.set(minute, [key]);
      else keys.push(key);
      first = Math.min(first, minute);
    },
    takeDue(now) {
      const keys = minutes.get(first);
      const isDue = first * MINUTE <= now;
      if (keys === undefined || !isDue) return undefined;
      const key = keys.pop();
      if (keys.length === 0) {
        minutes.delete(first);
        first = Infinity;
        for (const minute of minutes.keys()) first = Math.min(first, minute);
      }
      return key;
    },
  };
}
