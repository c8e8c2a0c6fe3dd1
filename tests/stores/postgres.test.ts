import { SQL, peek } from "bun";
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  jest,
  setDefaultTimeout,
  spyOn,
  test,
} from "bun:test";
import { SessionStoreError } from "../../session/errors.ts";
import { postgresStore } from "../../session/stores/postgres.ts";
import { POSTGRES_URL, RUN, failure, hasPostgres } from "../support/store_harness.ts";

// Only ends a test that waits for ever: far more than any of them takes.
setDefaultTimeout(30_000);

/** Ends when a statement of the application waits for a lock. */
async function isBlocked(sql: SQL, application: string): Promise<void> {
  let rows: unknown[] = [];
  while (rows.length === 0) {
    rows = await sql`SELECT FROM pg_stat_activity
      WHERE wait_event_type = 'Lock' AND application_name = ${application}`;
  }
}

/** Ends when the store waits for something. */
async function timerIsSet(): Promise<void> {
  while (jest.getTimerCount() === 0) await Promise.resolve();
}

describe.skipIf(!hasPostgres)("postgresStore", () => {
  const schema = `test_${RUN}_postgres`;
  // No test cuts the power, and waiting for the disk would take most of the time.
  const connection = {
    search_path: schema,
    synchronous_commit: "off",
    application_name: schema,
  };
  const sql = new SQL(POSTGRES_URL, { max: 8, connection });
  const store = postgresStore(sql);
  beforeAll(async () => {
    // There is no schema yet, and so no place for the table.
    expect(await failure(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
    await sql`CREATE SCHEMA ${sql(schema)}`;
  });
  afterAll(async () => {
    await sql`DROP SCHEMA ${sql(schema)} CASCADE`;
    await sql.close();
  });

  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  test("tries again to make its table after that failed", async () => {
    expect(await store.get(["a"])).toEqual([undefined]);
  });

  test("makes the table once where many instances start at once", async () => {
    for (let i = 0; i < 3; i += 1) {
      await sql`DROP TABLE madeleine`;
      const stores = Array.from({ length: 8 }, () => postgresStore(sql));
      const results = await Promise.all(stores.map(async (store) => await store.get(["a"])));
      expect(results).toEqual(stores.map(() => [undefined]));
    }
  });

  test("makes a table and an index with the name it is given", async () => {
    await postgresStore(sql, { table: "shop_sessions" }).get([]);
    const rows: { indexname: string }[] = await sql`SELECT indexname FROM pg_indexes
      WHERE schemaname = ${schema} AND tablename = 'shop_sessions' ORDER BY indexname`;
    expect(rows.map((row) => row.indexname)).toEqual([
      "shop_sessions_expires",
      "shop_sessions_pkey",
    ]);
  });

  describe("a table that was there before", () => {
    const GOOD = "key text PRIMARY KEY, value text NOT NULL, expires timestamptz NOT NULL";

    test("is used where its columns are right, among others", async () => {
      await sql.unsafe(`CREATE TABLE good (more int, gone int, ${GOOD})`);
      await sql.unsafe("ALTER TABLE good DROP COLUMN gone");
      const store = postgresStore(sql, { table: "good" });
      expect(await store.replace("a", undefined, "1", 60)).toBe(true);
      expect(await store.get(["a"])).toEqual(["1"]);
    });

    test.each([
      ["value", "bytea", "has type bytea"],
      ["value", "json", "has type json"],
      ["value", "jsonb", "has type jsonb"],
      ["value", "varchar(100)", "has type character varying(100)"],
      ["value", "varchar", "has type character varying"],
      ["value", "char(100)", "has type character(100)"],
      ["value", "name", "has type name"],
      ["value", null, "is missing"],
      ["key", "char(64)", "has type character(64)"],
      ["key", "bytea", "has type bytea"],
      ["expires", "timestamp", "has type timestamp without time zone"],
      ["expires", "timestamptz(0)", "has type timestamp(0) with time zone"],
      ["expires", "date", "has type date"],
    ])("is an error where column %s is %p", async (column, type, state) => {
      const change =
        type === null ? `DROP COLUMN ${column}` : `ALTER COLUMN ${column} TYPE ${type} USING NULL`;
      const table = `bad_${crypto.randomUUID().slice(0, 8)}`;
      await sql.unsafe(`CREATE TABLE ${table} (${GOOD}); ALTER TABLE ${table} ${change}`).simple();
      const store = postgresStore(sql, { table });
      const expected = column === "expires" ? "timestamp with time zone" : "text";
      for (const call of [() => store.get(["a"]), () => store.replace("a", undefined, "1", 60)]) {
        const error = await failure(call);
        expect(error).toBeInstanceOf(SessionStoreError);
        expect(String(error)).toContain(
          `column ${column} of table ${table} ${state}, expected ${expected}`,
        );
      }
    });

    test("is good again once its columns are, without a restart", async () => {
      await sql.unsafe(`CREATE TABLE mended (${GOOD.replace("value text", "value bytea")})`);
      const store = postgresStore(sql, { table: "mended" });
      expect(await failure(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
      await sql`ALTER TABLE mended ALTER COLUMN value TYPE text USING NULL`;
      expect(await store.get(["a"])).toEqual([undefined]);
    });
  });

  test("a write does not wait for the expired rows that another one holds", async () => {
    await store.replace("old", undefined, "1", 60);
    await sql`UPDATE madeleine SET expires = now()`;
    await sql.begin(async (transaction) => {
      await transaction`SELECT FROM madeleine FOR UPDATE`;
      expect(await store.replace("new", undefined, "1", 60)).toBe(true);
    });
  });

  test.each([
    ["the key is good", "a", ["1"]],
    ["another key is an error", "b", expect.any(SessionStoreError)],
  ])("an answer about %s", async (_title, key, result) => {
    await store.get([]);
    const connection = await sql.reserve();
    const answering = new Proxy(connection, {
      get: (target, name): unknown =>
        name === "unsafe" ? () => connection`SELECT ${key}::text, '1'` : Reflect.get(target, name),
    });
    spyOn(sql, "reserve").mockResolvedValue(answering);
    expect(await failure(() => store.get(["a"]))).toEqual(result);
  });

  describe("a slow server", () => {
    test("may take 9.9 s for a statement", async () => {
      await store.replace("slow", undefined, "1", 60);
      jest.useFakeTimers();
      let answer: unknown;
      await sql.begin(async (transaction) => {
        await transaction`SELECT FROM madeleine WHERE key = 'slow' FOR UPDATE`;
        answer = store.replace("slow", "1", "2", 60);
        await isBlocked(sql, schema);
        jest.advanceTimersByTime(9999);
      });
      expect(await answer).toBe(true);
      expect(jest.getTimerCount()).toBe(0);
    });

    test("loses a connection that it has not answered for 10 s", async () => {
      await store.replace("held", undefined, "1", 60);
      jest.useFakeTimers();
      await sql.begin(async (transaction) => {
        await transaction`SELECT FROM madeleine WHERE key = 'held' FOR UPDATE`;
        const error = failure(() => store.replace("held", "1", "2", 60));
        await isBlocked(sql, schema);
        jest.advanceTimersByTime(10_000);
        expect(await error).toBeInstanceOf(SessionStoreError);
      });
    });

    test("answers the newest of the calls that wait first", async () => {
      await using sql = new SQL(POSTGRES_URL, { max: 1, connection });
      const store = postgresStore(sql);
      await store.get([]);
      for (const _round of ["first", "second"]) {
        const held = await sql.reserve();
        const order: string[] = [];
        const calls = ["running", "oldest", "middle", "newest"].map(async (name) => {
          await store.get([name]);
          order.push(name);
        });
        await held.release();
        await Promise.all(calls);
        expect(order).toEqual(["running", "newest", "middle", "oldest"]);
      }
    });

    test("refuses the oldest call where more than 10,000 wait", async () => {
      const sql = new SQL(POSTGRES_URL, { max: 1, connection });
      const store = postgresStore(sql);
      await store.get([]);
      await sql.reserve();
      const calls = Array.from({ length: 10_002 }, () => failure(() => store.get(["a"])));
      expect(await calls[1]).toBeInstanceOf(SessionStoreError);
      const others = calls.filter((_, i) => i !== 1);
      expect(others.map((call) => peek.status(call))).not.toContain("fulfilled");
      await sql.close({ timeout: 0 });
      await Promise.all(others);
    });

    test("makes no call wait longer than 10 s for a connection", async () => {
      const held = await Promise.all(Array.from({ length: 8 }, () => sql.reserve()));
      jest.useFakeTimers();
      const answer = store.get(["a"]);
      await timerIsSet();
      jest.advanceTimersByTime(9999);
      void held.pop()?.release();
      expect(await answer).toEqual([undefined]);

      held.push(await sql.reserve());
      const error = failure(() => store.get(["a"]));
      await timerIsSet();
      jest.advanceTimersByTime(10_000);
      expect(await error).toBeInstanceOf(SessionStoreError);
      for (const connection of held) void connection.release();
      expect(await store.get(["a"])).toEqual([undefined]);
    });
  });
});
