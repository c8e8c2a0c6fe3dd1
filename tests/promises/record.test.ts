import { describe, expect, test } from "bun:test";
import { type Entries, type Snapshot, snapshot, SUBJECT } from "../../session/entries.ts";
import { SessionStoreError } from "../../session/errors.ts";
import {
  formatRecord,
  formatValue,
  type LiveRecord,
  nextRecord,
  nextVersion,
  parseRecord,
  parseValue,
  readRecord,
  type SessionRecord,
  timeToLive,
  type Write,
} from "../../session/record.ts";

const ID = "AAECAwQFBgcICQoLDA0ODw";

function entriesOf(texts: Record<string, string>): Entries {
  return new Map(Object.entries(texts));
}

function cookieOf(version: number, texts: Record<string, string>): Snapshot {
  return snapshot({ id: ID, startedAt: 1, endsAt: 9, version }, entriesOf(texts));
}

interface Parts {
  readonly version?: number;
  readonly gone?: Record<string, number>;
  readonly set?: Record<string, readonly [version: number, text: string]>;
  readonly raced?: number;
  readonly floor?: number;
}

function recordOf({ version = 20, gone = {}, set = {}, raced, floor }: Parts): LiveRecord {
  return {
    version,
    gone: new Map(Object.entries(gone)),
    set: new Map(Object.entries(set).map(([name, [version, text]]) => [name, { version, text }])),
    raced,
    floor,
  };
}

describe("what a record says of a cookie of version 10 that holds a and b", () => {
  const cookie = cookieOf(10, { a: "1", b: "2" });

  test.each<[string, SessionRecord | undefined]>([
    ["no record", undefined],
    ["a record of the cookie's own write", recordOf({ version: 10, set: { a: [10, "1"] } })],
    ["an older record", recordOf({ version: 5, set: { a: [5, "0"] }, gone: { b: 5 } })],
    ["a newer record without news", recordOf({ set: { a: [10, "1"] }, gone: { b: 9, c: 20 } })],
    ["a removal by the cookie's own write", recordOf({ gone: { a: 10 } })],
    ["a floor that the cookie is on", recordOf({ floor: 10 })],
  ])("%s: the very same session", (_, record) => {
    const reading = readRecord(cookie, record, "cookie");
    expect(reading.end).toBeUndefined();
    expect(reading.end === undefined && reading.present === cookie).toBe(true);
  });

  test.each<[string, Parts, Record<string, string>]>([
    ["a newer value", { set: { a: [20, "9"] } }, { a: "9", b: "2" }],
    ["a newer key", { set: { c: [11, "3"] } }, { a: "1", b: "2", c: "3" }],
    ["a newer removal", { gone: { a: 11 } }, { b: "2" }],
    [
      "an older value beside a newer one",
      { set: { a: [10, "0"], b: [11, "9"] } },
      { a: "1", b: "9" },
    ],
    ["an older removal beside a newer one", { gone: { a: 9, b: 11 } }, { a: "1" }],
    ["a key removed and set again", { gone: { a: 11 }, set: { a: [12, "9"] } }, { a: "9", b: "2" }],
    ["a key set before and removed after the cookie", { gone: { a: 11 } }, { b: "2" }],
    ["removals of all keys", { gone: { a: 11, b: 12 } }, {}],
  ])("%s", (_, parts, expected) => {
    const reading = readRecord(cookie, recordOf(parts), "cookie");
    if (reading.end !== undefined) throw new Error("The session is over");
    expect(Object.fromEntries(reading.present.entries)).toEqual(expected);
    expect(reading.present).toMatchObject({ id: ID, startedAt: 1, endsAt: 9, version: 10 });
    expect(Object.fromEntries(cookie.entries)).toEqual({ a: "1", b: "2" });
  });

  test.each<[string, SessionRecord, "over" | "moved", number]>([
    ["an end", { version: 7, end: "over" }, "over", 7],
    ["a new id", { version: 8, end: "moved" }, "moved", 8],
    ["a floor above the cookie", recordOf({ floor: 11 }), "over", 11],
  ])("%s: it is over", (_, record, end, since) => {
    expect(readRecord(cookie, record, "cookie")).toEqual({ end, since, record });
    expect(readRecord(cookie, record, "store")).toEqual({ end, since, record });
  });

  test("a new subject's start is the session's", () => {
    const text = `["ann","sub:hash",null,5]`;
    const reading = readRecord(cookie, recordOf({ set: { [SUBJECT]: [20, text] } }), "cookie");
    expect(reading).toMatchObject({ present: { startedAt: 5, subject: { name: "ann" } } });
  });
});

describe(`with dataIn "store"`, () => {
  test("no record is an end", () => {
    const end = { end: "over", since: 0, record: undefined } as const;
    expect(readRecord(cookieOf(10, {}), undefined, "store")).toEqual(end);
  });

  test("the record is the whole session, of whatever version the cookie is", () => {
    const record = recordOf({ version: 30, set: { a: [5, "1"], b: [30, "2"] } });
    for (const version of [1, 10, 30, 40]) {
      const reading = readRecord(cookieOf(version, {}), record, "store");
      const present = reading.end === undefined ? reading.present.entries : new Map();
      expect(Object.fromEntries(present)).toEqual({ a: "1", b: "2" });
    }
  });
});

describe("a version is above every other", () => {
  test.each<[number, number, number, SessionRecord | undefined]>([
    [100, 100, 10, undefined],
    [101, 5, 100, undefined],
    [201, 100, 10, recordOf({ version: 200 })],
    [101, 5, 100, recordOf({ version: 50 })],
    [100, 100, 10, recordOf({ version: 20 })],
    [11, 10, 10, recordOf({ version: 10 })],
    [8, 1, 5, { version: 7, end: "over" }],
  ])("%i at %i ms, with a cookie of %i", (expected, now, version, record) => {
    expect(nextVersion(now, cookieOf(version, {}), record)).toBe(expected);
  });
});

describe("the record after a write", () => {
  const write: Write = {
    previous: undefined,
    present: entriesOf({ a: "1", b: "2" }),
    entries: entriesOf({ a: "1", b: "2" }),
    removed: new Set(),
    version: 1_000_000,
    isRaced: false,
    long: 900,
    dataIn: "cookie",
  };
  const old = 1_000_000 - 900_000;

  test.each<[string, Partial<Write>, Parts]>([
    ["without a change", {}, {}],
    [
      "that sets a key",
      { entries: entriesOf({ a: "1", b: "2", c: "3" }) },
      { set: { c: [1_000_000, "3"] } },
    ],
    [
      "that sets a key over",
      { entries: entriesOf({ a: "9", b: "2" }) },
      { set: { a: [1_000_000, "9"] } },
    ],
    ["that removes a key", { entries: entriesOf({ a: "1" }) }, { gone: { b: 1_000_000 } }],
    [
      "that removes a key that was set lately",
      { previous: recordOf({ set: { b: [old + 5, "2"] } }), entries: entriesOf({ a: "1" }) },
      { gone: { b: 1_000_000 } },
    ],
    [
      "that sets a key that was removed lately",
      {
        previous: recordOf({ gone: { c: old + 5 } }),
        entries: entriesOf({ a: "1", b: "2", c: "3" }),
      },
      { gone: { c: old + 5 }, set: { c: [1_000_000, "3"] } },
    ],
    [
      "that leaves others' entries as they are",
      {
        previous: recordOf({
          gone: { x: old + 5 },
          set: { a: [old + 6, "1"] },
          raced: old + 7,
          floor: 3,
        }),
      },
      { gone: { x: old + 5 }, set: { a: [old + 6, "1"] }, raced: old + 7, floor: 3 },
    ],
    [
      "with entries older than every cookie",
      {
        previous: recordOf({
          gone: { x: old - 1, y: old },
          set: { a: [old - 1, "1"], b: [old, "2"] },
          raced: old - 1,
        }),
      },
      { gone: { y: old }, set: { b: [old, "2"] } },
    ],
    ["beside another write", { isRaced: true }, { raced: 1_000_000 }],
    [
      "beside another one again",
      { previous: recordOf({ raced: old + 5 }), isRaced: true },
      { raced: 1_000_000 },
    ],
  ])("%s", (_, change, expected) => {
    expect(nextRecord({ ...write, ...change })).toEqual(
      recordOf({ version: 1_000_000, ...expected }),
    );
  });

  test.each<[number, boolean]>([
    [127, false],
    [128, true],
  ])("with %i removed keys and one more: a floor in their place is %p", (count, hasFloor) => {
    const names = Array.from({ length: count }, (_, index) => [`k${index}`, old + index] as const);
    const previous = recordOf({ gone: Object.fromEntries(names), floor: 5 });
    const record = nextRecord({ ...write, previous, entries: entriesOf({ a: "1" }) });
    expect(record.gone.size).toBe(hasFloor ? 0 : 128);
    expect(record.floor).toBe(hasFloor ? 1_000_000 : 5);
  });

  test(`with dataIn "store" is the whole session and nothing else`, () => {
    const previous = recordOf({ set: { a: [5, "1"], b: [6, "2"] } });
    const entries = entriesOf({ a: "1", c: "3" });
    const record = nextRecord({ ...write, previous, entries, isRaced: true, dataIn: "store" });
    const set = { a: [5, "1"], c: [1_000_000, "3"] } as const;
    expect(record).toEqual(recordOf({ version: 1_000_000, set }));
  });
});

describe("a record lives", () => {
  const long = 900;
  test.each<[number, string, SessionRecord]>([
    [60, "with fresh values alone", recordOf({ set: { a: [1, "1"] } })],
    [60, "with nothing", recordOf({})],
    [long, "with a removal", recordOf({ gone: { a: 1 } })],
    [long, "with a race", recordOf({ raced: 1 })],
    [long, "with a floor", recordOf({ floor: 1 })],
    [long, "with an end", { version: 1, end: "over" }],
    [long, "with a new id", { version: 1, end: "moved" }],
  ])("%i s %s", (seconds, _, record) => {
    expect(timeToLive(record, long, "cookie")).toBe(seconds);
    expect(timeToLive(record, long, "store")).toBe(long);
  });
});

describe("a record's text", () => {
  test.each<[string, SessionRecord]>([
    [`${ID} {"v":7,"end":"over"}`, { version: 7, end: "over" }],
    [`${ID} {"v":7,"end":"moved"}`, { version: 7, end: "moved" }],
    [`${ID} {"v":20,"gone":{},"set":{}}`, recordOf({})],
    [
      `${ID} {"v":20,"gone":{"a":3},"set":{"b":[4,{"$date":0}]},"raced":5,"floor":6}`,
      recordOf({ gone: { a: 3 }, set: { b: [4, `{"$date":0}`] }, raced: 5, floor: 6 }),
    ],
    [
      `${ID} {"v":20,"gone":{"__proto__":3},"set":{"__proto__":[4,1],"\\"\\u0000":[4,2]}}`,
      recordOf({
        gone: Object.fromEntries([["__proto__", 3]]),
        set: Object.fromEntries([
          ["__proto__", [4, "1"]],
          [`"\0`, [4, "2"]],
        ]),
      }),
    ],
  ])("%s", (text, record) => {
    expect(formatRecord(ID, record)).toBe(text);
    expect(parseRecord(ID, text)).toEqual(record);
  });

  test("is none where there is none", () => {
    expect(parseRecord(ID, undefined)).toBeUndefined();
  });

  test.each<[string, string]>([
    ["another session", `BBECAwQFBgcICQoLDA0ODw {"v":7,"end":"over"}`],
    ["a longer key", `${ID}x {"v":7,"end":"over"}`],
    ["nobody", `{"v":7,"end":"over"}`],
    ["nothing", ""],
    ["no JSON", `${ID} over`],
    ["half of it", `${ID} {"v":7,"end":"ov`],
    ["a list", `${ID} []`],
    ["no version", `${ID} {"end":"over"}`],
    ["another end", `${ID} {"v":7,"end":"later"}`],
    ["no removals", `${ID} {"v":7,"set":{}}`],
    ["no values", `${ID} {"v":7,"gone":{}}`],
    ["a removal without a version", `${ID} {"v":7,"gone":{"a":null},"set":{}}`],
    ["a value without a version", `${ID} {"v":7,"gone":{},"set":{"a":1}}`],
    ["a value that is missing", `${ID} {"v":7,"gone":{},"set":{"a":[1]}}`],
    ["a floor of text", `${ID} {"v":7,"gone":{},"set":{},"floor":"7"}`],
  ])("that is about %s is the store's fault", (_, text) => {
    expect(() => parseRecord(ID, text)).toThrow(SessionStoreError);
  });

  test("begins with its own key", () => {
    expect(formatValue("sub:a", `"x"`)).toBe(`sub:a "x"`);
    expect(parseValue("sub:a", `sub:a "x"`)).toBe(`"x"`);
    expect(() => parseValue("sub:a", `sub:b "x"`)).toThrow(SessionStoreError);
  });
});
