import { describe, expect, test } from "bun:test";
import type { Visit } from "./clients.ts";
import type { Seen } from "./instance.ts";
import { judge } from "./judge.ts";

/** A login at 0 and two changes at 1 and 2 were acknowledged, of three changes that were asked for. */
const visit: Visit = {
  user: "ann",
  place: "cookie",
  cookies: ["a", "b", "c"],
  acknowledged: [0, 1, 2],
  asked: 3,
  ended: undefined,
  isEndAsked: false,
};
const stored: Visit = { ...visit, place: "store" };
const ended: Visit = { ...visit, isEndAsked: true, ended: 3 };

const nobody: Seen = { user: null, count: null };
const at = (count: number): Seen => ({ user: "ann", count });

/** The times at which was acknowledged what is lost, by the beginning of what was promised. */
function lostOf(visit: Visit, oldest: Seen, newest: Seen): [string, number][] {
  const lost = judge(visit, { oldest, newest }).filter(({ isKept }) => !isKept);
  return lost.map(({ promised, at }) => [promised.split(":")[0] ?? "", at]);
}

describe("what is lost", () => {
  test.each<[string, Visit, Seen, Seen, [string, number][]]>([
    ["nothing, where all is there", visit, at(2), at(2), []],
    ["nothing, where more is there than was acknowledged", visit, at(3), at(3), []],
    [
      "the second change, where an older cookie shows the first",
      visit,
      at(1),
      at(2),
      [["change, data in the cookie", 2]],
    ],
    ["nothing, where an older cookie's data is in the store", stored, at(0), at(2), []],
    [
      "all, where the store's session is gone",
      stored,
      nobody,
      nobody,
      [
        ["login, data in the store", 0],
        ["change, data in the store", 1],
        ["change, data in the store", 2],
      ],
    ],
    ["nothing, where a logout holds", ended, nobody, nobody, []],
    ["a logout, where the oldest cookie is signed in", ended, at(0), nobody, [["logout", 3]]],
    ["a logout, where the newest cookie is signed in", ended, nobody, at(2), [["logout", 3]]],
    ["nothing, where a logout had no answer", { ...ended, ended: undefined }, at(2), nobody, []],
    ["nothing, where no login had an answer", { ...visit, acknowledged: [] }, nobody, nobody, []],
  ])("%s", (_title, visit, oldest, newest, lost) => {
    expect(lostOf(visit, oldest, newest)).toEqual(lost);
  });
});

test.each<[string, Seen]>([
  ["another user", { user: "bob", count: 1 }],
  ["a count that nobody asked for", at(4)],
])("%s is an error", (_title, seen) => {
  expect(() => judge(visit, { oldest: seen, newest: at(2) })).toThrow();
});
