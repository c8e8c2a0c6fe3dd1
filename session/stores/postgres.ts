import type { SQL } from "bun";
import { SessionStoreError } from "../errors.ts";
import { within } from "../maybe.ts";
import type { Store } from "./store.ts";

// Asked for first, because CREATE needs a right on the schema even where the table exists; locked,
// because two that create one table at once fail. The number of the lock is any that is our own.
const TABLE = `
  DO $$ BEGIN IF to_regclass('madeleine') IS NULL THEN
    PERFORM pg_advisory_xact_lock(7236450182);
    CREATE TABLE IF NOT EXISTS madeleine
      (key text PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL);
    CREATE INDEX IF NOT EXISTS madeleine_expires ON madeleine (expires);
  END IF; END $$`;

/** In milliseconds: one statement, less than the 250 ms that a whole request may take. */
const DEADLINE = 200;

/**
 * A store in PostgreSQL, from version 12, for any number of instances. At its first use it makes
 * the table `madeleine` where the handle's `search_path` has none; with that table there, the user
 * needs SELECT, INSERT, UPDATE and DELETE on it. Time is the server's.
 *
 * Each write removes up to two expired rows. More than 200 ms for a free connection or for a
 * statement, and every error of PostgreSQL, are `SessionStoreError`. A connection that was too slow
 * is closed, and the pool opens another: the store comes back by itself. The handle stays yours to
 * close. Open it so, because the default is to wait 30 s for a server that is silent:
 *
 * ```ts
 * const store = postgresStore(new SQL(url, { connectionTimeout: 1 }));
 * ```
 *
 * Reads have to go to the primary, and its isolation level to stay `read committed`. A failover to
 * an asynchronous standby forgets the endings that had not reached it.
 */
export function postgresStore(sql: SQL): Store {
  let table: Promise<unknown> | undefined;

  /** The second column of the query's rows, of which there is one for each key, in order. */
  async function ask(keys: readonly string[], makeQuery: MakeQuery): Promise<unknown[]> {
    try {
      table ??= run(sql, (sql) => sql.unsafe(TABLE).simple());
      await table.catch((error: unknown) => {
        table = undefined; // The next call tries again.
        throw error;
      });
      const rows = await run(sql, (sql) => makeQuery(sql).values());
      return keys.map((key, place) => valueOf(rows, place, key));
    } catch (error) {
      throw new SessionStoreError("PostgreSQL failed", { cause: error });
    }
  }

  return {
    async get(keys) {
      const values = await ask(
        keys,
        (sql) => sql`SELECT asked.key, value
          FROM unnest(${sql.array([...keys], "TEXT")}::text[]) WITH ORDINALITY AS asked (key, place)
          LEFT JOIN madeleine ON madeleine.key = asked.key AND expires > now() ORDER BY place`,
      );
      return values.map((value) => (typeof value === "string" ? value : undefined));
    },
    async replace(key, previous, next, ttl) {
      const put: MakeQuery =
        previous === undefined
          ? (sql) => sql`INSERT INTO madeleine (key, value, expires)
              VALUES (${key}, ${next}, now() + make_interval(secs => ${ttl}))
              ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires
              WHERE madeleine.expires <= now() RETURNING 1`
          : (sql) => sql`UPDATE madeleine
              SET value = ${next}, expires = now() + make_interval(secs => ${ttl})
              WHERE key = ${key} AND value = ${previous} AND expires > now() RETURNING 1`;
      // Rows that another write holds are skipped: no write waits for what another one purges.
      const [count] = await ask(
        [key],
        (sql) => sql`WITH put AS (${put(sql)}), purged AS (
            DELETE FROM madeleine WHERE key IN (
              SELECT key FROM madeleine WHERE expires <= now() AND key <> ${key}
              ORDER BY expires LIMIT 2 FOR UPDATE SKIP LOCKED))
          SELECT ${key}::text, count(*)::int FROM put`,
      );
      return count === 1;
    },
  };
}

type MakeQuery = (sql: SQL) => SQL.Query<unknown>;

/** Runs a query on a connection of its own, which is closed where that takes too long. */
async function run(sql: SQL, makeQuery: MakeQuery): Promise<unknown> {
  using connection = await sql.reserve({ signal: AbortSignal.timeout(DEADLINE) });
  return await within(makeQuery(connection), DEADLINE, () => {
    void connection.close({ timeout: 0 }); // Silent ones would fill the pool for ever.
    return new Error(`No answer in ${DEADLINE} ms`);
  });
}

/** The second column of the row in its place, which has to be about the key. */
function valueOf(rows: unknown, place: number, key: string): unknown {
  const row: unknown = Array.isArray(rows) ? rows[place] : undefined;
  if (!Array.isArray(row) || row[0] !== key) throw new Error("Answer to another query");
  return row[1];
}
