import { SessionOptionsError, SessionStoreError } from "../errors.ts";
import { checkOptionNames, checkTable, describe, type Store } from "./store.ts";

/**
 * What `sqliteStore` needs of a handle. `Database` of `bun:sqlite` has it, and so has
 * `DatabaseSync` of `node:sqlite`, on Node and Deno.
 */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
}

/** A prepared statement. Its methods take the values of the statement's `?`. */
export interface SqliteStatement {
  /** All rows, as objects. */
  all(...values: (string | number)[]): unknown[];
  run(...values: (string | number)[]): { readonly changes: number | bigint };
}

export interface SqliteStoreOptions {
  /**
   * The table of the records, so that several apps can share a database. 1 to 48 characters of
   * `a-z 0-9 _` that do not start with a digit. Default: `madeleine`.
   */
  readonly table?: string;
}

/** In milliseconds: how long a write waits for another process, which holds up this one too. */
const BUSY_TIMEOUT = 200;

/**
 * A store in an SQLite file, for the processes of one machine, from SQLite 3.38. It makes its table
 * and the index `TABLE_expires` unless they exist. It sets the handle to write-ahead logging, to a
 * `busy_timeout` of 200 ms, and to `synchronous = NORMAL`: what it acknowledged survives the end of
 * the process by any signal. To survive a loss of power too, run `PRAGMA synchronous = FULL` on the
 * handle afterwards; each write then waits for the disk.
 *
 * `get` and `replace` answer at once, without a promise, so `storeTimeout` does not apply. Each
 * write removes up to two expired rows. While another process writes, a write waits for up to 200
 * ms, and this process does nothing else; so for 200 ms after a write failed, other writes fail
 * without waiting. Reads do not wait for writes.
 *
 * Give the store a handle that nothing else uses, because it begins and commits transactions. The
 * handle stays yours to close.
 *
 * ```ts
 * const store = sqliteStore(new Database("data/sessions.sqlite")); // of bun:sqlite
 * const store = sqliteStore(new DatabaseSync("data/sessions.sqlite")); // of node:sqlite
 * ```
 *
 * Throws `SessionOptionsError` if the handle or an option is wrong, and `SessionStoreError` if the
 * table has other columns than the store needs. Whatever SQLite throws later is the `cause` of a
 * `SessionStoreError`.
 */
export function sqliteStore(database: SqliteDatabase, options: SqliteStoreOptions = {}): Store {
  checkHandle(database);
  checkOptionNames(options, ["table"]);
  const { table = "madeleine" } = options;
  checkTable(table);
  const { purge, insert, update, begin, commit, rollback } = attempt(() => {
    openTable(database, table);
    return prepareStatements(database, table);
  });
  /** By the number of keys, which is small: the library asks for at most six. */
  const selects = new Map<number, SqliteStatement>();

  /** One statement for all keys, because each one locks the file anew. */
  function prepareSelect(count: number): SqliteStatement {
    const columns = Array.from(
      { length: count },
      (_, at) =>
        `(SELECT value FROM "${table}" WHERE key = ?${at + 2} AND expires > ?1) AS value${at}`,
    );
    const select = database.prepare(`SELECT ${columns.join(", ")}`);
    selects.set(count, select);
    return select;
  }

  function get(keys: readonly string[]): (string | undefined)[] {
    if (keys.length === 0) return [];
    const select = selects.get(keys.length) ?? prepareSelect(keys.length);
    const [row] = select.all(Date.now(), ...keys);
    return keys.map((_, at) => valueOf(row, `value${at}`));
  }

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
      ignoreErrors(() => rollback.run()); // SQLite has rolled back some errors itself.
      throw error;
    }
  }

  let failedAt = -Infinity; // On the clock of `performance`: the last write that failed.
  return {
    get: (keys) => attempt(() => get(keys)),
    replace(...change) {
      if (performance.now() - failedAt < BUSY_TIMEOUT) {
        throw new SessionStoreError("SQLite failed just now");
      }
      return attempt(
        () => replace(...change),
        () => (failedAt = performance.now()),
      );
    },
  };
}

function checkHandle(database: unknown): void {
  if (typeof database === "object" && database !== null) {
    const hasExec = "exec" in database && typeof database.exec === "function";
    const hasPrepare = "prepare" in database && typeof database.prepare === "function";
    if (hasExec && hasPrepare) return;
  }
  throw new SessionOptionsError(
    "Cannot make an SQLite store: expected a Database of bun:sqlite or a DatabaseSync of " +
      `node:sqlite, got ${describe(database)}. ` +
      `Write sqliteStore(new Database("data/sessions.sqlite"))`,
  );
}

/** Makes the table where there is none, and checks one that was there before. */
function openTable(database: SqliteDatabase, table: string): void {
  database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
  database.exec("PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = NORMAL");
  database.exec(`CREATE TABLE IF NOT EXISTS "${table}" (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, expires INTEGER NOT NULL -- ms since 1970
  ) STRICT`);
  checkColumns(database, table);
  database.exec(`CREATE INDEX IF NOT EXISTS "${table}_expires" ON "${table}" (expires)`);
}

const COLUMNS = { key: "TEXT", value: "TEXT", expires: "INTEGER" };

/**
 * A column of another type may change what it is given, and a table that is not STRICT may hold
 * values of any type. Then records vanish, and ended sessions come back.
 */
function checkColumns(database: SqliteDatabase, table: string): void {
  const typeOf = database.prepare(
    "SELECT (SELECT type FROM pragma_table_info(?) WHERE name = ?) AS value",
  );
  for (const [column, expected] of Object.entries(COLUMNS)) {
    const type = valueOf(typeOf.all(table, column)[0], "value");
    if (type?.toUpperCase() === expected) continue;
    const state = type === undefined ? "is missing" : `has type ${type}`;
    throw new SessionStoreError(
      `column ${column} of table ${table} ${state}, expected ${expected}`,
    );
  }
  const strict = database.prepare("SELECT 1 FROM pragma_table_list(?) WHERE strict").all(table);
  if (strict.length === 0) {
    throw new SessionStoreError(`table ${table} is not STRICT, expected CREATE TABLE … STRICT`);
  }
}

interface Statements {
  readonly purge: SqliteStatement;
  readonly insert: SqliteStatement;
  readonly update: SqliteStatement;
  readonly begin: SqliteStatement;
  readonly commit: SqliteStatement;
  readonly rollback: SqliteStatement;
}

function prepareStatements(database: SqliteDatabase, table: string): Statements {
  return {
    purge: database.prepare(
      `DELETE FROM "${table}" WHERE key IN
        (SELECT key FROM "${table}" WHERE expires <= ? ORDER BY expires LIMIT 2)`,
    ),
    insert: database.prepare(
      `INSERT INTO "${table}" AS record (key, value, expires) VALUES (?, ?, ?)
        ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires
        WHERE record.expires <= ?`,
    ),
    update: database.prepare(
      `UPDATE "${table}" SET value = ?, expires = ? WHERE key = ? AND value = ? AND expires > ?`,
    ),
    begin: database.prepare("BEGIN IMMEDIATE"),
    commit: database.prepare("COMMIT"),
    rollback: database.prepare("ROLLBACK"),
  };
}

function attempt<T>(action: () => T, onFailure?: () => void): T {
  try {
    return action();
  } catch (error) {
    onFailure?.();
    if (error instanceof SessionStoreError) throw error;
    throw new SessionStoreError("SQLite failed", { cause: error });
  }
}

function ignoreErrors(action: () => unknown): void {
  try {
    action();
  } catch {}
}

/** The text in a column of a row. Undefined for NULL. */
function valueOf(row: unknown, column: string): string | undefined {
  const value: unknown =
    typeof row === "object" && row !== null ? Reflect.get(row, column) : undefined;
  if (typeof value === "string") return value;
  if (value === null) return undefined;
  throw new SessionStoreError(`SQLite gave ${describe(value)}, expected text`);
}
