import { describe, expect, test } from "bun:test";
import { array, assert, constantFrom, integer, property, tuple } from "fast-check";
import { type Cache, createCache } from "../session/cache.ts";

const MANY = 1024 * 1024;

function cacheOf(entries: number): Cache<string> {
  return createCache(() => 1, { entries, bytes: MANY });
}

function read(cache: Cache<string>, texts: readonly string[]): (string | undefined)[] {
  return texts.map((text) => cache.get(text));
}

type Use = readonly [action: string, text: string];

function sized(bytes: number): Cache<number> {
  return createCache<number>((value) => value, { entries: 100, bytes });
}

/** The texts that are there, least recently used first; a cache of its own tells of each. */
function present(limit: number, uses: readonly Use[]): string[] {
  const texts = new Set(uses.map(([, text]) => text));
  return [...texts].filter((text) => {
    const cache = cacheOf(limit);
    for (const [action, used] of uses) {
      if (action === "put") cache.put(used, used);
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
    if (action === "put") cache.put(text, text);
    else if (cache.get(text) === undefined) continue;
    order.delete(text);
    order.add(text);
  }
  return [...order];
}

test("gives what was put, the last of each text, and undefined for the rest", () => {
  const cache = cacheOf(100);
  cache.put("a", "first");
  cache.put("b", "second");
  cache.put("a", "third");
  expect(read(cache, ["a", "b", "c", "", "__proto__"])).toEqual([
    "third",
    "second",
    undefined,
    undefined,
    undefined,
  ]);
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
    for (const text of ["a", "b"]) cache.put(text, text);
    expect(read(cache, ["a", "b"])).toEqual([undefined, "b"]);
  });
});

describe("a cache of so many bytes", () => {
  test("drops what was used longest ago", () => {
    const cache = sized(10_000);
    for (const text of ["a", "b", "c", "d"]) cache.put(text, 2400);
    expect(cache.get("a")).toBe(2400);
    cache.put("e", 2400);
    expect(["a", "b", "e"].map((text) => cache.get(text))).toEqual([2400, undefined, 2400]);
  });

  test("counts the text, too", () => {
    const cache = sized(10_000);
    const texts = ["a", "b", "c"].map((letter) => letter.repeat(4000));
    for (const text of texts) cache.put(text, 0);
    expect(texts.map((text) => cache.get(text))).toEqual([undefined, 0, 0]);
  });

  test("keeps nothing that is larger than half of it, and works on", () => {
    const cache = sized(10_000);
    cache.put("a", 5000);
    expect(cache.get("a")).toBeUndefined();
    cache.put("b", 4999);
    expect(cache.get("b")).toBe(4999);
  });
});
