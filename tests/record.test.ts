import { describe, expect, test } from "bun:test";
import { SessionStoreError, SessionTooLargeError } from "../session/errors.ts";
import {
  type Found,
  find,
  findMark,
  readGeneration,
  writeGeneration,
  writeMark,
  writeRecord,
} from "../session/record.ts";
import type { Login, State } from "../session/state.ts";
import { writeClaims, writeData } from "../session/token/claims.ts";
import type { VerifiedToken } from "../session/token/token.ts";
import { START } from "./support/clock.ts";
import { errorOf } from "./support/errors.ts";
import { AUDIENCE, ID, stateOf } from "./support/tokens.ts";

const OTHER_ID = "BBECAwQFBgcICQoLDA0ODw";
const KEY = "sub:key";
/** Generations, and what else is random. */
const OLD = "old-AAAAAAAAAAAAAAAAAA";
const NEW = "new-AAAAAAAAAAAAAAAAAA";

function loginOf(generation?: string): Login {
  return {
    subject: "ann",
    key: KEY,
    generation,
    authenticatedAt: START / 1000,
    methods: undefined,
  };
}

function tokenOf(state: State, hasData = true): VerifiedToken {
  return { text: "token", state, hasData, isCurrentKey: true, isExposed: false };
}

/** The cookie's state, and the record's of another version. */
const COOKIE = stateOf({ a: "1", b: "2" });
const EMPTY = stateOf({});
const AT = COOKIE.version;

function recordOf(version: number, data: Record<string, string>, change: Partial<State> = {}) {
  return textOf(stateOf(data, { version, ...change }));
}

/** The record of a state, not encrypted. */
function textOf(state: State): string {
  return writeRecord(state, writeClaims(state, AUDIENCE, writeData(state.data)));
}

/** What is found, without what it was found by. */
function summaryOf(found: Found): unknown {
  if (found.kind === "ended") return { ended: [found.at, found.next] };
  const { version, data } = found.state;
  return { version, data: Object.fromEntries(data), isNewer: found.isNewer };
}

const ENDED = { ended: [undefined, undefined] };

describe("what the store says of a cookie", () => {
  test.each<[string, string | undefined, unknown]>([
    ["1 a mark", writeMark(ID, "ended", 7, NEW), { ended: [7, undefined] }],
    [
      "1 a mark of a session that moved",
      writeMark(ID, "moved", 7, OTHER_ID),
      { ended: [7, OTHER_ID] },
    ],
    ["3 no record", undefined, { version: AT, data: { a: "1", b: "2" }, isNewer: false }],
    [
      "4 a record of the cookie's own version",
      recordOf(AT, { a: "9" }),
      { version: AT, data: { a: "1", b: "2" }, isNewer: false },
    ],
    [
      "4 an older record",
      recordOf(AT - 1, { a: "9" }),
      { version: AT, data: { a: "1", b: "2" }, isNewer: false },
    ],
    [
      "5 a newer record",
      recordOf(AT + 1, { a: "9", c: "3" }),
      { version: AT + 1, data: { a: "9", c: "3" }, isNewer: true },
    ],
    [
      "5 a newer record by a fraction of a millisecond",
      recordOf(AT + 0.5, { a: "9" }),
      { version: AT + 0.5, data: { a: "9" }, isNewer: true },
    ],
    [
      "5 a newer record without data",
      recordOf(AT + 1, {}),
      { version: AT + 1, data: {}, isNewer: true },
    ],
  ])("with its data: %s", async (_, text, expected) => {
    expect(summaryOf(await find(tokenOf(COOKIE), text, undefined))).toEqual(expected);
  });

  test.each<[string, string | undefined, unknown]>([
    ["1 a mark", writeMark(ID, "ended", 7, NEW), { ended: [7, undefined] }],
    ["3 no record", undefined, ENDED],
    [
      "4 a record of the cookie's own version",
      recordOf(AT, { a: "9" }),
      { version: AT, data: { a: "9" }, isNewer: false },
    ],
    ["4 an older record: the store went back", recordOf(AT - 1, { a: "9" }), ENDED],
    [
      "5 a newer record",
      recordOf(AT + 1, { a: "9" }),
      { version: AT + 1, data: { a: "9" }, isNewer: true },
    ],
  ])("without data: %s", async (_, text, expected) => {
    expect(summaryOf(await find(tokenOf(EMPTY, false), text, undefined))).toEqual(expected);
  });

  test("a newer record is the session whole: its times, flashes and claims", async () => {
    const times = { issuedAt: AT / 1000 + 5, expiresAt: AT / 1000 + 60, endsAt: AT / 1000 + 90 };
    const flashes = [{ category: "message", message: "Hi" }];
    const change = { ...times, flashes, permanent: true, unknown: { acr: "high" } };
    const text = recordOf(AT + 1, { a: "9" }, change);
    const found = await find(tokenOf(COOKIE), text, undefined);
    const state = stateOf({ a: "9" }, { version: AT + 1, ...change });
    expect(found).toEqual({
      kind: "live",
      token: tokenOf(COOKIE),
      state,
      isNewer: true,
      hasRecord: true,
    });
  });

  test("a record of the same version gives a cookie without data the data alone", async () => {
    const cookie = stateOf({}, { issuedAt: AT / 1000 + 50, permanent: true });
    const text = recordOf(AT, { a: "9" }, { issuedAt: AT / 1000 });
    const found = await find(tokenOf(cookie, false), text, undefined);
    expect(found).toMatchObject({ state: { ...cookie, data: new Map([["a", "9"]]) } });
  });

  test("of a record that is not newer only the version is read", async () => {
    const text = `${ID} record ${AT} {"broken`;
    expect(summaryOf(await find(tokenOf(COOKIE), text, undefined))).toMatchObject({
      isNewer: false,
    });
    const newer = `${ID} record ${AT + 1} {"broken`;
    expect(() => find(tokenOf(COOKIE), newer, undefined)).toThrow(SessionStoreError);
  });
});

describe("2 the generation of a cookie's subject", () => {
  test.each<[string, Login | undefined, string | undefined, boolean]>([
    ["absent contradicts none", loginOf(), undefined, true],
    ["absent contradicts another one, as one that expired does", loginOf(OLD), undefined, true],
    ["is the cookie's", loginOf(NEW), NEW, true],
    ["is another one", loginOf(OLD), NEW, false],
    ["came after a login before the first", loginOf(), NEW, false],
    ["is nothing to a session without a subject", undefined, NEW, true],
  ])("%s", async (_, login, generation, isLive) => {
    const text = generation === undefined ? undefined : writeGeneration(KEY, generation, 5);
    for (const record of [
      undefined,
      recordOf(AT, {}, { login }),
      recordOf(AT + 1, {}, { login }),
    ]) {
      const found = await find(tokenOf({ ...COOKIE, login }), record, text);
      expect(found.kind).toBe(isLive ? "live" : "ended");
      if (!isLive) expect(summaryOf(found)).toEqual({ ended: [5, undefined] });
    }
    const marked = await find(
      tokenOf({ ...COOKIE, login }),
      writeMark(ID, "moved", 7, OTHER_ID),
      text,
    );
    expect(summaryOf(marked)).toEqual({ ended: [7, OTHER_ID] });
  });

  test("an id has one subject: a newer record's login is the cookie's", async () => {
    const login = loginOf(NEW);
    const others = { ...login, subject: "root", generation: OLD };
    const text = recordOf(AT + 1, { a: "9" }, { login: others });
    const found = await find(tokenOf({ ...COOKIE, login }), text, writeGeneration(KEY, NEW, 5));
    expect(found).toMatchObject({ state: { login, data: new Map([["a", "9"]]) } });
    const visitor = await find(tokenOf(COOKIE), text, undefined);
    expect(visitor).toMatchObject({ state: { login: undefined } });
  });
});

describe("the texts", () => {
  test("of a record: its id, its version and its claims, with the data as it is", () => {
    const long = JSON.stringify("tea ".repeat(100));
    const text = textOf(stateOf({ long, "ä\0": "1" }, { login: loginOf(NEW) }));
    expect(text).toBe(
      `${ID} record 1700000000000 {"aud":"${AUDIENCE}","sid":"${ID}","iat":1700000000,"exp":1700604800,` +
        `"max":1702592000,"ver":1700000000000,"sub":"ann","gen":"${NEW}","auth_time":1700000000,` +
        `"data":{"long":${long},"ä\\u0000":1}}`,
    );
  });

  test.each<["ended" | "moved", string, string | undefined]>([
    ["ended", NEW, undefined],
    ["moved", OTHER_ID, OTHER_ID],
  ])("of a mark of a session that %s", (how, other, next) => {
    const text = writeMark(ID, how, START, other);
    expect(text).toBe(`${ID} ${how} 1700000000000 ${other}`);
    expect(findMark(ID, text)).toMatchObject({ at: START, next });
  });

  test("a record is no mark", () => {
    expect(findMark(ID, recordOf(AT, { ended: "7" }))).toBeUndefined();
  });

  test("of a generation", () => {
    const text = writeGeneration(KEY, NEW, START);
    expect(text).toBe(`sub:key generation 1700000000000 ${NEW}`);
    expect(readGeneration(KEY, text)).toBe(NEW);
    expect(readGeneration(KEY, undefined)).toBeUndefined();
  });

  test("of a record take 1 MiB at most, in UTF-8", async () => {
    const rest = textOf(stateOf({ text: `""` })).length;
    const most = 1024 * 1024 - rest;
    for (const [letter, bytes] of [
      ["a", 1],
      ["ä", 2],
    ] as const) {
      const valueOf = (length: number): string => JSON.stringify(letter.repeat(length));
      const fits = Math.floor(most / bytes);
      expect(textOf(stateOf({ text: valueOf(fits) }))).toStartWith(ID);
      const larger = stateOf({ small: "1", text: valueOf(fits + 1) });
      const error = await errorOf(() => textOf(larger));
      expect(error).toBeInstanceOf(SessionTooLargeError);
      expect(String(error)).toContain("Cannot store the session record: ");
      expect(error).toMatchObject({
        limit: 1024 * 1024,
        keys: [{ key: "text" }, { key: "small", bytes: 1 }],
      });
    }
  });
});

describe("a text that is none of ours is the store's fault, never nothing", () => {
  const good = recordOf(AT + 1, { a: "9" });

  test.each<[string, string]>([
    ["nothing", ""],
    ["another session's record", good.replace(ID, OTHER_ID)],
    ["another session's mark", writeMark(OTHER_ID, "ended", 7, NEW)],
    ["a longer key", `${ID}x ended 7 ${NEW}`],
    ["a shorter key", `${ID.slice(1)} ended 7 ${NEW}`],
    ["the key alone", ID],
    ["the key and nothing", `${ID} `],
    ["no key", good.slice(ID.length + 1)],
    ["no version", good.replace(` ${AT + 1}`, "")],
    ["a version that is no number", good.replace(` ${AT + 1}`, " new")],
    ["a negative version", good.replace(` ${AT + 1}`, " -7")],
    ["an infinite version", good.replace(` ${AT + 1}`, " Infinity")],
    ["half of it", good.slice(0, -1)],
    ["a list in place of the claims", `${ID} record ${AT + 1} []`],
    ["no claims", `${ID} record ${AT + 1} {}`],
    ["another session's claims", `${ID} ${good.slice(ID.length + 1).replace(ID, OTHER_ID)}`],
    ["a claim of another type", good.replace(/"exp":\d+/, `"exp":"soon"`)],
    ["data that is missing", good.replace(`,"data":{"a":9}`, "")],
    ["deflated data", good.replace(`{"a":9}`, `"q1ZKVLJSMAQA"`)],
    ["an end without its time", `${ID} ended ${NEW}`],
    ["an end at no time", `${ID} ended now ${NEW}`],
    ["an end with nothing behind it", `${ID} ended 7`],
    ["a successor that is no id", `${ID} moved 7 other`],
    ["an end with more behind it", `${ID} ended 7 ${NEW} x`],
    ["another word", `${ID} gone 7 ${NEW}`],
    ["a generation", `${ID} generation 7 ${NEW}`],
    ["a record with a mark's end", `${ID} record 7 ${NEW}`],
    ["a mark with claims", good.replace(" record ", " ended ")],
    ["a token", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"],
  ])("%s", (_, text) => {
    expect(() => find(tokenOf(COOKIE), text, undefined)).toThrow(SessionStoreError);
  });

  test.each([
    "",
    "sub:key",
    `sub:other generation 5 ${NEW}`,
    `sub:keygeneration 5 ${NEW}`,
    `sub:key generation ${NEW}`,
    "sub:key generation 5 new",
    `sub:key generation now ${NEW}`,
    `generation 5 ${NEW}`,
    `sub:key ended 5 ${NEW}`,
    "sub:key record 5 {}",
  ])("%j for a generation", (text) => {
    const token = tokenOf({ ...COOKIE, login: loginOf() });
    expect(() => find(token, undefined, text)).toThrow(SessionStoreError);
  });
});

test.each(["ended", "moved"] as const)(
  "two requests that mark an id as %s in one millisecond write texts that differ",
  (how) => {
    expect(writeMark(ID, how, START, OTHER_ID)).not.toBe(writeMark(ID, how, START, NEW));
  },
);
