import { SQL } from "bun";
import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { runInNewContext } from "node:vm";
import { SessionValueError } from "../../session/errors.ts";
import { decode, encode } from "../../session/token/json.ts";

const MEMORY = "sqlite://:memory:";

const parse: (text: string) => unknown = JSON.parse;

function roundTrip(value: unknown): unknown {
  return decode(parse(encode(value, "value")));
}

/**
 * A value as text that tells all types, orders and signs of zero apart: `toEqual` holds two URLs for
 * the same, and two maps in another order.
 */
function spell(value: unknown): string {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  if (Array.isArray(value)) return `[${value.map(spell).join()}]`;
  if (value instanceof Date) return `Date(${value.getTime()})`;
  if (value instanceof Uint8Array) return `Uint8Array(${value.join()})`;
  if (value instanceof Map) return `Map(${spell([...value])})`;
  if (value instanceof Set) return `Set(${spell([...value])})`;
  if (value instanceof URL) return `URL(${value.href})`;
  if (Object.getPrototypeOf(value) !== Object.prototype) return "an object of another class";
  const members = Object.entries(value).map(([key, member]) => `${spell(key)}:${spell(member)}`);
  return `{${members.join()}}`;
}

function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { value };
  return value;
}

describe("the exact text", () => {
  test.each<[string, unknown]>([
    [`"tea"`, "tea"],
    [`"\\ud800 \\u0000"`, "\ud800 \u0000"],
    ["1.5", 1.5],
    ["0", 0],
    ["true", true],
    ["null", null],
    ["[]", []],
    [`{"b":[1,{"c":null}],"a":""}`, { b: [1, { c: null }], a: "" }],
    [`{"$date":1700000000123}`, new Date(1_700_000_000_123)],
    [`{"$date":-8640000000000000}`, new Date(-8.64e15)],
    [`{"$bytes":"--__AQ"}`, new Uint8Array([251, 239, 255, 1])],
    [`{"$bytes":""}`, new Uint8Array()],
    [`{"$map":[["a",{"$date":0}]]}`, new Map([["a", new Date(0)]])],
    [`{"$map":[[{"a":1},[2]]]}`, new Map([[{ a: 1 }, [2]]])],
    [`{"$map":[]}`, new Map()],
    [`{"$set":["a",1,{"$set":[]}]}`, new Set(["a", 1, new Set()])],
    [`{"$bigint":"12345678901234567890"}`, 12_345_678_901_234_567_890n],
    [`{"$bigint":"-1"}`, -1n],
    [`{"$bigint":"0"}`, 0n],
    [`{"$url":"https://example.com/%C3%A4?q=1#a"}`, new URL("https://example.com/ä?q=1#a")],
    [`[{"$undefined":true}]`, [undefined]],
    [`{"a":{"$undefined":true},"b":1}`, { a: undefined, b: 1 }],
    [`{"$number":"-0"}`, -0],
    [`[{"$number":"NaN"}]`, [Number.NaN]],
    [`{"$number":"Infinity"}`, Infinity],
    [`{"low":{"$number":"-Infinity"}}`, { low: -Infinity }],
    [
      `{"$map":[["s",{"$set":[{"d":[{"$date":5}]}]}]]}`,
      new Map([["s", new Set([{ d: [new Date(5)] }])]]),
    ],
  ])("%s", (text, value) => {
    expect(encode(value, "value")).toBe(text);
    expect(spell(decode(parse(text)))).toBe(spell(value));
  });
});

describe("an object that looks like a tag comes back as itself", () => {
  test.each<[string, unknown]>([
    [`{"$$date":0}`, { $date: 0 }],
    [`{"$$$date":0}`, { $$date: 0 }],
    [`{"$$":1}`, { $: 1 }],
    [`{"$$unknown":[]}`, { $unknown: [] }],
    [`{"$$set":{"$set":[1]}}`, { $set: new Set([1]) }],
    [`{"$$undefined":{"$undefined":true}}`, { $undefined: undefined }],
    [`{"$$date":{"$$date":0}}`, { $date: { $date: 0 } }],
    [`{"$date":0,"$map":[]}`, { $date: 0, $map: [] }],
    [`{"date$":0}`, { date$: 0 }],
  ])("%s", (text, value) => {
    expect(encode(value, "value")).toBe(text);
    expect(spell(decode(parse(text)))).toBe(spell(value));
  });
});

describe("objects", () => {
  test.each([
    `{"__proto__":{"admin":true}}`,
    `{"constructor":{"prototype":{"admin":true}},"a":[1]}`,
  ])("%s holds plain members and changes no prototype", (text) => {
    const value = roundTrip(parse(text));
    expect(JSON.stringify(value)).toBe(text);
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Reflect.get({}, "admin")).toBeUndefined();
  });

  test("values under __proto__ are tagged like others", () => {
    const text = `{"__proto__":{"$date":0},"a":{"$date":1}}`;
    const value = decode(parse(text));
    expect(Object.getOwnPropertyDescriptor(value, "__proto__")?.value).toEqual(new Date(0));
    expect(encode(value, "value")).toBe(text);
  });

  test("an object without a prototype comes back as a plain one", () => {
    const bare: unknown = Object.assign(Object.create(null), { a: 1 });
    expect(spell(roundTrip(bare))).toBe(`{"a":1}`);
  });

  test("an object reached twice becomes two", () => {
    const shared = { a: 1 };
    const value = roundTrip([shared, shared]);
    expect(value).toEqual([{ a: 1 }, { a: 1 }]);
    expect(Array.isArray(value) && value[0] !== value[1]).toBe(true);
  });

  test("a getter is read once", () => {
    const values = [new Date(0), () => {}];
    let reads = 0;
    const object = {
      get next() {
        return values[reads++];
      },
    };
    expect(encode(object, "value")).toBe(`{"next":{"$date":0}}`);
    expect(reads).toBe(1);
  });

  test("a hidden toJSON is not called", () => {
    const object = Object.defineProperty({ a: 1 }, "toJSON", { value: () => "other" });
    const array = Object.assign([1], { toJSON: () => "other" });
    expect(encode([object, array], "value")).toBe(`[{"a":1},[1]]`);
  });

  test("the value given is left as it was", () => {
    const value = Object.freeze({ list: Object.freeze([new Date(0), undefined]), $a: 1 });
    encode(value, "value");
    expect(spell(value)).toBe(`{"list":[Date(0),undefined],"$a":1}`);
  });

  test("decode shares no object with what it was given", () => {
    const json = { list: [{ a: 1 }], $map: [[{}, 1]], unknown: { $tag: {} } };
    const value = decode(json);
    json.list.push({ a: 2 });
    json.list[0] = { a: 3 };
    json.unknown.$tag = { late: true };
    expect(spell(value)).toBe(`{"list":[{"a":1}],"$map":[[{},1]],"unknown":{"$tag":{}}}`);
  });
});

describe("what has another prototype but nothing to lose", () => {
  test.each<[string, string]>([
    ["({ a: [1, { b: null }] })", `{"a":[1,{"b":null}]}`],
    ["Object.create(null)", "{}"],
    ["[1, [2]]", "[1,[2]]"],
    ["new Map([['a', new Set([1])]])", `{"$map":[["a",{"$set":[1]}]]}`],
    ["new Date(5)", `{"$date":5}`],
    ["new Uint8Array([255])", `{"$bytes":"_w"}`],
  ])("%s of another realm", (code, text) => {
    expect(encode(runInNewContext(`(${code})`), "value")).toBe(text);
  });

  test("a URL of another realm", () => {
    // Node's realms of their own have no URL, those of edge runtimes have another.
    const url: unknown = runInNewContext(`
      class URL { href = "https://example.com/"; get [Symbol.toStringTag]() { return "URL" } }
      new URL()`);
    expect(encode(url, "value")).toBe(`{"$url":"https://example.com/"}`);
  });

  test("the result of a query, whose named properties JSON.stringify leaves out, too", async () => {
    await using sql = new SQL(MEMORY);
    const rows: unknown = await sql`select 1 as a, 'x' as b union all select 2, null`;
    expect(rows).toHaveProperty("command", "SELECT");
    expect(encode({ rows }, "value")).toBe(`{"rows":[{"a":1,"b":"x"},{"a":2,"b":null}]}`);
  });

  test("an array of a subclass with accessors alone", () => {
    class Rows extends Array<number> {
      get first(): number | undefined {
        return this[0];
      }
    }
    expect(encode(Rows.of(1, 2), "value")).toBe("[1,2]");
  });
});

describe("depth", () => {
  test("256 levels come back", () => {
    expect(spell(roundTrip(nested(256)))).toBe(spell(nested(256)));
  });

  test.each([257, 100_000])("%d levels are refused", (levels) => {
    const error = errorOf(() => encode(nested(levels), "cart"));
    expect(error).toBeInstanceOf(SessionValueError);
    expect(error).toMatchObject({
      path: "cart",
      message: "Cannot store cart: must be at most 256 levels deep, got more",
    });
  });

  test("256 levels of sets come back, though each takes two of JSON", () => {
    let value: unknown = -0;
    for (let level = 0; level < 256; level++) value = new Set([value]);
    expect(spell(roundTrip(value))).toBe(spell(value));
  });

  test("256 levels of maps and their pairs come back", () => {
    let value: unknown = -0;
    for (let level = 0; level < 256; level += 2) value = new Map([[-0, value]]);
    expect(spell(roundTrip(value))).toBe(spell(value));
    expect(errorOf(() => encode([value], "cart"))).toBeInstanceOf(SessionValueError);
  });

  test("1,000 levels of JSON are read in full", () => {
    const text = "[".repeat(1000) + "]".repeat(1000);
    expect(JSON.stringify(decode(parse(text)))).toBe(text);
  });

  test.each([
    ["arrays", "[", "]", `${"[".repeat(1024)}null${"]".repeat(1024)}`],
    ["objects", `{"a":`, "}", `${`{"a":`.repeat(1024)}null${"}".repeat(1024)}`],
    ["sets", `{"$set":[`, "]}", `${"Set([".repeat(512)}null${"])".repeat(512)}`],
    ["escapes", `{"$$a":`, "}", `${`{"$a":`.repeat(1024)}null${"}".repeat(1024)}`],
  ])("200,000 levels of %s are null below the 1,024th", (_, open, close, spelt) => {
    const text = `${open.repeat(200_000)}1${close.repeat(200_000)}`;
    expect(spell(decode(parse(text)))).toBe(spelt);
  });
});

describe("what is no tag is the object that it is", () => {
  test.each([
    `{"$":1}`,
    `{"$unknown":[1]}`,
    `{"$Date":0}`,
    `{"$toString":true}`,
    `{"$__proto__":{"a":1}}`,
    `{"$date":"2026-01-01"}`,
    `{"$date":1.5}`,
    `{"$date":8640000000000001}`,
    `{"$date":1e400}`,
    `{"$date":null}`,
    `{"$date":0,"a":1}`,
    `{"$bytes":"A"}`,
    `{"$bytes":"AB"}`,
    `{"$bytes":"AA=="}`,
    `{"$bytes":" AA"}`,
    `{"$bytes":"+/8"}`,
    `{"$bytes":[1]}`,
    `{"$map":{}}`,
    `{"$map":"ab"}`,
    `{"$map":[1]}`,
    `{"$map":["ab"]}`,
    `{"$map":[["a"]]}`,
    `{"$map":[["a",1],["b",2,3]]}`,
    `{"$set":{}}`,
    `{"$set":"ab"}`,
    `{"$set":{"length":1}}`,
    `{"$bigint":""}`,
    `{"$bigint":"0x10"}`,
    `{"$bigint":" 1"}`,
    `{"$bigint":"+1"}`,
    `{"$bigint":"-0"}`,
    `{"$bigint":"01"}`,
    `{"$bigint":"1n"}`,
    `{"$bigint":1}`,
    `{"$url":"/relative"}`,
    `{"$url":""}`,
    `{"$url":["https://example.com/"]}`,
    `{"$number":"1"}`,
    `{"$number":1}`,
    `{"$number":"constructor"}`,
    `{"$number":["NaN"]}`,
    `{"$undefined":false}`,
    `{"$undefined":null}`,
  ])("%s", (text) => {
    // Not compared as text: 1e400 is Infinity, which has none.
    expect(spell(decode(parse(text)))).toBe(spell(parse(text)));
  });

  test("a tag's form is not read from another tag", () => {
    expect(spell(decode(parse(`{"$date":{"$number":"-0"}}`)))).toBe(`{"$date":-0}`);
  });

  test("values inside it are still read", () => {
    expect(spell(decode(parse(`{"$unknown":[{"$date":0}]}`)))).toBe(`{"$unknown":[Date(0)]}`);
  });
});

const tagNames = ["date", "bytes", "map", "set", "bigint", "url", "number", "undefined"];

/** Keys, with those that mean something to tags and to objects among them. */
const anyKey = fc.oneof(
  fc.string(),
  fc.constantFrom("__proto__", "constructor", "toJSON", "length", "$", "$$"),
  fc.constantFrom(...tagNames.flatMap((name) => [`$${name}`, `$$${name}`])),
);

/** The text of an object that has a tag's name and any JSON for its form. */
const anyTag = fc
  .tuple(fc.constantFrom(...tagNames), fc.json())
  .map(([name, form]) => `{"$${name}":${form}}`);

function hasTags(value: unknown): boolean {
  if (Object.is(value, -0)) return true;
  if (typeof value !== "object" || value === null) return false;
  const keys = Object.keys(value);
  return (keys.length === 1 && keys[0]?.startsWith("$")) || Object.values(value).some(hasTags);
}

describe("any value", () => {
  const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.string({ unit: "binary" }),
      fc.constantFrom("\ud800", "\udfff a", "\u2028", ""),
      fc.double(),
      fc.constantFrom(-0, Number.NaN, Infinity, -Infinity, null, undefined, true, false),
      fc.bigInt(),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array(),
      fc.webUrl().map((url) => new URL(url)),
      fc.array(tie("value")),
      fc.array(fc.tuple(tie("value"), tie("value"))).map((entries) => new Map(entries)),
      fc.array(tie("value")).map((items) => new Set(items)),
      fc.dictionary(anyKey, tie("value"), { maxKeys: 3, noNullPrototype: true }),
    ),
  }));
  const anyObject = fc.dictionary(anyKey, anyValue, { maxKeys: 3, noNullPrototype: true });

  test("of the supported types comes back by type and value", () => {
    fc.assert(
      fc.property(fc.oneof(anyObject, fc.array(anyValue)), (value) => {
        expect(spell(roundTrip(value))).toBe(spell(value));
      }),
    );
  });

  test("of JSON's is written as JSON.stringify writes it, and comes back", () => {
    const plain = fc.jsonValue().filter((value) => !hasTags(value));
    fc.assert(
      fc.property(plain, (value) => {
        const text = JSON.stringify(value);
        expect(encode(value, "value")).toBe(text);
        expect(JSON.stringify(decode(parse(text)))).toBe(text);
      }),
    );
  });

  test("that JSON.parse gives is read without an error", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), anyTag), (text) => {
        const value = decode(parse(text));
        // A second writing and reading finds the same, so that nothing half read came out.
        if (value !== undefined) expect(spell(roundTrip(value))).toBe(spell(value));
      }),
    );
  });
});
