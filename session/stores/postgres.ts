import { SessionStoreError } from "../errors.ts";
import { createRun, type PostgresHandle, type Run } from "./postgres_handle.ts";
import { checkOptionNames, checkTable, describe, type Store } from "./store.ts";

export type { PostgresHandle } from "./postgres_handle.ts";

export interface PostgresStoreOptions {
  /**
   * The table of the records, so that several apps can share a database. 1 to 48 characters of
   * `a-z 0-9 _` that do not start with a digit. Default: `madeleine`.
   */
  readonly table?: string;
}

/**
 * A store in PostgreSQL, from version 12, for any number of instances, on an SQL of Bun, a `Pool` of pg
 * or an `sql` of Postgres.js. At its first use it makes its table and the index `TABLE_expires`, unless
 * the handle's `search_path` has the table; then the user needs only SELECT, INSERT, UPDATE and DELETE
 * on it. Time is the server's.
 *
 * Each write removes up to two expired rows. Every error of PostgreSQL is the `cause` of a
 * `SessionStoreError`, and a table with other columns than the store needs is one, too. How long a
 * request waits is the `storeTimeout` of `createSessions`. A connection that has not answered for
 * 10 s is closed, and the pool opens another, so a silent server does not use up the pool; Postgres.js
 * cannot do that. Of the calls that wait for a connection the newest is next, and at most 10,000 wait.
 * The handle stays yours to close. Open it like one of these, because by default all of them wait long
 * for a server that is silent from the start:
 *
 * ```ts
 * const store = postgresStore(new SQL(url, { connectionTimeout: 1 }));
 * const store = postgresStore(new Pool({ connectionString, connectionTimeoutMillis: 1000 }));
 * const store = postgresStore(postgres(url, { connect_timeout: 1 }));
 * ```
 *
 * A `Pool` of pg ends the process when an idle connection breaks, unless it has a listener for `error`:
 * `pool.on("error", console.error)`.
 *
 * Reads have to go to the primary, and its isolation level has to stay `read committed`. A failover
 * to an asynchronous standby forgets the endings that had not reached it.
 *
 * Throws `SessionOptionsError` if the handle or an option is wrong.
 */
export function postgresStore(handle: PostgresHandle, options: PostgresStoreOptions = {}): Store {
  const run = createRun(handle);
  checkOptionNames(options, ["table"]);
  const { table = "madeleine" } = options;
  checkTable(table);
  const queries = queriesFor(table);
  let opened: Promise<void> | undefined;

  /** The second column of the query's rows, of which there is one for each key, in order. */
  async function ask(
    keys: readonly string[],
    query: string,
    values: unknown[],
  ): Promise<unknown[]> {
    try {
      opened ??= openTable(table, run);
      await opened.catch((error: unknown) => {
        opened = undefined; // The next call tries again.
        throw error;
      });
      const rows = await run(query, values);
      return keys.map((key, place) => answerTo(key, place, rows));
    } catch (error) {
      if (error instanceof SessionStoreError) throw error;
      throw new SessionStoreError("PostgreSQL failed", { cause: error });
    }
  }

  return {
    async get(keys) {
      const answers = await ask(keys, queries.get, [keys.join(",")]);
      return answers.map(textOf);
    },
    async replace(key, previous, next, ttl) {
      const [count] =
        previous === undefined
          ? await ask([key], queries.insert, [key, next, ttl])
          : await ask([key], queries.update, [key, next, ttl, previous]);
      if (count === 1 || count === 0) return count === 1;
      throw new SessionStoreError(`PostgreSQL gave ${describe(count)}, expected 0 or 1`);
    },
  };
}

/** Makes the table where there is none, and checks one that was there before. */
async function openTable(table: string, run: Run): Promise<void> {
  // Looks first, because CREATE needs a right on the schema even where the table exists. Locks,
  // because of two that create one table at once one fails; any number of our own will do.
  const create = `DO $$ BEGIN IF to_regclass('"${table}"') IS NULL THEN
      PERFORM pg_advisory_xact_lock(7236450182);
      CREATE TABLE IF NOT EXISTS "${table}"
        (key text PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL);
      CREATE INDEX IF NOT EXISTS "${table}_expires" ON "${table}" (expires);
    END IF; END $$`;
  await run(create);
  await checkColumns(table, run);
}

const COLUMNS = { key: "text", value: "text", expires: "timestamp with time zone" };

/**
 * A column of another type may change what it is given: `char` pads it, `json` formats it, `bytea`
 * is no text. Then records vanish, and ended sessions come back.
 */
async function checkColumns(table: string, run: Run): Promise<void> {
  const query = `SELECT asked.name, format_type(atttypid, atttypmod)
    FROM unnest(string_to_array($1, ',')) WITH ORDINALITY AS asked (name, place)
    LEFT JOIN pg_attribute ON attrelid = to_regclass('"${table}"') AND attname = asked.name
    ORDER BY place`;
  const rows = await run(query, [Object.keys(COLUMNS).join(",")]);
  for (const [place, [column, expected]] of Object.entries(COLUMNS).entries()) {
    const type = textOf(answerTo(column, place, rows));
    if (type === expected) continue;
    const state = type === undefined ? "is missing" : `has type ${type}`;
    throw new SessionStoreError(
      `column ${column} of table ${table} ${state}, expected ${expected}`,
    );
  }
}

interface Queries {
  /** The value of each key in $1, where commas stand between them: no key has one. */
  readonly get: string;
  /** Puts the value $2 under the key $1 for $3 seconds, and counts how often: 0 or 1. */
  readonly insert: string;
  /** The same, in place of the value $4. */
  readonly update: string;
}

function queriesFor(table: string): Queries {
  // Skips rows that another write holds, so that no write waits for what another one purges.
  const purge = `DELETE FROM "${table}" WHERE key IN (
    SELECT key FROM "${table}" WHERE expires <= now() AND key <> $1
    ORDER BY expires LIMIT 2 FOR UPDATE SKIP LOCKED)`;
  const countOf = (put: string): string =>
    `WITH put AS (${put} RETURNING 1), purged AS (${purge})
      SELECT $1::text, count(*)::int FROM put`;
  return {
    get: `SELECT asked.key, value FROM unnest(string_to_array($1, ',')) WITH ORDINALITY AS asked (key, place)
      LEFT JOIN "${table}" AS record ON record.key = asked.key AND expires > now() ORDER BY place`,
    insert: countOf(`INSERT INTO "${table}" AS record (key, value, expires)
      VALUES ($1, $2, now() + make_interval(secs => $3))
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires
      WHERE record.expires <= now()`),
    update: countOf(`UPDATE "${table}" SET value = $2, expires = now() + make_interval(secs => $3)
      WHERE key = $1 AND value = $4 AND expires > now()`),
  };
}

/** The second column of the row in its place, which has to be about the key. */
function answerTo(key: string, place: number, rows: unknown): unknown {
  const row: unknown = Array.isArray(rows) ? rows[place] : undefined;
  if (!Array.isArray(row) || row[0] !== key) throw new Error("Answer to another query");
  return row[1];
}

function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (value === null) return undefined;
  throw new SessionStoreError(`PostgreSQL gave ${describe(value)}, expected text`);
}
