import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SessionOptionsError, SessionStoreError } from "../../session/errors.ts";
import type { Store } from "../../session/stores/store.ts";
import { memoryStore } from "../../session/stores/memory.ts";
import { sqliteStore } from "../../session/stores/sqlite.ts";
import {
  RUN,
  type Harness,
  failure,
  fresh,
  hasPostgres,
  hasRedis,
  memoryHarness,
  postgresHarness,
  redisHarness,
  sqliteHarness,
} from "../support/store_harness.ts";

describe.each([
  { name: "memory", isRunning: true, atOnce: 200, open: memoryHarness },
  { name: "sqlite", isRunning: true, atOnce: 200, open: sqliteHarness },
  { name: "redis", isRunning: hasRedis, atOnce: 200, open: redisHarness },
  // Fewer, because they wait for a pool of connections, and a slow machine has 200 ms for that.
  { name: "postgres", isRunning: hasPostgres, atOnce: 50, open: postgresHarness },
])("every store: $name", ({ isRunning, atOnce, open }) => {
  if (!isRunning) return;
  let harness: Harness;
  let store: Store;
  let other: Store;
  beforeAll(async () => {
    harness = await open();
    ({ store, other } = harness);
  });
  afterAll(() => harness.close());

  async function read(key: string): Promise<string | undefined> {
    return (await store.get([key]))[0];
  }

  test("two instances that start at once both work", async () => {
    const results = await Promise.all([store.get([fresh()]), other.get([fresh()])]);
    expect(results).toEqual([[undefined], [undefined]]);
  });

  test("a key that was never put has no value, and no keys have none", async () => {
    expect(await store.get([fresh()])).toEqual([undefined]);
    expect(await store.get([])).toEqual([]);
  });

  test("values come in the order of their keys, one for each time that a key is asked for", async () => {
    const [a, b, missing] = [`b${fresh()}`, `a${fresh()}`, fresh()];
    expect(await store.replace(a, undefined, "1", 60)).toBe(true);
    expect(await store.replace(b, undefined, "2", 60)).toBe(true);
    expect(await store.get([b, missing, a, b])).toEqual(["2", undefined, "1", "2"]);
  });

  test("replaces only what is expected to be there", async () => {
    const key = fresh();
    expect(await store.replace(key, "x", "1", 60)).toBe(false);
    expect(await read(key)).toBeUndefined();
    expect(await store.replace(key, undefined, "1", 60)).toBe(true);
    expect(await store.replace(key, undefined, "2", 60)).toBe(false);
    expect(await store.replace(key, "2", "2", 60)).toBe(false);
    expect(await store.replace(key, "", "2", 60)).toBe(false);
    expect(await read(key)).toBe("1");
    expect(await store.replace(key, "1", "2", 600)).toBe(true);
    expect(await read(key)).toBe("2");
    expect(await store.replace(key, "2", "2", 60)).toBe(true);
    expect(await read(key)).toBe("2");
  });

  test.each([
    ["cannot be changed", "1", false],
    ["can be put anew", undefined, true],
  ])(
    "a key that expired is as one that was never there: it %s",
    async (_title, previous, result) => {
      // More of them than one write removes; the last one first, because the oldest ones are removed.
      const keys = Array.from({ length: 8 }, fresh);
      for (const key of keys) await store.replace(key, undefined, "1", 60);
      for (const key of keys) await harness.expire(key);
      expect(await store.get(keys)).toEqual(keys.map(() => undefined));
      for (const key of keys.toReversed()) {
        expect(await store.replace(key, previous, "2", 60)).toBe(result);
      }
      expect(await store.get(keys)).toEqual(keys.map(() => (result ? "2" : undefined)));
    },
  );

  test("a replaced record lives for the new time", async () => {
    const key = fresh();
    await store.replace(key, undefined, "1", 1);
    expect(await store.replace(key, "1", "2", 3600)).toBe(true);
    const life = await harness.life(key);
    if (life === undefined) return;
    expect(life).toBeGreaterThan(3590);
    expect(life).toBeLessThanOrEqual(3600);
  });

  test.each([
    ["nothing", ""],
    ["a space", " "],
    ["NULL", "NULL"],
    ["JSON", `{"k":"it's","v":[1,2]}`],
    ["what SQL, Lua and shells mean", `"'\`$1 \${key} %s ?1 :name {a,b}; DROP TABLE madeleine; --`],
    ["backslashes", "\\ \\u0000 \\n \\' \\"],
    ["line ends", "line\r\nline\tline"],
    ["Unicode", "é ü ß 漢字 🍪 \u2028 \u{10FFFF}"],
    ["64 KiB", "x".repeat(65_536)],
  ])("keeps and compares %s", async (_title, value) => {
    const key = fresh();
    expect(await store.replace(key, undefined, value, 60)).toBe(true);
    expect(await read(key)).toBe(value);
    expect(await store.replace(key, `${value} `, "x", 60)).toBe(false);
    expect(await store.replace(key, value, value, 60)).toBe(true);
    expect(await store.replace(key, value, "next", 60)).toBe(true);
  });

  test("takes every character that a key may have, up to 64 of them, and tells cases apart", async () => {
    const key = `sub:aZ09-_${RUN}`.padEnd(64, "x");
    expect(await store.replace(key, undefined, "1", 60)).toBe(true);
    expect(await store.get([key, key.toUpperCase(), key.slice(0, 63)])).toEqual([
      "1",
      undefined,
      undefined,
    ]);
  });

  test(`of ${atOnce} changes at once from the same state exactly one takes effect`, async () => {
    const key = fresh();
    let previous: string | undefined;
    for (const round of ["first", "second"]) {
      const results = await Promise.all(
        Array.from({ length: atOnce }, async (_, i) =>
          (i % 2 === 0 ? store : other).replace(key, previous, `${round} ${i}`, 60),
        ),
      );
      expect(results.filter(Boolean)).toHaveLength(1);
      previous = `${round} ${results.indexOf(true)}`;
      expect(await read(key)).toBe(previous);
    }
  });

  test("two instances see each other's changes at once", async () => {
    const key = fresh();
    for (let i = 0; i < 20; i += 1) {
      const [writer, reader] = i % 2 === 0 ? [store, other] : [other, store];
      const previous = i === 0 ? undefined : String(i - 1);
      expect(await writer.replace(key, previous, String(i), 60)).toBe(true);
      expect(await reader.get([key])).toEqual([String(i)]);
    }
  });

  test("keeps nothing for keys that were only read, or whose change was refused", async () => {
    const before = await harness.count();
    for (let i = 0; i < 5; i += 1) {
      await store.get([fresh(), fresh()]);
      await store.replace(fresh(), "x", "y", 60);
    }
    expect(await harness.count()).toBe(before);
  });

  test("writes remove what expired", async () => {
    const keys = Array.from({ length: 6 }, fresh);
    for (const key of keys) await store.replace(key, undefined, "1", 60);
    const before = await harness.count();
    for (const key of keys) await harness.expire(key);
    const key = fresh();
    await store.replace(key, undefined, "0", 60);
    for (let i = 0; i < 4; i += 1) await store.replace(key, String(i), String(i + 1), 60);
    if (before !== undefined) expect(await harness.count()).toBeLessThanOrEqual(before - 5);
  });
});

describe("memoryStore", () => {
  const long = 3600;

  test("answers at once, without a promise", () => {
    const store = memoryStore();
    expect(store.replace("a", undefined, "1", 60)).toBe(true);
    expect(store.get(["a"])).toEqual(["1"]);
  });

  test("expires a record to the millisecond", () => {
    let now = 0;
    const store = memoryStore({ now: () => now });
    void store.replace("a", undefined, "1", 60);
    now = 59_999;
    expect(store.get(["a"])).toEqual(["1"]);
    now = 60_000;
    expect(store.get(["a"])).toEqual([undefined]);
  });

  test("at its bound it forgets a short-lived record, the oldest first", () => {
    const store = memoryStore({ maxRecords: 3 });
    void store.replace("ended", undefined, "1", long);
    void store.replace("old", undefined, "1", 60);
    void store.replace("new", undefined, "1", 60);
    expect(store.replace("another", undefined, "1", long)).toBe(true);
    expect(store.get(["ended", "old", "new", "another"])).toEqual(["1", undefined, "1", "1"]);
  });

  test("full of long-lived records it refuses new ones, and still replaces its own", () => {
    let now = 0;
    const store = memoryStore({ maxRecords: 2, now: () => now });
    void store.replace("a", undefined, "1", long);
    void store.replace("b", undefined, "1", 60);
    expect(store.replace("b", "1", "2", long)).toBe(true);
    expect(() => store.replace("c", undefined, "1", 60)).toThrow(SessionStoreError);
    expect(() => store.replace("c", undefined, "1", long)).toThrow("full of 2");
    expect(store.replace("a", "1", "2", long)).toBe(true);
    expect(store.get(["a", "b", "c"])).toEqual(["2", "2", undefined]);
    now = long * 1000;
    expect(store.replace("c", undefined, "1", long)).toBe(true);
  });

  test("a long-lived record that became short-lived may be forgotten", () => {
    const store = memoryStore({ maxRecords: 1 });
    void store.replace("a", undefined, "1", long);
    void store.replace("a", "1", "2", 60);
    expect(store.replace("b", undefined, "1", long)).toBe(true);
    expect(store.get(["a", "b"])).toEqual([undefined, "1"]);
  });

  test("expired records make room, however long those before them live", () => {
    let now = 0;
    const store = memoryStore({ maxRecords: 4, now: () => now });
    for (const [key, ttl] of Object.entries({ a: 9 * long, b: long, c: long, d: long })) {
      void store.replace(key, undefined, "1", ttl);
    }
    now = long * 1000;
    for (let i = 0; i < 3; i += 1) void store.replace("a", "1", "1", 9 * long);
    for (const key of ["e", "f", "g"]) {
      expect(store.replace(key, undefined, "1", long)).toBe(true);
    }
  });

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "a maxRecords of %p is an error at once",
    (maxRecords) => {
      expect(() => memoryStore({ maxRecords })).toThrow(SessionOptionsError);
    },
  );
});

describe("sqliteStore", () => {
  const file = join(tmpdir(), `madeleine-${RUN}-locks.sqlite`);
  afterAll(() => Promise.all(["", "-wal", "-shm"].map((end) => rm(file + end, { force: true }))));

  test("answers at once, without a promise", () => {
    using database = new Database(":memory:");
    const store = sqliteStore(database);
    expect(store.replace("a", undefined, "1", 60)).toBe(true);
    expect(store.get(["a"])).toEqual(["1"]);
  });

  test("a lock of another handle fails writes and not reads; only the first write waits for it", () => {
    using database = new Database(file);
    using locker = new Database(file);
    const store = sqliteStore(database);
    void store.replace("a", undefined, "1", 60);
    locker.run("BEGIN IMMEDIATE");
    const write = (): unknown => store.replace("a", "1", "2", 60);
    expect(write).toThrow(SessionStoreError);
    locker.run("COMMIT");
    expect(write).toThrow(SessionStoreError);
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

  test("what SQLite says is the cause of the error", async () => {
    const database = new Database(":memory:");
    const store = sqliteStore(database);
    database.run("DROP TABLE madeleine");
    const error = await failure(() => store.replace("a", undefined, "1", 60));
    expect(error).toBeInstanceOf(SessionStoreError);
    expect(String(Reflect.get(Object(error), "cause"))).toContain("no such table: madeleine");
    database.close();
    expect(() => store.get(["a"])).toThrow(SessionStoreError);
    expect(() => sqliteStore(database)).toThrow(SessionStoreError);
  });
});
