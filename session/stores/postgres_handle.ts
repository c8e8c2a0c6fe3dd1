import { SessionOptionsError } from "../errors.ts";
import { within } from "../maybe.ts";
import { describe } from "./store.ts";

/** What `postgresStore` takes: an SQL of Bun, an `sql` of Postgres.js or a `Pool` of pg. */
export type PostgresHandle = PostgresSql | PostgresPool;

/** As much as we use of an SQL of Bun and of an `sql` of Postgres.js. */
export interface PostgresSql {
  readonly options: object;
  unsafe(text: string, values?: unknown[], options?: { prepare?: boolean }): PostgresQuery;
  reserve(options?: { signal?: AbortSignal }): PromiseLike<ReservedPostgresSql>;
}

/** One of its connections. */
export interface ReservedPostgresSql {
  unsafe(text: string, values?: unknown[]): PostgresQuery;
  release(): unknown;
  /** Only Bun's has it. */
  close?(options: { timeout?: number }): unknown;
}

export interface PostgresQuery {
  simple(): PromiseLike<unknown>;
  /** Each row as an array. */
  values(): PromiseLike<unknown>;
}

/** As much as we use of a `Pool` of pg. */
export interface PostgresPool {
  readonly options: object;
  readonly totalCount: number;
  connect(): PromiseLike<PostgresClient>;
}

/** One of its connections. */
export interface PostgresClient {
  query(query: { text: string; values?: unknown[]; rowMode: "array" }): PromiseLike<{
    rows: unknown;
  }>;
  release(isBroken?: boolean): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

/** Gives the query's rows, each as an array. Without values it may be of several statements. */
export type Run = (text: string, values?: unknown[]) => Promise<unknown>;

/** A connection of the pool. */
interface Connection {
  query(text: string, values?: unknown[]): PromiseLike<unknown>;
  /** Gives up a query that gets no answer. */
  close(): void;
  release(): void;
}

/**
 * In milliseconds, for a free connection and then for its answer: the longest `storeTimeout`, so
 * nobody waits longer.
 */
const LONGEST_WAIT = 10_000;
/** As all three have it where the options don't say. */
const CONNECTIONS = 10;

/**
 * Returns a function that runs queries, at most one on each connection of the pool. Throws
 * `SessionOptionsError` for a handle that it cannot use.
 */
export function createRun(handle: PostgresHandle): Run {
  checkHandle(handle);
  const turns = createTurns("max" in handle.options ? Number(handle.options.max) : CONNECTIONS);
  const connect = connectOf(handle);

  return async function run(text, values) {
    await turns.take();
    try {
      const waiting = new AbortController();
      const connecting = connect(waiting.signal);
      const connection = await within(connecting, LONGEST_WAIT, () => {
        waiting.abort();
        void connecting.then((connection) => connection.release(), ignore);
        return new Error(`No free connection in ${LONGEST_WAIT} ms`);
      });
      try {
        return await within(connection.query(text, values), LONGEST_WAIT, () => {
          // A silent connection never comes back by itself, and each one is missing from the pool.
          connection.close();
          return new Error(`No answer in ${LONGEST_WAIT} ms`);
        });
      } finally {
        connection.release();
      }
    } finally {
      turns.give();
    }
  };
}

function ignore(): void {}

type Connect = (signal: AbortSignal) => Promise<Connection>;

function connectOf(handle: PostgresHandle): Connect {
  if (!("reserve" in handle)) return connectPool(handle);
  return "adapter" in handle.options ? connectBun(handle) : connectPostgresJs(handle);
}

function connectBun(sql: PostgresSql): Connect {
  return async (signal) => {
    const connection = await sql.reserve({ signal });
    return {
      query(text, values) {
        const query = connection.unsafe(text, values);
        return values === undefined ? query.simple() : query.values();
      },
      close: () => void connection.close?.({ timeout: 0 }),
      release: () => void connection.release(),
    };
  };
}

/**
 * Postgres.js cannot close one connection, and would give out one that broke while it was reserved. So
 * it divides its connections among the queries itself, and a silent one stays in use.
 */
function connectPostgresJs(sql: PostgresSql): Connect {
  const connection: Connection = {
    query(text, values) {
      if (values === undefined) return sql.unsafe(text).simple();
      return sql.unsafe(text, values, { prepare: true }).values();
    },
    close: ignore,
    release: ignore,
  };
  return () => Promise.resolve(connection);
}

function connectPool(pool: PostgresPool): Connect {
  return async () => {
    const client = await pool.connect();
    let isBroken = false;
    // An error that nobody listens to ends the process. The query gets it as well.
    client.on("error", ignore);
    return {
      async query(text, values) {
        const query = { text, rowMode: "array" as const };
        try {
          const { rows } = await client.query(values === undefined ? query : { ...query, values });
          return rows;
        } catch (error) {
          // The pool notices only when the socket closes, and would give the connection out again.
          isBroken ||= !isOfStatement(error);
          throw error;
        }
      },
      close: () => void (isBroken = true),
      release() {
        // Of a broken one the pool ends the connection, and what it still says is nobody's business.
        if (!isBroken) client.removeListener("error", ignore);
        client.release(isBroken);
      },
    };
  };
}

/** Whether the server refused a statement, and so goes on. Its connection ends with class 08 and 57P. */
function isOfStatement(error: unknown): boolean {
  if (!(error instanceof Error) || !("severity" in error) || !("code" in error)) return false;
  return !/^(?:08|57P)/.test(String(error.code));
}

const EXPECTED = "expected an SQL of Bun, a Pool of pg or an sql of Postgres.js";
const POOL_LINE = "postgresStore(new Pool({ connectionString }))";

function checkHandle(handle: unknown): void {
  if (isPool(handle)) return;
  const adapter = adapterOf(handle);
  if (adapter === "postgres") return;
  const given = adapter === undefined ? describe(handle) : `an SQL of Bun for ${adapter}`;
  // A Client of pg has one connection, and nobody to open it again.
  const lines =
    has(handle, "connect") && has(handle, "query") ? [] : ["postgresStore(new SQL(url))"];
  const others = lines.length === 0 ? [] : ["postgresStore(postgres(url))"];
  throw new SessionOptionsError(
    `Cannot make a PostgreSQL store: ${EXPECTED}, got ${given}. ` +
      `Write ${[...lines, POOL_LINE, ...others].join(" or ")}`,
  );
}

function isPool(handle: unknown): boolean {
  return has(handle, "connect") && "totalCount" in handle && has(handle, "query");
}

function has(handle: unknown, method: string): handle is object {
  const isObject = typeof handle === "object" && handle !== null;
  return isObject && typeof Reflect.get(handle, method) === "function";
}

/** The kind of database that an SQL is for; undefined for any other value. */
function adapterOf(sql: unknown): string | undefined {
  if (typeof sql !== "function" || !("reserve" in sql) || !("options" in sql)) return undefined;
  const { options } = sql;
  if (typeof options !== "object" || options === null) return undefined;
  // Postgres.js is for PostgreSQL alone, and has no such option.
  return "adapter" in options ? String(options.adapter) : "postgres";
}

interface Turns {
  /** Waits for a turn. Rejects if too many others come after it. */
  take(): Promise<void>;
  /** Ends a turn. */
  give(): void;
}

interface Turn {
  resolve(): void;
  reject(error: Error): void;
}

/** When more calls wait than this, the request of the oldest one has long given up. */
const MOST_WAITING = 10_000;

/**
 * Lets `count` calls run at once. Of those that wait, the newest is next. With the oldest next, an
 * overloaded database would only work for requests that have given up, and answer none in time.
 */
function createTurns(count: number): Turns {
  const waiting: Turn[] = [];
  let free = count;

  return {
    async take() {
      if (free > 0) {
        free -= 1;
        return;
      }
      await new Promise<void>((resolve, reject) => {
        waiting.push({ resolve, reject });
        if (waiting.length > MOST_WAITING) {
          waiting.shift()?.reject(new Error("Too many calls wait"));
        }
      });
    },
    give() {
      const turn = waiting.pop();
      if (turn === undefined) free += 1;
      else turn.resolve();
    },
  };
}
