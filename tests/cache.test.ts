import { describe, expect, test } from "bun:test";
import { type Cache, createCache } from "../session/cache.ts";

const MANY = 1024 * 1024;

function filled(): Cache<number> {
  const cache = createCache<number>({ entries: 3, bytes: MANY });
  for (const [value, text] of ["a", "b", "c"].entries()) cache.put(text, value, 1);
  return cache;
}

function read<Value>(cache: Cache<Value>, texts: readonly string[]): (Value | undefined)[] {
  return texts.map((text) => cache.get(text));
}

describe("a cache of three entries", () => {
  test("gives what was put, and undefined for the rest", () => {
    const cache = filled();
    expect(read(cache, ["a", "b", "c", "d", "", "__proto__"])).toEqual([
      0,
      1,
      2,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test.each<[string, string[], string]>([
    ["none", [], "a"],
    ["the oldest", ["a"], "b"],
    ["the oldest two", ["a", "b"], "c"],
    ["the oldest twice", ["a", "a"], "b"],
    ["the newest", ["c"], "a"],
    ["all in turn", ["a", "b", "c", "a"], "b"],
    ["one that is not there", ["x"], "a"],
  ])("drops the least recently used one after reading %s", (_, used, dropped) => {
    const cache = filled();
    for (const text of used) cache.get(text);
    cache.put("d", 3, 1);
    const present = ["a", "b", "c", "d"].filter((text) => cache.get(text) !== undefined);
    expect(present).toEqual(["a", "b", "c", "d"].filter((text) => text !== dropped));
  });

  test("puts a value anew in place of the old one, as the most recently used", () => {
    const cache = filled();
    cache.put("a", 9, 1);
    cache.put("d", 3, 1);
    expect(read(cache, ["a", "b", "c", "d"])).toEqual([9, undefined, 2, 3]);
  });
});

describe("a cache of so many bytes", () => {
  test("drops as many old entries as a large one needs", () => {
    const cache = createCache<string>({ entries: 100, bytes: 10_000 });
    for (const text of ["a", "b", "c"]) cache.put(text, text, 2500);
    cache.put("large", "large", 6000);
    expect(read(cache, ["a", "b", "c", "large"])).toEqual([undefined, undefined, "c", "large"]);
  });

  test("counts an entry that is put again once", () => {
    const cache = createCache<number>({ entries: 100, bytes: 10_000 });
    cache.put("a", 0, 2500);
    for (let count = 0; count < 100; count++) cache.put("b", count, 2500);
    expect([cache.get("a"), cache.get("b")]).toEqual([0, 99]);
  });

  test("counts the text, too", () => {
    const cache = createCache<number>({ entries: 100, bytes: 10_000 });
    cache.put("a".repeat(5000), 0, 0);
    cache.put("b".repeat(5000), 1, 0);
    expect([cache.get("a".repeat(5000)), cache.get("b".repeat(5000))]).toEqual([undefined, 1]);
  });

  test("keeps nothing that is larger than all of it, and works on", () => {
    const cache = createCache<number>({ entries: 100, bytes: 10_000 });
    cache.put("a", 0, 20_000);
    expect(cache.get("a")).toBeUndefined();
    cache.put("b", 1, 9000);
    expect(cache.get("b")).toBe(1);
  });
});

test("a value that was read stays readable while another is put and dropped again", () => {
  const cache = createCache<number>({ entries: 2, bytes: MANY });
  cache.put("a", 0, 1);
  cache.get("a");
  for (let count = 0; count < 10; count++) {
    cache.put(`other ${count}`, count, 1);
    expect(cache.get("a")).toBe(0);
  }
});
