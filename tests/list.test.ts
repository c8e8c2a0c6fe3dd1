import { describe, expect, test } from "bun:test";
import { SessionStoreError } from "../session/errors.ts";
import {
  excessOf,
  lastEnd,
  LIST_LIMIT,
  type Listed,
  put,
  readList,
  writeList,
} from "../session/list.ts";
import { errorOf } from "./support/errors.ts";

const KEY = `list:${"k".repeat(43)}`;

/** A session of a list, by the first letter of its id. */
function listed(letter: string, changes: Partial<Listed> = {}): Listed {
  return {
    id: letter.repeat(12) + "-".repeat(9) + "A",
    startedAt: 1000,
    seenAt: 1001,
    expiresAt: 2000,
    endsAt: 3000,
    generation: undefined,
    label: undefined,
    ...changes,
  };
}

const idsOf = (sessions: readonly Listed[]): string[] => sessions.map(({ id }) => id.slice(0, 1));

test("the text, to the letter", () => {
  const sessions = [
    listed("a", { label: `Fire"fox` }),
    listed("b", { generation: "g".repeat(22) }),
    listed("c", { generation: "g", label: "" }),
  ];
  const text =
    `${KEY} list {"aaaaaaaaaaaa":["---------A",1000,1001,2000,3000,null,"Fire\\"fox"],` +
    `"bbbbbbbbbbbb":["---------A",1000,1001,2000,3000,"${"g".repeat(22)}"],` +
    `"cccccccccccc":["---------A",1000,1001,2000,3000,"g",""]}`;
  expect(writeList(KEY, sessions)).toBe(text);
  expect(readList(KEY, text)).toEqual(sessions);
  expect(writeList(KEY, [])).toBe(`${KEY} list {}`);
  expect([readList(KEY, undefined), readList(KEY, `${KEY} list {}`)]).toEqual([[], []]);
});

test("the order of the text is that of the sessions, whatever their refs look like", () => {
  const ids = ["999999999999", "111111111111", "__proto__---", "000000000000"];
  const sessions = ids.map((ref) => listed("a", { id: `${ref}---------A` }));
  expect(readList(KEY, writeList(KEY, sessions))).toEqual(sessions);
});

describe("a text that is not ours is a failed store", () => {
  const good = ["---------A", 1000, 1001, 2000, 3000, null];
  const withValues = (values: unknown): string =>
    `${KEY} list ${JSON.stringify({ aaaaaaaaaaaa: values })}`;

  test("but this one is ours", () => {
    expect(readList(KEY, withValues(good))).toHaveLength(1);
  });

  test.each<[string, string]>([
    ["of another key", `list:${"x".repeat(43)} list {}`],
    ["of a longer key", `${KEY}k list {}`],
    ["of another kind", `${KEY} record 5 {}`],
    ["without its key", "{}"],
    ["of nothing", ""],
    ["cut short", `${KEY} list {"aaaaaaaaaaaa":["---------A",1000`],
    ["that is a list", `${KEY} list []`],
    ["that is null", `${KEY} list null`],
    ["of a session that is null", withValues(null)],
    ["of a session that is an object", withValues({})],
    ["of a session that is empty", withValues([])],
    ["of a session with a short id", withValues(good.with(0, "A"))],
    ["of a session with an id of other letters", withValues(good.with(0, "--------- "))],
    ["of a session with a number as its id", withValues(good.with(0, 1))],
    ["of a session with a long ref", `${KEY} list {"aaaaaaaaaaaaa":["--------A",1,1,2,3,null]}`],
    ["of a session with a text as its start", withValues(good.with(1, "1000"))],
    ["of a session with a negative time", withValues(good.with(2, -1))],
    ["of a session that never expires", withValues(good.with(3, null))],
    ["of a session that ends after all dates", withValues(good.with(4, 8.64e12 + 1))],
    ["of a session with a number as its generation", withValues(good.with(5, 1))],
    ["of a session without one", withValues(good.slice(0, 5))],
    ["of a session with a number as its label", withValues([...good, 1])],
    ["of a session with null as its label", withValues([...good, null])],
  ])("%s", async (_, text) => {
    expect(await errorOf(() => readList(KEY, text))).toBeInstanceOf(SessionStoreError);
  });
});

describe("a session is put", () => {
  const list = [listed("a"), listed("b")];

  test("at the end", () => {
    expect(idsOf(put(list, listed("c")))).toEqual(["a", "b", "c"]);
  });

  test("in the place of what the list has of it", () => {
    const changed = listed("a", { seenAt: 1500 });
    expect(put(list, changed)).toEqual([changed, listed("b")]);
  });
});

describe("above the limit", () => {
  const full = Array.from({ length: LIST_LIMIT }, (_, index) =>
    listed(String.fromCharCode(0x4e00 + index), { startedAt: 1000 + index }),
  );

  test("are none of 100 sessions", () => {
    expect(excessOf(full, undefined)).toEqual([]);
  });

  test.each<[string, Partial<Listed>, number]>([
    ["the oldest", { startedAt: 5000 }, 0],
    ["the oldest, where all started before", { startedAt: 0 }, 0],
  ])("is %s and never the new one", (_, changes, index) => {
    const own = listed("z", changes);
    expect(excessOf([own, ...full], own.id)).toEqual(full.slice(index, index + 1));
  });

  test("are the two that started first, of 102", () => {
    const two = [listed("y", { startedAt: 2 }), listed("z", { startedAt: 1 })];
    expect(idsOf(excessOf([...full, ...two], undefined))).toEqual(["z", "y"]);
  });
});

test("the last end is the latest, and 0 of no session", () => {
  expect(lastEnd([listed("a"), listed("b", { expiresAt: 2500 }), listed("c")])).toBe(2500);
  expect(lastEnd([])).toBe(0);
});
