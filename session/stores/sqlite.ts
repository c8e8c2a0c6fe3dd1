import { SessionStoreError } from "../errors.ts";
import type { Store } from "./store.ts";

/**
 * What `sqliteStore` asks of a handle. `Database` of `bun:sqlite` has it, and `DatabaseSync` of
 * `node:sqlite`, on Node and Deno.
 */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

/** A prepared statement, with its values for the statement's `?`. */
export interface SqliteStatement {
  /** The first row as an object; nothing where there is none. */
  get(...values: (string | number)[]): unknown;
  run(...values: (string | number)[]): { readonly changes: number | bigint };
}

const TABLE = `
  CREATE TABLE IF NOT EXISTS madeleine (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, expires INTEGER NOT NULL -- ms since 1970
  ) STRICT;
  CREATE INDEX IF NOT EXISTS madeleine_expires ON madeleine (expires)`;

/** In milliseconds: the wait for other writers, less than the 250 ms that a request may take. */
const BUSY_TIMEOUT = 200;

/**
 * A store in an SQLite file, for the processes of one machine. It makes the table `madeleine` where
 * there is none, and sets the handle to write-ahead logging, to a `busy_timeout` of 200 ms, and to
 * `synchronous = NORMAL`: what it acknowledged survives the end of the process by any signal. To
 * survive a loss of power too, run `PRAGMA synchronous = FULL` on the handle afterwards; each write
 * then waits for the disk.
 *
 * Each write removes up to two expired rows. `get` and `replace` answer at once, without a promise.
 * They throw `SessionStoreError` where SQLite fails, such as when another process holds the lock:
 * waiting for it holds up this process too, so for 200 ms after a write failed, others fail without
 * waiting. The handle stays yours to close.
 *
 * ```ts
 * const store = sqliteStore(new Database("data/sessions.sqlite")); // of bun:sqlite
 * const store = sqliteStore(new DatabaseSync("data/sessions.sqlite")); // of node:sqlite
 * ```
 */
export function sqliteStore(database: SqliteDatabase): Store {
  attempt(() => {
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
    database.exec("PRAGMA journal_mode = WAL");
    database.exec("PRAGMA synchronous = NORMAL");
    database.exec(TABLE);
  });
  const select = database.prepare("SELECT value FROM madeleine WHERE key = ? AND expires > ?");
  const insert = database.prepare(
    `INSERT INTO madeleine (key, value, expires) VALUES (?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires
      WHERE madeleine.expires <= ?`,
  );
  const update = database.prepare(
    "UPDATE madeleine SET value = ?, expires = ? WHERE key = ? AND value = ? AND expires > ?",
  );
  const purge = database.prepare(
    `DELETE FROM madeleine WHERE key IN
      (SELECT key FROM madeleine WHERE expires <= ? ORDER BY expires LIMIT 2)`,
  );
  const [begin, commit, rollback] = [
    database.prepare("BEGIN IMMEDIATE"),
    database.prepare("COMMIT"),
    database.prepare("ROLLBACK"),
  ];

  function put(key: string, previous: string | undefined, next: string, ttl: number): boolean {
    const now = Date.now();
    const expires = now + ttl * 1000;
    purge.run(now);
    const { changes } =
      previous === undefined
        ? insert.run(key, next, expires, now)
        : update.run(next, expires, key, previous, now);
    return Number(changes) === 1;
  }

  function replace(...change: Parameters<typeof put>): boolean {
    begin.run();
    try {
      const isPut = put(...change);
      commit.run();
      return isPut;
    } catch (error) {
      rollback.run();
      throw error;
    }
  }

  let failed = -Infinity; // When a write last failed, on the clock of `performance`.
  return {
    get: (keys) => attempt(() => keys.map((key) => valueOf(select.get(key, Date.now())))),
    replace(...change) {
      if (performance.now() - failed < BUSY_TIMEOUT) throw new SessionStoreError("SQLite failed");
      return attempt(
        () => replace(...change),
        () => (failed = performance.now()),
      );
    },
  };
}

function attempt<T>(action: () => T, onFailure?: () => void): T {
  try {
    return action();
  } catch (error) {
    onFailure?.();
    throw new SessionStoreError("SQLite failed", { cause: error });
  }
}

function valueOf(row: unknown): string | undefined {
  if (typeof row !== "object" || row === null || !("value" in row)) return undefined;
  return typeof row.value === "string" ? row.value : undefined;
}
