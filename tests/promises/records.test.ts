import { describe, expect, test } from "bun:test";
import { type Snapshot, snapshot, SUBJECT, subjectEntry } from "../../session/entries.ts";
import { SessionStoreError } from "../../session/errors.ts";
import { formatRecord, formatValue } from "../../session/record.ts";
import { createRecords, STORE_DEADLINE } from "../../session/records.ts";
import type { Store } from "../../session/stores/store.ts";
import { memoryStore } from "../../session/stores/memory.ts";
import { errorOf, untyped } from "../support/helpers.ts";

const ID = "AAECAwQFBgcICQoLDA0ODw";
const OTHER_ID = "BBECAwQFBgcICQoLDA0ODw";
const SUBJECT_KEY = "sub:hash";

function cookieOf(generation?: string | null): Snapshot {
  const times = { id: ID, startedAt: 1, endsAt: 9, version: 10 };
  if (generation === undefined) return snapshot(times, new Map([["a", "1"]]));
  const subject = { name: "ann", key: SUBJECT_KEY, generation: generation ?? undefined, since: 1 };
  return snapshot(
    times,
    new Map([
      ["a", "1"],
      [SUBJECT, subjectEntry(subject)],
    ]),
  );
}

function patience(): { left: number } {
  return { left: STORE_DEADLINE };
}

/** A store that answers each question with the next of these answers. */
function answering(...answers: readonly (readonly (string | undefined)[])[]): {
  readonly store: Store;
  readonly asked: (readonly string[])[];
} {
  const asked: (readonly string[])[] = [];
  const get = (keys: readonly string[]): readonly (string | undefined)[] =>
    answers[asked.push(keys) - 1] ?? [];
  return { store: { get, replace: () => true }, asked };
}

const ended = formatRecord(ID, { version: 20, end: "over" });
const generationText = formatValue(SUBJECT_KEY, `"new"`);

describe("a view of a session", () => {
  test("asks for its record alone where there is no subject", () => {
    const { store, asked } = answering([undefined]);
    const view = createRecords(store, "cookie").view(cookieOf(), patience());
    expect(view).toMatchObject({ end: undefined, text: undefined, record: undefined });
    expect(asked).toEqual([[ID]]);
  });

  test("asks for record and generation in one call", () => {
    const { store, asked } = answering([undefined, undefined]);
    const view = createRecords(store, "cookie").view(cookieOf(null), patience());
    expect(view).toMatchObject({ end: undefined });
    expect(asked).toEqual([[ID, SUBJECT_KEY]]);
  });

  test.each<[string, string | null, string | undefined, "over" | undefined]>([
    ["none then and none now", null, undefined, undefined],
    ["none then and one now", null, generationText, "over"],
    ["another one then", "old", generationText, "over"],
    ["the same one", "new", generationText, undefined],
    ["one then that was forgotten since", "new", undefined, undefined],
  ])("D9 by generation, %s", (_, generation, now, end) => {
    const { store } = answering([undefined, now]);
    const view = createRecords(store, "cookie").view(cookieOf(generation), patience());
    expect(view).toMatchObject({ end });
  });

  test("asks for the generation of a subject that the record alone knows of", () => {
    const subject = { name: "ann", key: SUBJECT_KEY, generation: "old", since: 1 };
    const set = new Map([[SUBJECT, { version: 20, text: subjectEntry(subject) }]]);
    const none = { gone: new Map(), raced: undefined, floor: undefined };
    const record = formatRecord(ID, { version: 20, set, ...none });
    const { store, asked } = answering([record], [generationText]);
    const view = createRecords(store, "cookie").view(cookieOf(), patience());
    expect(view).toMatchObject({ end: "over" });
    expect(asked).toEqual([[ID], [SUBJECT_KEY]]);
  });

  test("says how an ended session ended, and the text that is to be replaced", () => {
    const { store } = answering([ended]);
    const view = createRecords(store, "cookie").view(cookieOf(), patience());
    expect(view).toMatchObject({ end: "over", since: 20, text: ended });
  });

  test("asks nobody where there is no store", async () => {
    const records = createRecords(null, "cookie");
    expect(records.view(cookieOf("old"), patience())).toMatchObject({ end: undefined });
    expect(records.generation(SUBJECT_KEY, patience())).toBeUndefined();
    expect(records.replace(ID, "x", { version: 1, end: "over" }, 60, patience())).toBe(true);
    await records.setGeneration(SUBJECT_KEY, "new", 60);
  });

  test("is no promise where the store answers at once, and one where it does not", () => {
    const records = createRecords(memoryStore(), "cookie");
    expect(records.view(cookieOf(), patience())).not.toBeInstanceOf(Promise);
    const slow = createRecords(
      { get: async () => [undefined], replace: async () => true },
      "cookie",
    );
    expect(slow.view(cookieOf(), patience())).toBeInstanceOf(Promise);
  });
});

test("replace puts the record's text in place of the one that was read, for its time", async () => {
  const calls: unknown[] = [];
  const store: Store = { get: () => [], replace: (...call) => calls.push(call) > 1 };
  const records = createRecords(store, "cookie");
  const record = { version: 20, end: "over" } as const;
  expect(await records.replace(ID, "before", record, 900, patience())).toBe(false);
  expect(await records.replace(ID, undefined, record, 900, patience())).toBe(true);
  expect(calls).toEqual([
    [ID, "before", ended, 900],
    [ID, undefined, ended, 900],
  ]);
});

test("setGeneration puts the new one in place of whatever is there", async () => {
  const store = memoryStore();
  const records = createRecords(store, "cookie");
  await records.setGeneration(SUBJECT_KEY, "one", 60);
  await records.setGeneration(SUBJECT_KEY, "two", 60);
  expect(await store.get([SUBJECT_KEY])).toEqual([`${SUBJECT_KEY} "two"`]);
  expect(await records.generation(SUBJECT_KEY, patience())).toBe("two");
});

const never = new Promise<never>(() => {});

describe("a store that fails is a SessionStoreError, for every question", () => {
  const failing: readonly (readonly [string, Store])[] = [
    ["throws", { get: fail, replace: fail }],
    ["rejects", { get: async () => fail(), replace: async () => fail() }],
    [
      "rejects without an error",
      { get: () => Promise.reject(untyped(5)), replace: () => Promise.reject(untyped(5)) },
    ],
    ["never answers", { get: () => never, replace: () => never }],
  ];

  test.each(failing)("one that %s", async (_, store) => {
    const records = createRecords(store, "cookie");
    const questions: (() => unknown)[] = [
      () => records.view(cookieOf(), patience()),
      () => records.generation(SUBJECT_KEY, patience()),
      () => records.replace(ID, undefined, { version: 1, end: "over" }, 60, patience()),
      () => records.setGeneration(SUBJECT_KEY, "new", 60),
    ];
    const errors = await Promise.all(questions.map(errorOf));
    for (const error of errors) expect(error).toBeInstanceOf(SessionStoreError);
    expect(errors[0]).toMatchObject({ code: "ERR_SESSION_STORE" });
  });

  test("keeps the store's own error as the cause", async () => {
    const error = await errorOf(() =>
      createRecords({ get: fail, replace: fail }, "cookie").view(cookieOf(), patience()),
    );
    expect(error).toMatchObject({ cause: { message: "The disk is full" } });
  });
});

function fail(): never {
  throw new Error("The disk is full");
}

test("a store is waited for 250 ms in a whole request, not for each question", async () => {
  const { promise, resolve } = Promise.withResolvers<readonly undefined[]>();
  const store: Store = { get: () => promise, replace: () => never };
  const records = createRecords(store, "cookie");
  const shared = { left: 30 };
  expect(await errorOf(() => records.view(cookieOf(), shared))).toBeInstanceOf(SessionStoreError);
  expect(shared.left).toBeLessThanOrEqual(0);
  resolve([undefined]);
  expect(await errorOf(() => records.view(cookieOf(), shared))).toBeInstanceOf(SessionStoreError);
  expect(STORE_DEADLINE).toBe(250);
});

describe("an answer that cannot be right is a SessionStoreError, never a good session", () => {
  test.each<[string, readonly (string | undefined)[]]>([
    ["about another session", [formatRecord(OTHER_ID, { version: 1, end: "over" }), undefined]],
    ["about the generation in the record's place", [generationText, undefined]],
    ["about the record in the generation's place", [undefined, ended]],
    ["about another subject", [undefined, formatValue("sub:other", `"old"`)]],
    ["with a record of no JSON", [`${ID} {`, undefined]],
    ["with a generation of no JSON", [undefined, `${SUBJECT_KEY} "o`]],
    ["with a generation that is no text", [undefined, `${SUBJECT_KEY} null`]],
    ["with too few values", []],
    ["with one value for two keys", [undefined]],
    ["with too many values", [undefined, undefined, undefined]],
    ["with null in place of undefined", untyped([null, null])],
    ["with an object", untyped([{}, undefined])],
    ["that is no list", untyped({})],
    ["that is nothing", untyped(undefined)],
  ])("%s", async (_, answer) => {
    for (const get of [() => answer, async () => answer]) {
      const records = createRecords({ get, replace: () => true }, "cookie");
      const error = await errorOf((): unknown => records.view(cookieOf("old"), patience()));
      expect(error).toBeInstanceOf(SessionStoreError);
    }
  });

  test("not even where replace says neither yes nor no", async () => {
    const records = createRecords(
      { get: () => [undefined], replace: () => untyped("OK") },
      "cookie",
    );
    const record = { version: 1, end: "over" } as const;
    expect(
      await errorOf(() => records.replace(ID, undefined, record, 60, patience())),
    ).toBeInstanceOf(SessionStoreError);
  });
});

test("a store that says no for ever is given up", async () => {
  const records = createRecords({ get: () => [undefined], replace: () => false }, "cookie");
  const error = await errorOf(() => records.setGeneration(SUBJECT_KEY, "new", 60));
  expect(error).toBeInstanceOf(SessionStoreError);
});
