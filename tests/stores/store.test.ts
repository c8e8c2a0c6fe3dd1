import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { Store } from "../../session/stores/store.ts";
import {
  RUN,
  type Harness,
  fresh,
  hasPostgres,
  hasRedis,
  memoryHarness,
  postgresHarness,
  redisHarness,
  sqliteHarness,
} from "../support/store_harness.ts";

// Only ends a test that waits for ever: far more than any of them takes.
setDefaultTimeout(30_000);

/** 1 MiB in UTF-8, of characters that take three bytes, and one that takes one. */
const LARGE_UNICODE = `${"漢".repeat(2 ** 20 / 3)}x`;

/** In seconds: the longest time to live, which is 401 days. */
const LONGEST_TTL = 34_646_400;

describe.each([
  { name: "memory", isRunning: true, open: memoryHarness },
  { name: "sqlite", isRunning: true, open: sqliteHarness },
  { name: "redis", isRunning: hasRedis, open: redisHarness },
  { name: "postgres", isRunning: hasPostgres, open: postgresHarness },
])("every store: $name", ({ isRunning, open }) => {
  if (!isRunning) return;
  let harness: Harness;
  let store: Store;
  let other: Store;
  let foreign: Store;
  beforeAll(async () => {
    harness = await open();
    ({ store, other, foreign } = harness);
  });
  afterAll(() => harness.close());

  async function read(key: string): Promise<string | undefined> {
    return (await store.get([key]))[0];
  }

  test("two instances that start at once both work", async () => {
    const results = await Promise.all([store.get([fresh()]), other.get([fresh()])]);
    expect(results).toEqual([[undefined], [undefined]]);
  });

  test("a key that was never put has no value, and no keys give no values", async () => {
    expect(await store.get([fresh()])).toEqual([undefined]);
    expect(await store.get([])).toEqual([]);
  });

  test("values come in the order of their keys, with one for each mention of a key", async () => {
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
    "a key that expired is like one that was never there: it %s",
    async (_title, previous, result) => {
      // More of them than one write removes. The last one first, because the oldest go first.
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

  test.each([
    ["longest", 60, LONGEST_TTL],
    ["shorter", LONGEST_TTL, 60],
  ])("a replaced record lives for the new time, the %s one", async (_title, before, ttl) => {
    const key = fresh();
    await store.replace(key, undefined, "1", before);
    expect(await store.replace(key, "1", "2", ttl)).toBe(true);
    const life = await harness.life(key);
    if (life === undefined) return;
    expect(life).toBeGreaterThan(ttl - 30);
    expect(life).toBeLessThanOrEqual(ttl);
  });

  test("takes the shortest time to live, 1 s", async () => {
    const key = fresh();
    expect(await store.replace(key, undefined, "1", 1)).toBe(true);
    const life = await harness.life(key);
    if (life !== undefined) expect(life).toBeLessThanOrEqual(1);
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
    ["64 KiB of ASCII", "x".repeat(65_536)],
    ["1 MiB of Unicode", LARGE_UNICODE],
  ])("keeps and compares %s", async (_title, value) => {
    const key = fresh();
    expect(await store.replace(key, undefined, value, 60)).toBe(true);
    expect(await read(key)).toBe(value);
    expect(await store.replace(key, `${value} `, "x", 60)).toBe(false);
    expect(await store.replace(key, value, value, 60)).toBe(true);
    expect(await store.replace(key, value, "next", 60)).toBe(true);
  });

  test("takes every character of a key, up to 64 of them, and tells cases apart", async () => {
    const key = `sub:aZ09-_${RUN}`.padEnd(64, "x");
    expect(await store.replace(key, undefined, "1", 60)).toBe(true);
    expect(await store.get([key, key.toUpperCase(), key.slice(0, 63)])).toEqual([
      "1",
      undefined,
      undefined,
    ]);
  });

  test("of 200 changes at once from the same state exactly one takes effect", async () => {
    const key = fresh();
    let previous: string | undefined;
    for (const round of ["first", "second"]) {
      const results = await Promise.all(
        Array.from({ length: 200 }, async (_, i) =>
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

  test("another app on the same server has records of its own", async () => {
    const key = fresh();
    await store.replace(key, undefined, "ours", 60);
    expect(await foreign.get([key])).toEqual([undefined]);
    expect(await foreign.replace(key, "ours", "theirs", 60)).toBe(false);
    expect(await foreign.replace(key, undefined, "theirs", 60)).toBe(true);
    expect(await foreign.replace(key, "theirs", "changed", 60)).toBe(true);
    expect(await read(key)).toBe("ours");
    expect(await foreign.get([key])).toEqual(["changed"]);
  });

  test("keeps nothing for keys that were only read, or whose change was refused", async () => {
    const before = await harness.count();
    for (let i = 0; i < 5; i += 1) {
      await store.get([fresh(), fresh()]);
      await store.replace(fresh(), "x", "y", 60);
    }
    expect(await harness.count()).toBe(before);
  });

  test("writes remove expired records", async () => {
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
