import type { Database } from "bun:sqlite";
import { SessionStoreError } from "../errors.ts";
import type { Store } from "../store.ts";

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
 * const store = sqliteStore(new Database("data/sessions.sqlite"));
 * ```
 */
export function sqliteStore(database: Database): Store {
  attempt(() => {
    database.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
    database.run("PRAGMA journal_mode = WAL");
    database.run("PRAGMA synchronous = NORMAL");
    database.run(TABLE);
  });
  const select = database.query<{ value: string }, [string, number]>(
    "SELECT value FROM madeleine WHERE key = ? AND expires > ?",
  );
  const insert = database.query<unknown, [string, string, number, number]>(
    `INSERT INTO madeleine (key, value, expires) VALUES (?, ?, ?)
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires
      WHERE madeleine.expires <= ?`,
  );
  const update = database.query<unknown, [string, number, string, string, number]>(
    "UPDATE madeleine SET value = ?, expires = ? WHERE key = ? AND value = ? AND expires > ?",
  );
  const purge = database.query<unknown, [number]>(
    `DELETE FROM madeleine WHERE key IN
      (SELECT key FROM madeleine WHERE expires <= ? ORDER BY expires LIMIT 2)`,
  );
  const replace = database.transaction(
    (key: string, previous: string | undefined, next: string, ttl: number): boolean => {
      const now = Date.now();
      const expires = now + ttl * 1000;
      purge.run(now);
      const { changes } =
        previous === undefined
          ? insert.run(key, next, expires, now)
          : update.run(next, expires, key, previous, now);
      return changes === 1;
    },
  );
  let failed = -Infinity; // When a write last failed, on the clock of `performance`.
  return {
    get: (keys) => attempt(() => keys.map((key) => select.get(key, Date.now())?.value)),
    replace(...change) {
      if (performance.now() - failed < BUSY_TIMEOUT) throw new SessionStoreError("SQLite failed");
      return attempt(
        () => replace.immediate(...change),
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
