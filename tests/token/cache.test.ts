import { describe, expect, test } from "bun:test";
import { array, assert, constantFrom, integer, property, tuple } from "fast-check";
import { type Cache, createCache } from "../../session/token/cache.ts";

const MANY = 1024 * 1024;

interface Value {
  readonly text: string;
  readonly bytes: number;
}

function cacheOf(entries: number): Cache<Value> {
  return createCache(() => 1, { entries, bytes: MANY });
}

/** Of each text whether it is there. */
function has(cache: Cache<Value>, texts: readonly string[]): boolean[] {
  return texts.map((text) => cache.get(text)?.text === text);
}

type Use = readonly [action: string, text: string];

function sized(bytes: number): Cache<Value> {
  return createCache<Value>((value) => value.bytes, { entries: 100, bytes });
}

/** The texts that are there, least recently used first; a cache of its own tells of each. */
function present(limit: number, uses: readonly Use[]): string[] {
  const texts = new Set(uses.map(([, text]) => text));
  return [...texts].filter((text) => {
    const cache = cacheOf(limit);
    for (const [action, used] of uses) {
      if (action === "put") cache.put({ text: used, bytes: 1 });
      else cache.get(used);
    }
    return cache.get(text) !== undefined;
  });
}

/** The texts in the order of their last use. Looking for what is not there is no use. */
function used(limit: number, uses: readonly Use[]): string[] {
  const cache = cacheOf(limit);
  const order = new Set<string>();
  for (const [action, text] of uses) {
    if (action === "put") cache.put({ text, bytes: 1 });
    else if (cache.get(text) === undefined) continue;
    order.delete(text);
    order.add(text);
  }
  return [...order];
}

test("gives what was put, the first of each text, and undefined for the rest", () => {
  const cache = cacheOf(100);
  const [first, second] = [
    { text: "a", bytes: 1 },
    { text: "a", bytes: 2 },
  ];
  cache.put(first);
  cache.put(second);
  expect(cache.get("a")).toBe(first);
  expect(has(cache, ["b", "", "__proto__"])).toEqual([false, false, false]);
});

describe("a cache of so many entries", () => {
  const use = tuple(constantFrom("get", "put"), constantFrom("a", "b", "c", "d", "e", "f", "g"));

  test("holds no more, at least the half that was used last, and nothing older than what it dropped", () => {
    assert(
      property(integer({ min: 1, max: 7 }), array(use, { maxLength: 40 }), (limit, uses) => {
        const kept = present(limit, uses);
        const order = used(limit, uses);
        expect(kept.length).toBeLessThanOrEqual(limit);
        expect(kept.length).toBeGreaterThanOrEqual(Math.min(order.length, Math.floor(limit / 2)));
        expect(new Set(order.slice(order.length - kept.length))).toEqual(new Set(kept));
      }),
    );
  });

  test("of one holds the last one", () => {
    const cache = cacheOf(1);
    for (const text of ["a", "b"]) cache.put({ text, bytes: 1 });
    expect(has(cache, ["a", "b"])).toEqual([false, true]);
  });
});

describe("a cache of so many bytes", () => {
  test("drops what was used longest ago", () => {
    const cache = sized(10_000);
    for (const text of ["a", "b", "c", "d"]) cache.put({ text, bytes: 2401 });
    expect(has(cache, ["a"])).toEqual([true]);
    cache.put({ text: "e", bytes: 2401 });
    expect(has(cache, ["a", "b", "e"])).toEqual([true, false, true]);
  });

  test("counts a value that is put again once", () => {
    const cache = sized(10_000);
    for (let count = 0; count < 100; count++) {
      for (const text of ["a", "b"]) cache.put({ text, bytes: 2401 });
    }
    expect(has(cache, ["a", "b"])).toEqual([true, true]);
  });

  test("keeps nothing that is larger than half of it, and works on", () => {
    const cache = sized(10_000);
    cache.put({ text: "a", bytes: 5001 });
    cache.put({ text: "b", bytes: 5000 });
    expect(has(cache, ["a", "b"])).toEqual([false, true]);
  });
});
