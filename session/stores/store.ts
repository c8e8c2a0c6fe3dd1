import { SessionOptionsError } from "../errors.ts";
import type { MaybePromise } from "../maybe.ts";

/**
 * Strings by key, each with a time to live, changed by compare-and-set.
 *
 * Sessions end when they should, and parallel changes are kept, only if a store holds to this:
 *
 * - `get` returns what the last acknowledged `replace` of the key put there, whichever instance
 *   called it: no stale reads, no cache.
 * - `replace` is atomic for its key among all instances that share the store.
 * - A key that has expired is like one that was never there. It may expire late, never early.
 * - Reading a key stores nothing.
 * - A store that cannot answer, or cannot keep a value, throws or rejects. It never answers
 *   "nothing there" because it does not know, and a value that is not text is an error too.
 * - The answer comes at once or as a promise, and a promise is whatever has a `then`. Answering at
 *   once is faster: reading a session then makes no promise at all.
 *
 * Keys have 1 to 64 characters of `A-Z a-z 0-9 - _ :`, and their case matters. Values are
 * well-formed text of at most 1 MiB in UTF-8, without NUL; the empty string is a value.
 */
export interface Store {
  /** The current value of each key, in order; undefined if there is none or it has expired. */
  get(keys: readonly string[]): MaybePromise<readonly (string | undefined)[]>;
  /**
   * Puts `next` in place of `previous` (undefined: nothing there) for `ttl` seconds, a whole number
   * from 1 to 34,646,400 (401 days). False if something else was there; then nothing changes.
   */
  replace(
    key: string,
    previous: string | undefined,
    next: string,
    ttl: number,
  ): MaybePromise<boolean>;
}

/** Rejects an option that does not exist, because a misspelled one would be ignored. */
export function checkOptionNames(options: unknown, names: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw new SessionOptionsError(
      `Cannot use the options of a store: expected an object, got ${describe(options)}`,
    );
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  throw new SessionOptionsError(
    `Cannot use option ${unknown} of a store: expected ${names.join(" or ")}`,
  );
}

// Lower case, because SQLite takes `App` and `app` for one table. The length leaves room for the
// name of the index within the 63 bytes that PostgreSQL allows.
const TABLE_NAME = /^[a-z_][a-z0-9_]{0,47}$/;

/** Checks the name of a table, so that it can stand between double quotes in SQL. */
export function checkTable(table: unknown): void {
  if (typeof table === "string" && TABLE_NAME.test(table)) return;
  const given = typeof table === "string" ? JSON.stringify(table) : describe(table);
  throw new SessionOptionsError(
    `Cannot use option table of a store: expected 1 to 48 characters of a-z 0-9 _ ` +
      `that do not start with a digit, got ${given}`,
  );
}

/** The kind of a value, for an error. Never its content, because a URL may hold a password. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value !== "object" && typeof value !== "function") return `a ${typeof value}`;
  if ("then" in value) return "a promise: await it";
  const { name } = value.constructor ?? Object;
  if (name === "Object") return "an object";
  return name === "Function" ? "a function" : `an instance of ${name}`;
}
