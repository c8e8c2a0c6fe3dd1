import { SQL } from "bun";
import { describe, expect, test } from "bun:test";
import { runInNewContext } from "node:vm";
import { SessionValueError } from "../../session/errors.ts";
import { encode } from "../../session/token/json.ts";

const MEMORY = "sqlite://:memory:";

function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** What the code gives in a realm where no built-in is ours. */
function foreign(code: string): unknown {
  return runInNewContext(`(${code})`);
}

describe("what cannot be stored is named with its place", () => {
  class Cart {
    items = [];
    toJSON(): string {
      return "cart";
    }
  }
  const Address = {
    URL: class URL {
      href = "https://example.com/";
    },
  };
  class Stack extends Array<number> {
    peek(): number | undefined {
      return this.at(-1);
    }
  }
  const cycle: Record<string, unknown> = { list: [] };
  cycle["list"] = [{ back: cycle }];
  const cyclicMap = new Map<string, unknown>();
  cyclicMap.set("self", cyclicMap);
  const heir: unknown = Object.create({ a: 1 });
  const object = "must be a plain object, array, Map, Set, Uint8Array, URL or valid Date, got ";
  const instance = `${object}an instance of `;
  const promise = `${object}a promise. Await it first`;
  const data = "must be data, got a ";
  const value = "must be a value, got ";

  test.each<[string, unknown, string, string]>([
    ["undefined", undefined, "cart", `${value}undefined. Delete the key instead`],
    ["a function", [{}, {}, { price: () => 1 }], "cart[2].price", `${data}function`],
    ["a class", { type: Cart }, "cart.type", `${data}function`],
    ["an own toJSON", { a: { toJSON: () => 1 } }, "cart.a.toJSON", `${data}function`],
    ["a symbol", { "a b": Symbol.iterator }, `cart["a b"]`, `${data}symbol`],
    ["a key of digits", { 0: Symbol.iterator }, `cart["0"]`, `${data}symbol`],
    ["a key of other letters", { ä$_1: Symbol.iterator }, "cart.ä$_1", `${data}symbol`],
    ["a key of a quote", { '"': [() => 1] }, `cart["\\""][0]`, `${data}function`],
    [
      "a member __proto__",
      { ["__proto__"]: { f: () => 1 } },
      "cart.__proto__.f",
      `${data}function`,
    ],
    [
      "a symbol as a key",
      { a: { [Symbol.iterator]: 1 } },
      "cart.a",
      "must have only strings as keys, got Symbol(Symbol.iterator)",
    ],
    ["an instance", { a: [new Cart()] }, "cart.a[0]", `${instance}Cart`],
    [
      "an instance of a class without a name",
      [
        new (class {
          a = 1;
        })(),
      ],
      "cart[0]",
      `${instance}a class without a name`,
    ],
    [
      "an object on another",
      { a: heir },
      "cart.a",
      `${object}an object that inherits from another`,
    ],
    ["a RegExp", [/a/], "cart[0]", `${instance}RegExp`],
    ["an Error", [new TypeError("no")], "cart[0]", `${instance}TypeError`],
    ["a Promise", [Promise.resolve(1)], "cart[0]", promise],
    ["a query, which is a promise", [new SQL(MEMORY)`select 1`], "cart[0]", promise],
    ["what has a then", [Object.create(Promise.prototype)], "cart[0]", promise],
    ["a Promise of another realm", [foreign("Promise.resolve(1)")], "cart[0]", promise],
    ["a boxed number", [new Number(1)], "cart[0]", `${instance}Number`],
    ["a boxed string", [new String("")], "cart[0]", `${instance}String`],
    ["a WeakMap", [new WeakMap()], "cart[0]", `${instance}WeakMap`],
    ["a generator", [(function* () {})()], "cart[0]", `${instance}Generator`],
    ["URLSearchParams", [new URLSearchParams("a=1")], "cart[0]", `${instance}URLSearchParams`],
    ["a Uint8ClampedArray", [new Uint8ClampedArray(1)], "cart[0]", `${instance}Uint8ClampedArray`],
    ["a Float64Array", [new Float64Array(1)], "cart[0]", `${instance}Float64Array`],
    ["an ArrayBuffer", [new ArrayBuffer(1)], "cart[0]", `${instance}ArrayBuffer`],
    ["a Buffer", [Buffer.from("a")], "cart[0]", `${instance}Buffer`],
    ["a Temporal.Instant", [Temporal.Now.instant()], "cart[0]", `${instance}Temporal.Instant`],
    ["an array's subclass with a method", [new Stack()], "cart[0]", `${instance}Stack`],
    ["a subclass of that", [new (class Pile extends Stack {})()], "cart[0]", `${instance}Pile`],
    [
      "a class with the name of a built-in",
      [new Address.URL()],
      "cart[0]",
      `${object}an invalid URL`,
    ],
    ["a Map's subclass", [new (class Ages extends Map {})()], "cart[0]", `${instance}Ages`],
    ["a Date's subclass", [new (class Day extends Date {})()], "cart[0]", `${instance}Day`],
    [
      "a Map's subclass of another realm",
      [foreign("new (class Ages extends Map {})")],
      "cart[0]",
      `${instance}Ages`,
    ],
    [
      "an instance of a class of another realm",
      [foreign("new (class Cart {})")],
      "cart[0]",
      `${instance}Cart`,
    ],
    [
      "an object on another of another realm",
      [foreign("Object.create({ a: 1 })")],
      "cart[0]",
      `${object}an object that inherits from another`,
    ],
    ["a proxy of a Map", [new Proxy(new Map(), {})], "cart[0]", `${object}an invalid Map`],
    [
      "what only inherits from Date",
      [Object.create(Date.prototype)],
      "cart[0]",
      `${object}an invalid Date`,
    ],
    [
      "what only inherits from Array",
      [Object.create(Array.prototype)],
      "cart[0]",
      `${instance}Array`,
    ],
    ["an invalid Date", { at: new Date(Number.NaN) }, "cart.at", `${object}an invalid Date`],
    [
      "an invalid Date of another realm",
      [foreign("new Date(NaN)")],
      "cart[0]",
      `${object}an invalid Date`,
    ],
    ["a hole", Object.assign([1], { length: 3 }), "cart[1]", `${value}a hole in an array`],
    ["a map's value", { m: new Map([["a", () => 1]]) }, "cart.m[0][1]", `${data}function`],
    [
      "a map's key",
      new Map<unknown, unknown>().set("a", 1).set(Symbol.iterator, 2),
      "cart[1][0]",
      `${data}symbol`,
    ],
    ["a set's item", new Set([1, { f: () => 1 }]), "cart[1].f", `${data}function`],
    ["a value that looks like a tag", { $date: () => 1 }, "cart.$date", `${data}function`],
    ["a cycle", cycle, "cart.list[0].back", "must not contain itself, got cart again"],
    [
      "a cycle further inside",
      { a: [cycle] },
      "cart.a[0].list[0].back",
      "must not contain itself, got cart.a[0] again",
    ],
    ["a cycle through a map", cyclicMap, "cart[0][1]", "must not contain itself, got cart again"],
  ])("%s", (_, given, path, state) => {
    const error = errorOf(() => encode(given, "cart"));
    expect(error).toBeInstanceOf(SessionValueError);
    expect(error).toMatchObject({
      code: "ERR_SESSION_VALUE",
      path,
      message: `Cannot store ${path}: ${state}`,
    });
  });
});

/** A leaf of 1,000 characters that is reached 2^levels times, and counts how often it was. */
function shared(levels: number): { readonly value: unknown; readonly reads: () => number } {
  let reads = 0;
  let value: unknown = {
    get leaf() {
      if (++reads > 2000) throw new Error("The walk does not end");
      return "x".repeat(989);
    },
  };
  for (let level = 0; level < levels; level++) {
    value = [value, new Map([["again", value]])];
  }
  return { value, reads: () => reads };
}

describe("the length of the text", () => {
  const limit = 1_048_576;
  const tooLong = `Cannot store cart: must be at most ${limit} characters of JSON, got more`;

  test.each<[string, (length: number) => unknown]>([
    ["a string", (length) => "x".repeat(length - 2)],
    ["a string of escapes", (length) => "\n".repeat((length - 2) / 2)],
    ["a name", (length) => ({ ["x".repeat(length - 6)]: 1 })],
    ["numbers", (length) => Array.from({ length: (length - 2) / 2 }, () => 1).with(0, 10)],
    ["a URL", (length) => new URL(`data:${"x".repeat(length - 16)}`)],
  ])("may be 1,048,576 characters, and not two more: %s", (_, valueOf) => {
    expect(encode(valueOf(limit), "cart")).toHaveLength(limit);
    expect(errorOf(() => encode(valueOf(limit + 2), "cart"))).toMatchObject({
      code: "ERR_SESSION_VALUE",
      path: "cart",
      message: tooLong,
    });
  });

  test("counts an object that is reached 512 times as 512", () => {
    const { value, reads } = shared(9);
    expect(encode(value, "cart").split("leaf")).toHaveLength(513);
    expect(reads()).toBe(512);
  });

  test("ends the walk of an object that is reached 2^40 times", () => {
    const { value, reads } = shared(40);
    expect(errorOf(() => encode(value, "cart"))).toHaveProperty("message", tooLong);
    expect(reads()).toBeLessThan(1100);
  });

  test.each<[string, string, (value: unknown) => unknown]>([
    ["arrays", `[,]`, (value) => [value, value]],
    ["objects", `{"a":,"b":}`, (value) => ({ a: value, b: value })],
    ["maps", `{"$map":[[,]]}`, (value) => new Map([[value, value]])],
    ["sets", `{"$set":[,[]]}`, (value) => new Set([value, [value]])],
  ])("ends the walk of %s in each other once their text is too long", (_, text, wrap) => {
    let reads = 0;
    let value: unknown = {
      get a() {
        reads++;
        return 1;
      },
    };
    for (let level = 0; level < 40; level++) value = wrap(value);
    expect(errorOf(() => encode(value, "cart"))).toHaveProperty("message", tooLong);
    // There is one pair for each leaf, but for those that are still open.
    expect(reads).toBeGreaterThan(10_000);
    expect(reads).toBeLessThan(limit / `{"a":1}${text}`.length + 40);
  });

  test.each<[string, object]>([
    ["a string", { value: "x".repeat(100_000) }],
    ["a name", { value: { ["x".repeat(100_000)]: 1 } }],
    ["bytes", { value: new Uint8Array(75_000) }],
    ["a bigint", { value: 1n << 332_000n }],
  ])(
    "ends the walk where 100,000 characters of %s are reached the 11th time",
    (_, { value }: { value?: unknown }) => {
      let reads = 0;
      const item = {
        get value() {
          reads++;
          return value;
        },
      };
      const list = Array.from({ length: 1000 }, () => item);
      expect(errorOf(() => encode(list, "cart"))).toHaveProperty("message", tooLong);
      expect(reads).toBe(11);
    },
  );
});

/** The least milliseconds of a few tries. */
function costOf(value: unknown): number {
  const times = Array.from({ length: 5 }, () => {
    const start = performance.now();
    encode(value, "cart");
    return performance.now() - start;
  });
  return Math.min(...times);
}

test("an object costs the same on each level", () => {
  const flat: unknown[] = Array.from({ length: 100_000 }, () => []);
  let deep: unknown = flat;
  for (let level = 0; level < 250; level++) deep = [deep];
  expect(costOf(deep)).toBeLessThan(2.5 * costOf(flat));
});
