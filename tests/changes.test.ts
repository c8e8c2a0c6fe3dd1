import { describe, expect, test } from "bun:test";
import {
  apply,
  assign,
  begin,
  type Calls,
  type Changes,
  changesOf,
  createDraft,
  discard,
  type Draft,
  hasChanges,
  isUnused,
  readValue,
  remove,
  removeFlashes,
  valuesOf,
  waitingFlashes,
} from "../session/changes.ts";
import { SessionValueError } from "../session/errors.ts";
import { checkOptions } from "../session/options.ts";
import { type Content, type Flash, NOTHING } from "../session/state.ts";
import { errorOf, untyped } from "./support/errors.ts";
import { SECRET } from "./support/secrets.ts";
import { stateOf } from "./support/tokens.ts";

const settings = checkOptions({ secretKey: SECRET });

function flash(message: string, category = "message"): Flash {
  return { category, message };
}

function contentOf(data: Record<string, string>, flashes: readonly Flash[] = []): Content {
  return { data: new Map(Object.entries(data)), flashes, permanent: false };
}

/** The draft of a request whose session holds this. */
function draftOf(data: Record<string, string>, change: Partial<Content> = {}): Draft {
  const state = stateOf(data, change);
  const token = { text: "token", state, hasData: true, isCurrentKey: true, isExposed: false };
  return createDraft(settings, undefined, {
    kind: "live",
    token,
    state,
    isNewer: false,
    hasRecord: false,
  });
}

function visitorDraft(): Draft {
  return createDraft(settings);
}

const NO_CALLS: Calls = {
  signedIn: undefined,
  authentication: undefined,
  label: undefined,
  endedOthersOf: undefined,
  hasNewId: false,
  isDestroyed: false,
  keepsRest: true,
};

const NAME_AND_CART = { name: `"Ann"`, cart: `["tea"]`, when: `{"$date":0}` };

function pushMilk(draft: Draft): void {
  const cart = readValue(draft, "cart");
  if (Array.isArray(cart)) cart.push("milk");
}

describe("reading a draft", () => {
  test("a plain value is read on its own, and the others stay unread", () => {
    const draft = draftOf({ ...NAME_AND_CART, count: "0", none: "null", yes: "true" });
    const keys = ["name", "count", "none", "yes", "other", "__proto__"];
    expect(keys.map((key) => readValue(draft, key))).toEqual([
      "Ann",
      0,
      null,
      true,
      undefined,
      undefined,
    ]);
    expect(draft.values).toBeUndefined();
    expect(isUnused(draft)).toBe(true);
  });

  test.each<[string, unknown]>([
    ["cart", ["tea"]],
    ["when", new Date(0)],
  ])("a value that can be changed inside is decoded once: %s", (key, expected) => {
    const draft = draftOf(NAME_AND_CART);
    const value = readValue(draft, key);
    expect(value).toEqual(expected);
    expect(readValue(draft, key)).toBe(value);
    expect(valuesOf(draft).get(key)).toBe(value);
    expect(isUnused(draft)).toBe(false);
    expect(hasChanges(changesOf(draft))).toBe(false);
  });

  test("no request changes what another one reads", () => {
    const state = stateOf(NAME_AND_CART);
    const token = { text: "token", state, hasData: true, isCurrentKey: true, isExposed: false };
    const found = { kind: "live", token, state, isNewer: false, hasRecord: false } as const;
    const [one, other] = [
      createDraft(settings, undefined, found),
      createDraft(settings, undefined, found),
    ];
    pushMilk(one);
    assign(one, "new", 1);
    removeFlashes(one, [flash("Hi")]);
    expect(readValue(other, "cart")).toEqual(["tea"]);
    expect(readValue(other, "new")).toBeUndefined();
    expect([
      hasChanges(changesOf(other)),
      isUnused(createDraft(settings, undefined, found)),
    ]).toEqual([false, true]);
    assign(visitorDraft(), "new", 1);
    expect([NOTHING.data.size, NOTHING.flashes.length]).toEqual([0, 0]);
  });
});

describe("what a request changed", () => {
  test.each<[string, (draft: Draft) => unknown, Partial<Changes>]>([
    ["nothing", () => {}, {}],
    ["a read", (draft) => valuesOf(draft), {}],
    ["a key set anew", (draft) => assign(draft, "new", 1), { values: values({ new: "1" }) }],
    [
      "a key set over",
      (draft) => assign(draft, "name", "Bob"),
      { values: values({ name: `"Bob"` }) },
    ],
    ["an equal value", (draft) => assign(draft, "cart", ["tea"]), {}],
    ["a key removed", (draft) => remove(draft, "name"), { values: new Map([["name", {}]]) }],
    ["a key that was never there removed", (draft) => remove(draft, "other"), {}],
    ["a key set and removed", (draft) => [assign(draft, "new", 1), remove(draft, "new")], {}],
    [
      "a change inside a value, with the text that it was made on",
      pushMilk,
      { values: new Map([["cart", { text: `["tea","milk"]`, insideOf: `["tea"]` }]]) },
    ],
    [
      "a change inside a value that was set as well, which is a whole value",
      (draft) => [pushMilk(draft), assign(draft, "cart", readValue(draft, "cart"))],
      { values: values({ cart: `["tea","milk"]` }) },
    ],
    [
      "a change inside a value that was set before",
      (draft) => [assign(draft, "cart", ["tea"]), pushMilk(draft)],
      { values: values({ cart: `["tea","milk"]` }) },
    ],
    [
      "a value removed and set again, which is a whole value",
      (draft) => [remove(draft, "cart"), assign(draft, "cart", ["milk"])],
      { values: values({ cart: `["milk"]` }) },
    ],
    ["permanent", (draft) => void (draft.permanent = true), { permanent: true }],
    [
      "a flash that waited taken",
      (draft) => removeFlashes(draft, waitingFlashes(draft)),
      { takenFlashes: [flash("old")] },
    ],
    [
      "a flash added",
      (draft) => void (draft.addedFlashes = [flash("new")]),
      { addedFlashes: [flash("new")] },
    ],
    [
      "a flash added and taken, and one that waited",
      (draft) => {
        draft.addedFlashes = [flash("new")];
        removeFlashes(draft, waitingFlashes(draft));
      },
      { takenFlashes: [flash("old")] },
    ],
    [
      "a new id",
      (draft) => void (draft.calls = { ...draft.calls, hasNewId: true }),
      { calls: { ...NO_CALLS, hasNewId: true } },
    ],
    [
      "an end",
      (draft) => void (draft.calls = { ...draft.calls, isDestroyed: true }),
      { calls: { ...NO_CALLS, isDestroyed: true } },
    ],
  ])("%s", (_, act, expected) => {
    const draft = draftOf(NAME_AND_CART, { flashes: [flash("old")] });
    act(draft);
    const { repeated: _repeated, ...changes } = changesOf(draft);
    expect(changes).toEqual({
      values: new Map(),
      permanent: undefined,
      takenFlashes: [],
      addedFlashes: [],
      calls: NO_CALLS,
      ...expected,
    });
    expect(hasChanges(changesOf(draft))).toBe(Object.keys(expected).length > 0);
    if (isUnused(draft)) expect(hasChanges(changesOf(draft))).toBe(false);
  });

  test("includes what was set to what it was, for a session that begins", () => {
    const draft = draftOf(NAME_AND_CART, { permanent: true, flashes: [flash("old")] });
    assign(draft, "name", "Ann");
    readValue(draft, "cart");
    assign(draft, "new", 1);
    draft.permanent = true;
    const changes = changesOf(draft);
    expect([changes.values, changes.permanent]).toEqual([values({ new: "1" }), undefined]);
    expect(begin(changes)).toEqual({
      content: {
        data: new Map(Object.entries({ name: `"Ann"`, new: "1" })),
        flashes: [],
        permanent: true,
      },
      isDropped: false,
    });
  });

  test("that was given up keeps nothing of what was there", () => {
    const draft = draftOf(NAME_AND_CART, { flashes: [flash("old")], permanent: true });
    pushMilk(draft);
    assign(draft, "card", "4111");
    draft.addedFlashes = [flash("Saved")];
    const calls = { ...draft.calls, endedOthersOf: "bob", isDestroyed: true };
    draft.calls = { ...calls, signedIn: "ann", hasNewId: true };
    draft.newId = "id";
    discard(draft);
    expect([valuesOf(draft).size, waitingFlashes(draft), draft.permanent]).toEqual([
      0,
      [],
      undefined,
    ]);
    expect(draft.newId).toBeUndefined();
    expect(draft.calls).toEqual({ ...NO_CALLS, ...calls, keepsRest: false });
    assign(draft, "name", "Ann");
    expect(changesOf(draft)).toMatchObject({
      values: values({ name: `"Ann"` }),
      takenFlashes: [],
      addedFlashes: [],
    });
  });

  test("inside a value to what cannot be stored is refused", async () => {
    const draft = draftOf({ any: `{"list":[1]}` });
    Object.assign(Object(readValue(draft, "any")), { list: [() => {}] });
    const error = await errorOf(() => changesOf(draft));
    expect(error).toMatchObject({ code: "ERR_SESSION_VALUE", path: "any.list[0]" });
  });

  test.each<[unknown]>([[42], [Symbol("key")], [null], [undefined]])(
    "has no key that is not text: %p",
    (key) => {
      const draft = draftOf(NAME_AND_CART);
      expect(() => assign(draft, untyped(key), 1)).toThrow(SessionValueError);
      expect(isUnused(draft)).toBe(true);
    },
  );
});

/** Keys that were set, with their tagged JSON. */
function values(texts: Record<string, string>): Changes["values"] {
  return new Map(Object.entries(texts).map(([key, text]) => [key, { text }]));
}

const NO_CHANGES: Changes = changesOf(draftOf({}));

describe("changes on another state of the session", () => {
  const inside = new Map([["cart", { text: `["tea","milk"]`, insideOf: `["tea"]` }]]);
  const present = { name: `"Ann"`, cart: `["tea"]` };

  test.each<[string, Changes["values"], Record<string, string>, Record<string, string>, boolean]>([
    ["none", new Map(), present, present, false],
    ["a key set anew", values({ a: "1" }), present, { ...present, a: "1" }, false],
    ["a key set over", values({ name: "1" }), present, { ...present, name: "1" }, false],
    ["a key removed", new Map([["name", {}]]), present, { cart: `["tea"]` }, false],
    ["a key removed that is gone", new Map([["other", {}]]), present, present, false],
    ["a key set that is gone", values({ other: "1" }), present, { ...present, other: "1" }, false],
    ["a change inside", inside, present, { ...present, cart: `["tea","milk"]` }, false],
    [
      "the same change inside",
      inside,
      { cart: `["tea","milk"]` },
      { cart: `["tea","milk"]` },
      false,
    ],
    ["a change inside what was removed", inside, { name: "1" }, { name: "1" }, true],
    ["a change inside what was set over", inside, { cart: "[]" }, { cart: "[]" }, true],
    [
      "a change inside what was changed",
      inside,
      { cart: `["tea","a"]` },
      { cart: `["tea","a"]` },
      true,
    ],
  ])("%s", (_, values, present, expected, isDropped) => {
    const content = contentOf(present);
    const applied = apply(content, { ...NO_CHANGES, values });
    expect(Object.fromEntries(applied.content.data)).toEqual(expected);
    expect(applied.isDropped).toBe(isDropped);
    expect(content).toEqual(contentOf(present));
  });

  test("a dropped change inside a value takes no other change with it", () => {
    const both = new Map([...inside, ...values({ a: "1" })]);
    for (const values of [both, new Map([...both].toReversed())]) {
      const { content, isDropped } = apply(contentOf({ b: "2" }), { ...NO_CHANGES, values });
      expect([Object.fromEntries(content.data), isDropped]).toEqual([{ a: "1", b: "2" }, true]);
    }
  });

  test.each<[boolean | undefined, boolean, boolean]>([
    [undefined, true, true],
    [undefined, false, false],
    [true, false, true],
    [false, true, false],
  ])("permanent %p on %p is %p", (permanent, before, expected) => {
    const content = { ...contentOf({}), permanent: before };
    expect(apply(content, { ...NO_CHANGES, permanent }).content.permanent).toBe(expected);
  });
});

describe("flashes on another state of the session", () => {
  test.each<[string, Flash[], Flash[], Flash[], Flash[]]>([
    ["the one that waits", [flash("a")], [flash("a")], [], []],
    ["one of two that are alike, once", [flash("b"), flash("b")], [flash("b")], [], [flash("b")]],
    ["none of another category", [flash("a")], [flash("a", "error")], [], [flash("a")]],
    ["one that is gone", [flash("a")], [flash("b")], [], [flash("a")]],
    ["one and adds one", [flash("a")], [flash("a")], [flash("z")], [flash("z")]],
    [
      "what it saw, and leaves what came meanwhile",
      [flash("seen"), flash("meanwhile")],
      [flash("seen")],
      [flash("mine")],
      [flash("meanwhile"), flash("mine")],
    ],
  ])("a request takes %s", (_, waiting, takenFlashes, addedFlashes, expected) => {
    const before = contentOf({}, waiting);
    const { content } = apply(before, { ...NO_CHANGES, takenFlashes, addedFlashes });
    expect(content.flashes).toEqual(expected);
    expect(before.flashes).toEqual(waiting);
  });

  test("twenty wait at most, the newest, in the request and after it", () => {
    const added = Array.from({ length: 25 }, (_, index) => flash(`${index}`));
    const draft = draftOf({}, { flashes: [flash("old")] });
    draft.addedFlashes = added;
    expect(waitingFlashes(draft)).toEqual(added.slice(5));
    const { content } = apply(contentOf({}, [flash("old")]), changesOf(draft));
    expect(content.flashes).toEqual(added.slice(5));
  });

  test("one added that is alike one taken stays", () => {
    const draft = draftOf({}, { flashes: [flash("a")] });
    removeFlashes(draft, waitingFlashes(draft));
    draft.addedFlashes = [flash("a")];
    expect(waitingFlashes(draft)).toEqual([flash("a")]);
    expect(apply(contentOf({}, [flash("a")]), changesOf(draft)).content.flashes).toEqual([
      flash("a"),
    ]);
  });
});
