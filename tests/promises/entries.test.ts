import { describe, expect, test } from "bun:test";
import {
  apply,
  type Changes,
  type Flash,
  FLASHES,
  flashesOf,
  hasKeys,
  keyOf,
  latestFlashes,
  nameOf,
  PERMANENT,
  snapshot,
  SUBJECT,
  subjectEntry,
} from "../../session/entries.ts";

function entriesOf(texts: Record<string, string>): ReadonlyMap<string, string> {
  return new Map(Object.entries(texts));
}

function flash(message: string, category = "message"): Flash {
  return { category, message };
}

describe("a user's key and its entry's name", () => {
  test.each([
    ["cart", "cart"],
    ["", ""],
    ["$", "$$"],
    ["$flashes", "$$flashes"],
    ["$subject", "$$subject"],
    ["$$permanent", "$$$permanent"],
    ["a$", "a$"],
    ["__proto__", "__proto__"],
    ["ä", "ä"],
  ])("%p is called %p, and back", (key, name) => {
    expect(nameOf(key)).toBe(name);
    expect(keyOf(name)).toBe(key);
  });

  test.each([FLASHES, PERMANENT, SUBJECT, "$", "$other"])("%s is no key of the user's", (name) => {
    expect(keyOf(name)).toBeUndefined();
  });

  test.each<[boolean, Record<string, string>]>([
    [false, {}],
    [false, { $flashes: "[]", $permanent: "true", $subject: "[]" }],
    [true, { $permanent: "true", cart: "[]" }],
    [true, { $$permanent: "true" }],
  ])("there are keys of the user's: %p in %j", (expected, texts) => {
    expect(hasKeys(entriesOf(texts))).toBe(expected);
  });
});

describe("apply", () => {
  const none: Changes = {
    set: new Map(),
    changedInside: new Map(),
    removed: new Set(),
    takenFlashes: [],
    addedFlashes: [],
  };
  const present = { name: `"Ann"`, cart: `["tea"]` };

  test.each<[string, Partial<Changes>, Record<string, string>, boolean]>([
    ["nothing", {}, present, false],
    ["sets a new key", { set: new Map([["a", "1"]]) }, { ...present, a: "1" }, false],
    ["sets a key over", { set: new Map([["name", "1"]]) }, { ...present, name: "1" }, false],
    ["removes a key", { removed: new Set(["name"]) }, { cart: `["tea"]` }, false],
    ["removes what is not there", { removed: new Set(["other"]) }, present, false],
    [
      "changes a value inside",
      { changedInside: new Map([["cart", `["tea","milk"]`]]) },
      { ...present, cart: `["tea","milk"]` },
      false,
    ],
    [
      "drops a change inside a value that is gone",
      { changedInside: new Map([["wishes", `["tea"]`]]), set: new Map([["a", "1"]]) },
      { ...present, a: "1" },
      true,
    ],
    [
      "adds a flash",
      { addedFlashes: [flash("Hi")] },
      { ...present, $flashes: `[["message","Hi"]]` },
      false,
    ],
    ["takes a flash that is gone", { takenFlashes: [flash("Hi")] }, present, false],
  ])("%s", (_, changes, expected, isDropped) => {
    const before = entriesOf(present);
    const applied = apply(before, { ...none, ...changes });
    expect(Object.fromEntries(applied.entries)).toEqual(expected);
    expect(applied.isDropped).toBe(isDropped);
    expect(Object.fromEntries(before)).toEqual(present);
  });

  test.each<[string, Flash[], Flash[], Flash[], Flash[]]>([
    ["the one that waits", [flash("a")], [flash("a")], [], []],
    ["one of two that are alike, once", [flash("b"), flash("b")], [flash("b")], [], [flash("b")]],
    ["none of another category", [flash("a")], [flash("a", "error")], [], [flash("a")]],
    ["one and adds one", [flash("a")], [flash("a")], [flash("z")], [flash("z")]],
  ])("takes %s", (_, waiting, takenFlashes, addedFlashes, expected) => {
    const before = apply(new Map(), { ...none, addedFlashes: waiting }).entries;
    const { entries } = apply(before, { ...none, takenFlashes, addedFlashes });
    expect(flashesOf(entries)).toEqual(expected);
    expect(entries.has(FLASHES)).toBe(expected.length > 0);
  });

  test("keeps flashes that another request added meanwhile", () => {
    const now = entriesOf({ $flashes: `[["message","seen"],["message","meanwhile"]]` });
    const changes = { ...none, takenFlashes: [flash("seen")], addedFlashes: [flash("mine")] };
    expect(flashesOf(apply(now, changes).entries)).toEqual([flash("meanwhile"), flash("mine")]);
  });

  test("lets twenty flashes wait, the newest", () => {
    const added = Array.from({ length: 25 }, (_, index) => flash(`${index}`));
    const { entries } = apply(entriesOf({ $flashes: `[["message","old"]]` }), {
      ...none,
      addedFlashes: added,
    });
    expect(flashesOf(entries)).toEqual(added.slice(5));
    expect(latestFlashes(added)).toEqual(added.slice(5));
  });
});

describe("flashes as they were signed", () => {
  test.each<[string, string | undefined, Flash[]]>([
    ["none", undefined, []],
    ["two", `[["message","a"],["error","b"]]`, [flash("a"), flash("b", "error")]],
    ["no list", `{"message":"a"}`, []],
    ["no pairs", `["message",["a"],[1,2],["error","b"]]`, [flash("b", "error")]],
  ])("%s", (_, text, expected) => {
    expect(flashesOf(entriesOf(text === undefined ? {} : { $flashes: text }))).toEqual(expected);
  });
});

describe("a snapshot", () => {
  const times = { id: "id", startedAt: 100, endsAt: 900, version: 5 };

  test("starts when the session started", () => {
    const entries = entriesOf({ a: "1" });
    expect(snapshot(times, entries)).toEqual({ ...times, entries, subject: undefined });
  });

  test.each<[string, string | undefined]>([
    ["with a generation", "generation"],
    ["without one", undefined],
  ])("starts when its subject was set, %s", (_, generation) => {
    const subject = { name: "ann", key: "sub:hash", generation, since: 300 };
    const entries = entriesOf({ [SUBJECT]: subjectEntry(subject) });
    expect(snapshot(times, entries)).toEqual({ ...times, startedAt: 300, entries, subject });
  });

  test.each([`"ann"`, "[]", `["ann"]`, `["ann","key",null,"300"]`, `[1,"key",null,300]`])(
    "takes %s for no subject",
    (text) => {
      expect(snapshot(times, entriesOf({ [SUBJECT]: text })).subject).toBeUndefined();
    },
  );
});
