import type { MaybePromise } from "../maybe.ts";

/**
 * Strings by key, each with a time to live, changed by compare-and-set.
 *
 * What a session's store has to hold to, so that endings and parallel changes hold:
 *
 * - `get` answers with what the last acknowledged `replace` of that key put there, from whichever
 *   instance it came: no stale reads, no cache of its own.
 * - `replace` is atomic for its key among all instances that share the store.
 * - A key that has expired is as one that was never there. It may go late, never early.
 * - Nothing is kept for a key that was only read.
 * - Where the store cannot answer or cannot keep what it was given it throws or rejects: it never
 *   says "nothing there" because it does not know.
 * - A promise that it returns is a native one. Answering at once, without a promise, keeps requests
 *   free of promises.
 *
 * Keys are at most 64 characters of `A-Z a-z 0-9 - _ :`. Values are JSON text without NUL
 * and may hold any other character.
 */
export interface Store {
  /** The current string of each key, in order; undefined where there is none or it has expired. */
  get(keys: readonly string[]): MaybePromise<readonly (string | undefined)[]>;
  /**
   * Puts `next` in place of `previous` (undefined: nothing there) for `ttl` seconds, a whole number
   * from 1. False: something else was there, and nothing was changed.
   */
  replace(
    key: string,
    previous: string | undefined,
    next: string,
    ttl: number,
  ): MaybePromise<boolean>;
}
