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

  test("holds the last half of those that were put, and never more than all of it", () => {
    assert(
      property(integer({ min: 1, max: 4 }), array(use, { maxLength: 60 }), (half, uses) => {
        const cache = cacheOf(2 * half);
        let put: string[] = [];
        for (const [action, text] of uses) {
          if (action === "get") cache.get(text);
          else if (!has(cache, [text])[0]) put = [...put.filter((other) => other !== text), text];
          if (action === "put") cache.put(text, { bytes: 1 });
          const held = texts.filter((text) => cache.get(text) !== undefined);
          expect(held).toEqual(put.slice(-held.length).toSorted());
          expect(held.length).toBeGreaterThanOrEqual(Math.min(half, put.length));
          expect(held.length).toBeLessThanOrEqual(2 * half);
        }
      }),
    );
  });

  test("of one or two holds the last one", () => {
    for (const entries of [1, 2]) {
      const cache = cacheOf(entries);
      for (const text of ["a", "b", "c"]) cache.put(text, { bytes: 1 });
      expect(has(cache, ["a", "c"])).toEqual([false, true]);
    }
  });
});

describe("a cache of so many bytes", () => {
  test("drops its older half where the newer one is full", () => {
    const cache = sized(10_000);
    for (const text of ["a", "b", "c", "d"]) cache.put(text, { bytes: 2500 });
    expect(has(cache, ["a", "b", "c", "d"])).toEqual([true, true, true, true]);
    cache.put("e", { bytes: 1 });
    expect(has(cache, ["a", "b", "c", "d", "e"])).toEqual([false, false, true, true, true]);
  });

  test("counts a value that is put again once", () => {
    const cache = sized(10_000);
    for (let count = 0; count < 100; count++) {
      for (const text of ["a", "b"]) cache.put(text, { bytes: 2401 });
    }
    expect(has(cache, ["a", "b"])).toEqual([true, true]);
    cache.put("c", { bytes: 2401 });
    expect(has(cache, ["a", "b", "c"])).toEqual([true, true, true]);
  });

  test("keeps nothing that is larger than half of it, and works on", () => {
    const cache = sized(10_000);
    cache.put("a", { bytes: 5000 });
    cache.put("b", { bytes: 5001 });
    expect(has(cache, ["a", "b"])).toEqual([true, false]);
    cache.put("c", { bytes: 5000 });
    cache.put("d", { bytes: 5000 });
    expect(has(cache, ["a", "c", "d"])).toEqual([false, true, true]);
  });
});
