import { describe, expect, test } from "bun:test";
import { SessionOptionsError, SessionStoreError } from "../../session/errors.ts";
import { memoryStore } from "../../session/stores/memory.ts";
import type { Store } from "../../session/stores/store.ts";

const HOUR = 3600;

/** The bytes that count for a record with a key of one character. */
function bytes(value: string): number {
  return 250 + 2 * (1 + value.length);
}

interface ClockedStore {
  readonly store: Store;
  /** Moves the clock. */
  readonly wait: (seconds: number) => void;
}

function clockedStore(maxBytes?: number): ClockedStore {
  let now = 0;
  const clock = { now: () => now };
  const store = memoryStore(maxBytes === undefined ? clock : { ...clock, maxBytes });
  return { store, wait: (seconds) => void (now += seconds * 1000) };
}

test("answers at once, without a promise", () => {
  const store = memoryStore();
  expect(store.replace("a", undefined, "1", 60)).toBe(true);
  expect(store.get(["a"])).toEqual(["1"]);
});

test("expires a record to the millisecond", () => {
  const { store, wait } = clockedStore();
  void store.replace("a", undefined, "1", 60);
  wait(59.999);
  expect(store.get(["a"])).toEqual(["1"]);
  wait(0.001);
  expect(store.get(["a"])).toEqual([undefined]);
});

describe("a full store", () => {
  test("refuses a new key and a longer value, says why, and changes nothing", () => {
    const { store } = clockedStore(2 * bytes("1"));
    void store.replace("a", undefined, "1", HOUR);
    void store.replace("b", undefined, "1", HOUR);
    const full = `the memory store is full, with ${2 * bytes("1")} of ${2 * bytes("1")} bytes`;
    expect(() => store.replace("c", undefined, "1", 60)).toThrow(SessionStoreError);
    expect(() => store.replace("c", undefined, "1", 60)).toThrow(full);
    expect(() => store.replace("a", "1", "12", 60)).toThrow(full);
    expect(store.get(["a", "b", "c"])).toEqual(["1", "1", undefined]);
  });

  test("still reads, and replaces a value with one that is not longer", () => {
    const { store } = clockedStore(2 * bytes("12"));
    void store.replace("a", undefined, "12", HOUR);
    void store.replace("b", undefined, "12", HOUR);
    expect(store.replace("a", "12", "34", HOUR)).toBe(true);
    expect(store.replace("a", "12", "5", HOUR)).toBe(false);
    expect(store.replace("a", "34", "5", HOUR)).toBe(true);
    expect(store.get(["a", "b"])).toEqual(["5", "12"]);
  });

  test("has room again for what a shorter value leaves", () => {
    const { store } = clockedStore(2 * bytes("12"));
    void store.replace("a", undefined, "12", HOUR);
    void store.replace("b", undefined, "12", HOUR);
    void store.replace("a", "12", "1", HOUR);
    expect(store.replace("b", "12", "123", HOUR)).toBe(true);
    expect(() => store.replace("a", "1", "12", HOUR)).toThrow(SessionStoreError);
  });

  test("forgets no record before its time, however short that is", () => {
    const { store, wait } = clockedStore(3 * bytes("1"));
    for (const key of ["a", "b", "c"]) void store.replace(key, undefined, "1", 1);
    wait(0.999);
    expect(() => store.replace("d", undefined, "1", HOUR)).toThrow(SessionStoreError);
    expect(store.get(["a", "b", "c"])).toEqual(["1", "1", "1"]);
  });

  test("counts two bytes for each UTF-16 code unit of the key and the value", () => {
    const store = memoryStore({ maxBytes: 250 + 2 * ("key".length + "🍪漢é".length) });
    expect(() => store.replace("key", undefined, "🍪漢éx", 60)).toThrow(SessionStoreError);
    expect(store.replace("key", undefined, "🍪漢é", 60)).toBe(true);
  });
});

describe("expired records make room", () => {
  test("for one that takes the place of many, within a minute", () => {
    const { store, wait } = clockedStore(10 * bytes("1"));
    for (const key of "abcdefghij") void store.replace(key, undefined, "1", HOUR);
    wait(HOUR + 60);
    const large = "1".repeat(1000);
    expect(store.replace("x", undefined, large, HOUR)).toBe(true);
    expect(store.get(["a", "x"])).toEqual([undefined, large]);
    expect(() => store.replace("y", undefined, large, HOUR)).toThrow(SessionStoreError);
  });

  test("however long those before them live", () => {
    const { store, wait } = clockedStore(4 * bytes("1"));
    void store.replace("a", undefined, "1", 9 * HOUR);
    for (const key of ["b", "c", "d"]) void store.replace(key, undefined, "1", HOUR);
    wait(HOUR + 60);
    for (const key of ["e", "f", "g"]) {
      expect(store.replace(key, undefined, "1", HOUR)).toBe(true);
    }
    expect(() => store.replace("h", undefined, "1", HOUR)).toThrow(SessionStoreError);
  });

  test("but not what was replaced since, and lives longer", () => {
    const { store, wait } = clockedStore(2 * bytes("1"));
    void store.replace("a", undefined, "1", HOUR);
    void store.replace("b", undefined, "1", HOUR);
    wait(HOUR - 1);
    void store.replace("a", "1", "2", HOUR);
    wait(61);
    expect(store.replace("c", undefined, "1", HOUR)).toBe(true);
    expect(() => store.replace("d", undefined, "1", HOUR)).toThrow(SessionStoreError);
    expect(store.get(["a", "b", "c"])).toEqual(["2", undefined, "1"]);
    wait(HOUR + 60);
    for (const key of ["d", "e"]) expect(store.replace(key, undefined, "1", HOUR)).toBe(true);
  });

  test("however often they were replaced", () => {
    const { store, wait } = clockedStore(2 * bytes("1"));
    void store.replace("a", undefined, "1", HOUR);
    void store.replace("b", undefined, "1", HOUR);
    for (let i = 0; i < 3; i += 1) expect(store.replace("b", "1", "1", HOUR)).toBe(true);
    wait(HOUR + 60);
    expect(store.replace("c", undefined, "1".repeat(100), HOUR)).toBe(true);
  });

  test("and a key that expired can be put anew, and expires again", () => {
    const { store, wait } = clockedStore(bytes("1"));
    for (const value of ["1", "2", "3"]) {
      expect(store.replace("a", undefined, value, 1)).toBe(true);
      wait(1);
    }
    wait(60);
    expect(store.replace("b", undefined, "1", HOUR)).toBe(true);
  });

  test("whatever the clock did meanwhile", () => {
    const { store, wait } = clockedStore(2 * bytes("1"));
    wait(1e9);
    void store.replace("a", undefined, "1", HOUR);
    wait(-1e9);
    void store.replace("b", undefined, "1", HOUR);
    wait(HOUR + 60);
    expect(store.replace("c", undefined, "1", HOUR)).toBe(true);
    wait(1e12);
    for (const key of ["d", "e"]) expect(store.replace(key, undefined, "1", HOUR)).toBe(true);
  });
});

test("each write removes up to two expired records", () => {
  const { store, wait } = clockedStore(10 * bytes("1"));
  for (const key of "abcdefghi") void store.replace(key, undefined, "1", HOUR);
  wait(HOUR + 60);
  expect(store.replace("j", undefined, "1", HOUR)).toBe(true);
  expect(store.replace("j", "1", "2", HOUR)).toBe(true);
  expect(store.replace("j", "2", "3", HOUR)).toBe(true);
  // Back to where nothing has expired, so that the error counts what is left.
  wait(-HOUR);
  const large = "1".repeat(5000);
  expect(() => store.replace("k", undefined, large, HOUR)).toThrow(`with ${4 * bytes("1")} of`);
});

test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "1", null])(
  "a maxBytes of %p is an error at once",
  (maxBytes) => {
    const options = {};
    Reflect.set(options, "maxBytes", maxBytes);
    expect(() => memoryStore(options)).toThrow(
      new SessionOptionsError(
        `Cannot make a memory store: maxBytes must be a whole number from 1, got ${maxBytes}`,
      ),
    );
  },
);
