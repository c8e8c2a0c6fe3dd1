import { describe, expect, test } from "bun:test";
import { memoryStore, SessionStoreError, type Store } from "../../session/mod.ts";
import { guarded, NO_STORE } from "../../session/stores/guarded.ts";
import { errorOf, untyped } from "../support/errors.ts";

/** Longer than any answer of these tests takes, so that it decides nothing. */
const LONG = 10_000;

/** A store of which every call gives this. */
function giving(answer: () => unknown): Store {
  return { get: () => untyped(answer()), replace: () => untyped(answer()) };
}

type Settle = (resolve: (value: unknown) => void, reject: (error: unknown) => void) => void;

/** A promise of another realm, say: nothing but a `then`. */
function thenable(settle: Settle): object {
  // oxlint-disable-next-line unicorn/no-thenable
  return { then: settle };
}

/** What a call of either kind throws or rejects with. */
async function errorsOf(store: Store, timeout: number = LONG): Promise<unknown[]> {
  const held = guarded(store, timeout);
  return Promise.all([
    errorOf(() => held.get(["a", "b"])),
    errorOf(() => held.replace("a", undefined, "x", 60)),
  ]);
}

function fail(): never {
  throw new Error("The disk is full");
}

describe("a store that keeps its contract", () => {
  test("is asked as it is, and answers at once where it does", () => {
    const calls: unknown[] = [];
    const store = guarded(
      {
        get: (keys) => (calls.push(keys), ["x", undefined]),
        replace: (...change) => (calls.push(change), false),
      },
      LONG,
    );
    expect(store.get(["a", "b"])).toEqual(["x", undefined]);
    expect(store.replace("a", undefined, "x", 60)).toBe(false);
    expect(store.replace("a", "x", "y", 1)).toBe(false);
    expect(calls).toEqual([
      ["a", "b"],
      ["a", undefined, "x", 60],
      ["a", "x", "y", 1],
    ]);
  });

  test("answers by a promise where it does", async () => {
    const inner = memoryStore();
    const store = guarded(
      { get: async (keys) => inner.get(keys), replace: async (...call) => inner.replace(...call) },
      LONG,
    );
    const replaced = store.replace("a", undefined, "x", 60);
    expect(replaced).toBeInstanceOf(Promise);
    expect(await replaced).toBe(true);
    expect(await store.get(["a", "b"])).toEqual(["x", undefined]);
  });

  test("may answer by anything that has a then", async () => {
    const texts = guarded(
      giving(() => thenable((resolve) => resolve(["x", undefined]))),
      LONG,
    );
    expect(await texts.get(["a", "b"])).toEqual(["x", undefined]);
    const yes = guarded(
      giving(() => thenable((resolve) => resolve(true))),
      LONG,
    );
    expect(await yes.replace("a", undefined, "x", 60)).toBe(true);
  });

  test("is called with itself as this", () => {
    const inner = {
      texts: ["x"],
      get() {
        return this.texts;
      },
      replace() {
        return this.texts.length === 1;
      },
    };
    const store = guarded(inner, LONG);
    expect([store.get(["a"]), store.replace("a", undefined, "x", 60)]).toEqual([["x"], true]);
  });
});

const never = new Promise<never>(() => {});

describe("a store that fails is a SessionStoreError", () => {
  test.each<[string, () => unknown, unknown]>([
    ["throws", fail, { message: "The disk is full" }],
    ["rejects", async () => fail(), { message: "The disk is full" }],
    ["rejects with a number", () => Promise.reject(untyped(5)), 5],
    ["rejects with nothing", () => Promise.reject(untyped(undefined)), undefined],
    ["has a then that rejects", () => thenable((_, reject) => reject("down")), "down"],
    ["has a then that throws", () => thenable(fail), { message: "The disk is full" }],
    [
      "throws as its then is read",
      () => ({
        // oxlint-disable-next-line unicorn/no-thenable
        get then(): never {
          return fail();
        },
      }),
      { message: "The disk is full" },
    ],
  ])("where it %s, with what it says as the cause", async (_, answer, cause) => {
    for (const error of await errorsOf(giving(answer))) {
      expect(error).toBeInstanceOf(SessionStoreError);
      expect(error).toMatchObject({ code: "ERR_SESSION_STORE", cause: untyped(cause) });
      // The user's answer is made of the message.
      expect(String(error)).not.toContain("disk");
    }
  });

  test("where it says so itself, which comes through", async () => {
    const full = new SessionStoreError("it is full");
    for (const error of await errorsOf(giving(() => Promise.reject(full))))
      expect(error).toBe(full);
  });

  test.each<[string, unknown]>([
    ["a promise", never],
    ["a then", thenable(() => {})],
  ])("where it never answers by %s: each call has so many milliseconds", async (_, answer) => {
    for (const error of await errorsOf(
      giving(() => answer),
      1,
    )) {
      expect(error).toBeInstanceOf(SessionStoreError);
      expect(String(error)).toContain("within 1 ms");
    }
  });

  test("where it answers too late, and what it then says is ignored", async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const { promise: failing, reject } = Promise.withResolvers<unknown>();
    const errors = await Promise.all([
      errorsOf(
        giving(() => promise),
        1,
      ),
      errorsOf(
        giving(() => failing),
        1,
      ),
    ]);
    resolve(["x", "y"]);
    reject(new Error("Nobody waits for this"));
    expect(errors.flat().every((error) => error instanceof SessionStoreError)).toBe(true);
  });
});

describe("an answer that cannot be right is a SessionStoreError, never nothing there", () => {
  test.each<[string, unknown]>([
    ["too few texts", ["x"]],
    ["none", []],
    ["too many", ["x", "y", "z"]],
    ["null in place of undefined", [null, null]],
    ["a number", ["x", 5]],
    ["a boolean", [false, undefined]],
    ["an object", [{}, undefined]],
    ["a buffer", [Buffer.from("x"), undefined]],
    ["a String object", [Object("x"), undefined]],
    ["no list", {}],
    ["a list's likeness", { length: 2, 0: "x", 1: "y" }],
    ["a text", "xy"],
    ["null", null],
    ["undefined", undefined],
  ])("to get: %s", async (_, answer) => {
    for (const get of [() => untyped(answer), async () => untyped(answer)]) {
      const store = guarded({ get, replace: () => true }, LONG);
      const error = await errorOf(() => store.get(["a", "b"]));
      expect(error).toBeInstanceOf(SessionStoreError);
    }
  });

  test.each([[undefined], [null], [0], [1], ["OK"], ["true"], [{}], [[true]], [Object(true)]])(
    "to replace: %p",
    async (answer: unknown) => {
      for (const replace of [() => untyped(answer), async () => untyped(answer)]) {
        const store = guarded({ get: () => [], replace }, LONG);
        const error = await errorOf(() => store.replace("a", undefined, "x", 60));
        expect(error).toBeInstanceOf(SessionStoreError);
      }
    },
  );
});

test("no store knows nothing and takes everything", () => {
  expect(NO_STORE.get(["a", "b"])).toEqual([undefined, undefined]);
  expect(NO_STORE.get([])).toEqual([]);
  expect(NO_STORE.replace("a", "x", "y", 60)).toBe(true);
});
