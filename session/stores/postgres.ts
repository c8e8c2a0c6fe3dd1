import type { SQL } from "bun";
import { SessionOptionsError, SessionStoreError } from "../errors.ts";
import { checkOptionNames, checkTable, describe, type Store } from "./store.ts";

export interface PostgresStoreOptions {
  /**
   * The table of the records, so that several apps can share a database. 1 to 48 characters of
   * `a-z 0-9 _` that do not start with a digit. Default: `madeleine`.
   */
  readonly table?: string;
}

/**
 * In milliseconds, for a free connection and then for its answer: the longest `storeTimeout`, so
 * nobody waits longer.
 */
const LONGEST_WAIT = 10_000;

/**
 * A store in PostgreSQL, from version 12, for any number of instances, with the SQL of Bun. At its
 * first use it makes its table and the index `TABLE_expires`, unless the handle's `search_path` has
 * the table; then the user needs only SELECT, INSERT, UPDATE and DELETE on it. Time is the
 * server's.
 *
 * Each write removes up to two expired rows. Every error of PostgreSQL is the `cause` of a
 * `SessionStoreError`, and a table with other columns than the store needs is one, too. How long a
 * request waits is the `storeTimeout` of `createSessions`. A connection that has not answered for
 * 10 s is closed, and the pool opens another, so a silent server does not use up the pool. Of the
 * calls that wait for a connection the newest is next, and at most 10,000 wait. The handle stays
 * yours to close. Open it like this, because by default it waits 30 s for a server that is silent
 * from the start:
 *
 * ```ts
 * const store = postgresStore(new SQL(url, { connectionTimeout: 1 }));
 * ```
 *
 * Reads have to go to the primary, and its isolation level has to stay `read committed`. A failover
 * to an asynchronous standby forgets the endings that had not reached it.
 *
 * Throws `SessionOptionsError` if the handle or an option is wrong.
 */
export function postgresStore(sql: SQL, options: PostgresStoreOptions = {}): Store {
  checkHandle(sql);
  checkOptionNames(options, ["table"]);
  const { table = "madeleine" } = options;
  checkTable(table);
  const queries = queriesFor(table);
  const run = createRun(sql);
  let opened: Promise<void> | undefined;

  /** The second column of the query's rows, of which there is one for each key, in order. */
  async function ask(
    keys: readonly string[],
    query: string,
    values: unknown[],
  ): Promise<unknown[]> {
    try {
      opened ??= openTable(sql, table, run);
      await opened.catch((error: unknown) => {
        opened = undefined; // The next call tries again.
        throw error;
      });
      const rows = await run((connection) => connection.unsafe(query, values).values());
      return keys.map((key, place) => answerTo(key, place, rows));
    } catch (error) {
      if (error instanceof SessionStoreError) throw error;
      throw new SessionStoreError("PostgreSQL failed", { cause: error });
    }
  }

  return {
    async get(keys) {
      const answers = await ask(keys, queries.get, [sql.array([...keys], "TEXT")]);
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

function checkHandle(sql: unknown): void {
  const adapter = adapterOf(sql);
  if (adapter === "postgres") return;
  const given = adapter === undefined ? describe(sql) : `an SQL of Bun for ${adapter}`;
  throw new SessionOptionsError(
    `Cannot make a PostgreSQL store: expected an SQL of Bun for postgres, got ${given}. ` +
      `Write postgresStore(new SQL("postgres://user@host/database"))`,
  );
}

/** The kind of database that a handle of Bun is for; undefined for any other value. */
function adapterOf(sql: unknown): string | undefined {
  if (typeof sql !== "function" || !("reserve" in sql) || !("options" in sql)) return undefined;
  const { options } = sql;
  if (typeof options !== "object" || options === null || !("adapter" in options)) return undefined;
  return String(options.adapter);
}

/** Makes the table where there is none, and checks one that was there before. */
async function openTable(sql: SQL, table: string, run: Run): Promise<void> {
  // Looks first, because CREATE needs a right on the schema even where the table exists. Locks,
  // because of two that create one table at once one fails; any number of our own will do.
  const create = `DO $$ BEGIN IF to_regclass('"${table}"') IS NULL THEN
      PERFORM pg_advisory_xact_lock(7236450182);
      CREATE TABLE IF NOT EXISTS "${table}"
        (key text PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL);
      CREATE INDEX IF NOT EXISTS "${table}_expires" ON "${table}" (expires);
    END IF; END $$`;
  await run((connection) => connection.unsafe(create).simple());
  await checkColumns(sql, table, run);
}

const COLUMNS = { key: "text", value: "text", expires: "timestamp with time zone" };

/**
 * A column of another type may change what it is given: `char` pads it, `json` formats it, `bytea`
 * is no text. Then records vanish, and ended sessions come back.
 */
async function checkColumns(sql: SQL, table: string, run: Run): Promise<void> {
  const names = sql.array(Object.keys(COLUMNS), "TEXT");
  const query = `SELECT asked.name, format_type(atttypid, atttypmod)
    FROM unnest($1::text[]) WITH ORDINALITY AS asked (name, place)
    LEFT JOIN pg_attribute ON attrelid = to_regclass('"${table}"') AND attname = asked.name
    ORDER BY place`;
  const rows = await run((connection) => connection.unsafe(query, [names]).values());
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
  /** The value of each key in $1, a list. */
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
    get: `SELECT asked.key, value FROM unnest($1::text[]) WITH ORDINALITY AS asked (key, place)
      LEFT JOIN "${table}" AS record ON record.key = asked.key AND expires > now() ORDER BY place`,
    insert: countOf(`INSERT INTO "${table}" AS record (key, value, expires)
      VALUES ($1, $2, now() + make_interval(secs => $3))
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires
      WHERE record.expires <= now()`),
    update: countOf(`UPDATE "${table}" SET value = $2, expires = now() + make_interval(secs => $3)
      WHERE key = $1 AND value = $4 AND expires > now()`),
  };
}

type Query = (connection: SQL) => PromiseLike<unknown>;
type Run = (query: Query) => Promise<unknown>;

/** Returns a function that runs queries, at most one on each connection of the pool. */
function createRun(sql: SQL): Run {
  const { max = 10 } = sql.options;
  const turns = createTurns(max);

  return async function run(query) {
    await turns.take();
    try {
      const waiting = new AbortController();
      using connection = await bounded(sql.reserve({ signal: waiting.signal }), () =>
        waiting.abort(new Error(`No free connection in ${LONGEST_WAIT} ms`)),
      );
      // A silent connection never comes back by itself, and each one is missing from the pool.
      return await bounded(query(connection), () => void connection.close({ timeout: 0 }));
    } finally {
      turns.give();
    }
  };
}

interface Turns {
  /** Waits for a turn. Rejects if too many others come after it. */
  take(): Promise<void>;
  /** Ends a turn. */
  give(): void;
}

/** When more calls wait than this, the request of the oldest one has long given up. */
const MOST_WAITING = 10_000;

/**
 * Lets `count` calls run at once. Of those that wait, the newest is next. With the oldest next, an
 * overloaded database would only work for requests that have given up, and answer none in time.
 */
function createTurns(count: number): Turns {
  const waiting: PromiseWithResolvers<void>[] = [];
  let free = count;

  return {
    async take() {
      if (free > 0) {
        free -= 1;
        return;
      }
      const turn = Promise.withResolvers<void>();
      waiting.push(turn);
      if (waiting.length > MOST_WAITING) waiting.shift()?.reject(new Error("Too many calls wait"));
      await turn.promise;
    },
    give() {
      const turn = waiting.pop();
      if (turn === undefined) free += 1;
      else turn.resolve();
    },
  };
}

/** Waits for the promise. `giveUp`, which makes it reject, is called after 10 s. */
async function bounded<T>(promise: PromiseLike<T>, giveUp: () => void): Promise<T> {
  const timer = setTimeout(giveUp, LONGEST_WAIT);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
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
