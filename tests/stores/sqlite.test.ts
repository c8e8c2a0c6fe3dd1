import { Database } from "bun:sqlite";
import { afterAll, describe, expect, test } from "bun:test";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SessionStoreError } from "../../session/errors.ts";
import { sqliteStore } from "../../session/stores/sqlite.ts";
import { RUN } from "../support/store_harness.ts";

const file = join(tmpdir(), `madeleine-${RUN}-settings.sqlite`);
afterAll(() => Promise.all(["", "-wal", "-shm"].map((end) => rm(file + end, { force: true }))));

test("answers at once, without a promise", () => {
  using database = new Database(":memory:");
  const store = sqliteStore(database);
  expect(store.replace("a", undefined, "1", 60)).toBe(true);
  expect(store.get(["a"])).toEqual(["1"]);
});

test("waits for locks, writes ahead, and syncs at checkpoints", () => {
  using database = new Database(file);
  sqliteStore(database);
  const pragma = (name: string): unknown => database.query(`PRAGMA ${name}`).get();
  expect(pragma("journal_mode")).toEqual({ journal_mode: "wal" });
  expect(pragma("busy_timeout")).toEqual({ timeout: 200 });
  expect(pragma("synchronous")).toEqual({ synchronous: 1 });
});

test("makes a table and an index with the name it is given", () => {
  using database = new Database(":memory:");
  sqliteStore(database, { table: "shop_sessions" });
  const names = database
    .query<{ name: string }, []>("SELECT name FROM sqlite_schema WHERE sql IS NOT NULL")
    .all();
  expect(names).toEqual([{ name: "shop_sessions" }, { name: "shop_sessions_expires" }]);
});

test("gets keys with one statement, which is prepared once for each number of them", () => {
  using database = new Database(":memory:");
  const counts = { prepared: 0, run: 0 };
  const store = sqliteStore({
    exec: (sql) => database.run(sql),
    prepare(sql) {
      counts.prepared += 1;
      const statement = database.prepare(sql);
      return {
        all(...values) {
          counts.run += 1;
          return statement.all(...values);
        },
        run: (...values) => statement.run(...values),
      };
    },
  });
  const before = { ...counts };
  for (let time = 0; time < 3; time++) {
    expect(store.get(["a", "b", "c"])).toEqual([undefined, undefined, undefined]);
    expect(store.get(["a"])).toEqual([undefined]);
  }
  expect(counts).toEqual({ prepared: before.prepared + 2, run: before.run + 6 });
});

describe("a table that was there before", () => {
  const GOOD = "key TEXT PRIMARY KEY, value TEXT NOT NULL, expires INTEGER NOT NULL";

  test.each([
    [GOOD, "STRICT"],
    ["expires INTEGER, more ANY, value text, key text UNIQUE", "STRICT"],
  ])("is used where its columns are right: %s", (columns, options) => {
    using database = new Database(":memory:");
    database.run(`CREATE TABLE madeleine (${columns}) ${options}`);
    const store = sqliteStore(database);
    expect(store.replace("a", undefined, "1", 60)).toBe(true);
    expect(store.get(["a"])).toEqual(["1"]);
  });

  test.each([
    [GOOD.replace("value TEXT", "value BLOB"), "STRICT", "column value", "has type BLOB", "TEXT"],
    [GOOD.replace("value TEXT", "value ANY"), "STRICT", "column value", "has type ANY", "TEXT"],
    [GOOD.replace("value TEXT", "value JSON"), "", "column value", "has type JSON", "TEXT"],
    [GOOD.replace("key TEXT", "key BLOB"), "STRICT", "column key", "has type BLOB", "TEXT"],
    [GOOD.replace("INTEGER", "TEXT"), "STRICT", "column expires", "has type TEXT", "INTEGER"],
    [GOOD.replace("value", "val"), "STRICT", "column value", "is missing", "TEXT"],
  ])("is an error at once with %s %s", (columns, options, column, state, expected) => {
    using database = new Database(":memory:");
    database.run(`CREATE TABLE madeleine (${columns}) ${options}`);
    const open = (): unknown => sqliteStore(database);
    expect(open).toThrow(SessionStoreError);
    expect(open).toThrow(`${column} of table madeleine ${state}, expected ${expected}`);
  });

  test("is an error at once where it is not STRICT", () => {
    using database = new Database(":memory:");
    database.run(`CREATE TABLE "other" (${GOOD})`);
    const open = (): unknown => sqliteStore(database, { table: "other" });
    expect(open).toThrow(SessionStoreError);
    expect(open).toThrow("table other is not STRICT");
  });
});
