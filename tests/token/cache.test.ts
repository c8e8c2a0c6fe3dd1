import { describe, expect, test } from "bun:test";
import { array, assert, constantFrom, integer, property, tuple } from "fast-check";
import { type Cache, createCache } from "../../session/token/cache.ts";

const MANY = 1024 * 1024;

interface Value {
  readonly bytes: number;
}

function cacheOf(entries: number): Cache<Value> {
  return createCache(() => 1, { entries, bytes: MANY });
}

function sized(bytes: number): Cache<Value> {
  return createCache<Value>((value) => value.bytes, { entries: 100, bytes });
}

/** Of each text whether it is there. */
function has(cache: Cache<Value>, texts: readonly string[]): boolean[] {
  return texts.map((text) => cache.get(text) !== undefined);
}

test("gives what was put, the first of each text, and undefined for the rest", () => {
  const cache = cacheOf(100);
  const first = { bytes: 1 };
  cache.put("a", first);
  cache.put("a", { bytes: 2 });
  expect(cache.get("a")).toBe(first);
  expect(has(cache, ["b", "", "__proto__"])).toEqual([false, false, false]);
});

describe("a cache of so many entries", () => {
  const texts = ["a", "b", "c", "d", "e", "f", "g"];
  const use = tuple(constantFrom("get", "put"), constantFrom(...texts));

  test("holds the last of those that were put, each from its first time on, looked at or not", () => {
    assert(
      property(integer({ min: 1, max: 7 }), array(use, { maxLength: 40 }), (limit, uses) => {
        const cache = cacheOf(limit);
        let expected: string[] = [];
        for (const [action, text] of uses) {
          if (action === "get") cache.get(text);
          else cache.put(text, { bytes: 1 });
          if (action === "get" || expected.includes(text)) continue;
          expected = [...expected, text].slice(-limit);
        }
        expect(texts.filter((text) => cache.get(text) !== undefined)).toEqual(expected.toSorted());
      }),
    );
  });

  test("of one holds the last one", () => {
    const cache = cacheOf(1);
    for (const text of ["a", "b"]) cache.put(text, { bytes: 1 });
    expect(has(cache, ["a", "b"])).toEqual([false, true]);
  });
});

describe("a cache of so many bytes", () => {
  test("drops what was put first, until there is room", () => {
    const cache = sized(10_000);
    for (const text of ["a", "b", "c", "d"]) cache.put(text, { bytes: 2500 });
    expect(has(cache, ["a", "b", "c", "d"])).toEqual([true, true, true, true]);
    cache.put("e", { bytes: 2501 });
    expect(has(cache, ["a", "b", "c", "d", "e"])).toEqual([false, false, true, true, true]);
  });

  test("counts a value that is put again once", () => {
    const cache = sized(10_000);
    for (let count = 0; count < 100; count++) {
      for (const text of ["a", "b"]) cache.put(text, { bytes: 2401 });
    }
    expect(has(cache, ["a", "b"])).toEqual([true, true]);
  });

  test("keeps nothing that is larger than all of it, and works on", () => {
    const cache = sized(10_000);
    cache.put("a", { bytes: 10_000 });
    cache.put("b", { bytes: 10_001 });
    expect(has(cache, ["a", "b"])).toEqual([true, false]);
    cache.put("c", { bytes: 10_000 });
    expect(has(cache, ["a", "c"])).toEqual([false, true]);
  });
});
