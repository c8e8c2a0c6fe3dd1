import { describe, expect, jest, test } from "bun:test";
import { runInNewContext } from "node:vm";
import { chain, isPromise, type MaybePromise, within } from "../session/maybe.ts";
import { errorOf, untyped } from "./support/errors.ts";

/** A promise that is none of ours, but has a `then`. */
function thenable(value: unknown): Promise<unknown> {
  return untyped({
    // oxlint-disable-next-line unicorn/no-thenable
    then: (resolve: (value: unknown) => void) => queueMicrotask(() => resolve(value)),
  });
}

/** A promise of another realm, whose `Promise` is not ours. */
function foreign(code: string): Promise<unknown> {
  return untyped(runInNewContext(code));
}

/** Runs the action with another `Promise`, as hosts and libraries put in place. */
async function withOtherPromise<T>(action: () => MaybePromise<T>): Promise<T> {
  const { Promise: original } = globalThis;
  class OtherPromise<Value> extends original<Value> {}
  Reflect.set(globalThis, "Promise", OtherPromise);
  try {
    return await action();
  } finally {
    Reflect.set(globalThis, "Promise", original);
  }
}

function fail(): never {
  throw new Error("Ours");
}

function onLate(): Error {
  return new Error("Late");
}

describe("a promise is whatever has a then", () => {
  // oxlint-disable-next-line unicorn/no-thenable
  const callable = Object.assign(() => {}, { then: (): void => {} });

  test.each<[string, unknown, boolean]>([
    ["a promise", Promise.resolve(), true],
    ["a thenable", thenable(1), true],
    ["a function with a then", callable, true],
    ["another realm's promise", foreign("Promise.resolve()"), true],
    ["undefined", undefined, false],
    ["null", null, false],
    ["text", "then", false],
    ["a number", 1, false],
    ["an object", {}, false],
    ["a function", () => {}, false],
    // oxlint-disable-next-line unicorn/no-thenable
    ["a then that is no function", { then: true }, false],
    ["a response", new Response(), false],
  ])("%s: %3$p", (_, value, expected) => {
    expect(isPromise(value)).toBe(expected);
  });

  test("though the host put another Promise in place", async () => {
    const before = Promise.resolve(1);
    await withOtherPromise(() => {
      expect(before).not.toBeInstanceOf(Promise);
      expect(isPromise(before)).toBe(true);
      expect(isPromise(Promise.resolve(1))).toBe(true);
      expect(isPromise((async () => 1)())).toBe(true);
    });
  });
});

describe("chain", () => {
  test("calls at once where there is nothing to wait for", () => {
    expect(chain(1, (value) => value + 1)).toBe(2);
    expect(chain(undefined, () => "next")).toBe("next");
  });

  test("throws at once what the call throws, and promises it where there was a promise", async () => {
    expect(() => chain(1, fail)).toThrow("Ours");
    const promised = chain(Promise.resolve(1), fail);
    expect(await errorOf(() => promised)).toMatchObject({ message: "Ours" });
  });

  test.each<[string, () => Promise<unknown>]>([
    ["a promise", async () => 1],
    ["a thenable", () => thenable(1)],
    ["another realm's promise", () => foreign("(async () => 1)()")],
  ])("waits for %s, and gives a promise with everything a promise has", async (_, make) => {
    const next = chain(make(), (value) => [value]);
    expect(next).toBeInstanceOf(Promise);
    expect(await next).toEqual([1]);
    expect(await chain(1, () => make())).toBe(1);
  });

  test("hands a rejection on, of a thenable too", async () => {
    const rejected = foreign(`({ then: (_, reject) => reject(new Error("Theirs")) })`);
    const next = chain(rejected, () => "next");
    expect(await errorOf(() => next)).toMatchObject({ message: "Theirs" });
  });

  test("waits though the host put another Promise in place", async () => {
    const before = Promise.resolve(1);
    expect(await withOtherPromise(() => chain(before, (value) => value + 1))).toBe(2);
  });
});

describe("within a time", () => {
  test.each<[string, () => Promise<unknown>]>([
    ["a promise", async () => 1],
    ["a thenable", () => thenable(1)],
    ["another realm's promise", () => foreign("(async () => 1)()")],
  ])("%s gives its value", async (_, make) => {
    expect(await within(make(), 10_000, onLate)).toBe(1);
  });

  test("a rejection is handed on", async () => {
    const failing = Promise.reject(new Error("Ours"));
    const error = await errorOf(() => within(failing, 10_000, onLate));
    expect(error).toMatchObject({ message: "Ours" });
  });

  test("a promise that takes longer is late, and what it does then is ignored", async () => {
    const { promise, reject } = Promise.withResolvers<void>();
    const error = await errorOf(() => within(promise, 1, onLate));
    expect(error).toMatchObject({ message: "Late" });
    reject(new Error("Unhandled"));
    await new Promise((resolve) => setImmediate(resolve));
  });

  test("no timer is left once the promise settles", async () => {
    jest.useFakeTimers();
    try {
      await within(Promise.resolve(), 10_000, onLate);
      await errorOf(() => within(Promise.reject(new Error("Ours")), 10_000, onLate));
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });
});
