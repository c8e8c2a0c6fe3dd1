import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { commitState } from "../../session/commit.ts";
import { checkOptions } from "../../session/options.ts";
import { createRecords } from "../../session/records.ts";
import { assign, createState } from "../../session/state.ts";
import { createTokens } from "../../session/token/token.ts";
import { token } from "../../session/testing/mod.ts";
import {
  createBrowser,
  createInstance,
  hold,
  type Held,
  type Instance,
  KINDS,
  look,
  secretKey,
  stopDeadlines,
  visit,
} from "../support/endings_harness.ts";
import type { Harness } from "../support/store_harness.ts";

describe.each(KINDS)("requests at once: $name, data in the $dataIn", (kind) => {
  if (!kind.isRunning) return;
  let harness: Harness;
  let first: Instance;
  let second: Instance;
  let deadlines: Disposable;
  beforeAll(async () => {
    harness = await kind.open();
    first = createInstance(harness.store, kind.dataIn);
    second = createInstance(harness.other, kind.dataIn);
    deadlines = stopDeadlines();
  });
  afterAll(async () => {
    deadlines[Symbol.dispose]();
    await harness.close();
  });

  /** A browser whose session has a key of its own. */
  async function begin() {
    const browser = createBrowser();
    await visit(first, browser, (session) => session.set("begun", 1));
    return browser;
  }

  test.each([
    ["in the order they were made", false],
    ["the other way round", true],
  ])("50 pairs that change different keys lose none, answered %s", async (_title, isReversed) => {
    for (let i = 0; i < 50; i += 1) {
      const browser = await begin();
      const other = i % 2 === 0 ? first : second;
      const held = [
        await hold(first, browser.cookie, (session) => session.set("one", i)),
        await hold(other, browser.cookie, (session) => session.set("other", i)),
      ];
      const answers = await Promise.all(held.map((request) => request.finish()));
      for (const answer of isReversed ? answers.toReversed() : answers) browser.take(answer);
      expect(await look(second, browser.cookie)).toEqual({ begun: 1, one: i, other: i });
    }
  });

  async function race(writers: number, place: number, pick: (i: number) => Instance) {
    const browser = await begin();
    const held: Held[] = [];
    for (let i = 0; i < writers; i += 1) {
      held.push(await hold(pick(i), browser.cookie, (session) => session.set(`key${i}`, i)));
    }
    const logout = await hold(first, browser.cookie, (session) => session.destroy());
    held.splice(place, 0, logout);
    const answers = await Promise.all(held.map((request) => request.finish()));
    for (const answer of answers) browser.take(answer);
    return { answers, copies: browser.copies, status: (await logout.finish()).status };
  }

  test("25 logouts that each race 20 writers of two instances: no session comes back", async () => {
    for (let i = 0; i < 25; i += 1) {
      const pick = (writer: number) => (writer % 2 === 0 ? first : second);
      const { copies, status } = await race(20, i % 21, pick);
      expect(status).toBe(200);
      for (const copy of copies) {
        expect(await look(first, copy)).toEqual({});
        expect(await look(second, copy)).toEqual({});
      }
    }
  });

  test("a logout that races 200 writers: no session comes back", async () => {
    const { copies, status } = await race(200, 20, () => first);
    expect(status).toBe(200);
    for (const copy of copies) expect(await look(second, copy)).toEqual({});
  });

  test("200 writers of one session in one process do not starve each other", async () => {
    const { cookie } = await begin();
    const held: Held[] = [];
    for (let i = 0; i < 200; i += 1) {
      held.push(await hold(first, cookie, (session) => session.set(`key${i}`, i)));
    }
    const before = first.calls.replace;
    const answers = await Promise.all(held.map((request) => request.finish()));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(first.calls.replace - before).toBe(200);
    expect(Object.keys(await look(second, cookie))).toHaveLength(201);
  });

  // Both stores that other machines can share; a process cannot have a stale view of its own.
  test("500 times, what one instance wrote and ended the other knows at once", async () => {
    if (!["redis", "postgres"].includes(kind.name)) return;
    for (let batch = 0; batch < 50; batch += 1) {
      await Promise.all(Array.from({ length: 10 }, (_, i) => readYourWrites(batch * 10 + i)));
    }
  });

  async function readYourWrites(i: number): Promise<void> {
    const browser = await begin();
    const copy = browser.cookie;
    await visit(first, browser, (session) => session.set("username", `user${i}`));
    expect(await look(second, copy)).toEqual({ begun: 1, username: `user${i}` });
    await visit(second, browser, (session) => session.destroy());
    expect(await look(first, copy)).toEqual({});
  }
});

describe("the turns of a session's commits", () => {
  test("leave nothing behind, whether they succeed or fail", async () => {
    let isDown = false;
    const records = new Map<string, string>();
    const store = {
      get: (keys: readonly string[]) => keys.map((key) => records.get(key)),
      replace(key: string, _previous: string | undefined, next: string) {
        if (isDown) throw new Error("down");
        records.set(key, next);
        return true;
      },
    };
    const options = { secretKey, store, onEvent: () => {} };
    const settings = checkOptions(options);
    const { cookie, lifetime, idleTimeout, now } = settings;
    const tokens = createTokens({ ...settings, audience: cookie.name });
    const turns = new Map<string, Promise<unknown>>();
    const committer = { settings, tokens, records: createRecords(store, "cookie"), turns };
    const verified = await tokens.verify(await token({ data: { begun: 1 } }, { secretKey }));
    if (typeof verified === "string") throw new Error(verified);
    const { version } = verified;
    const origin = { kind: "live", token: verified, present: verified, version } as const;

    function write(key: string) {
      const shared = { lifetime, idleTimeout, now, onLateWrite: () => {} };
      const state = createState(shared, origin, { left: 250 });
      assign(state, key, 1);
      return commitState(committer, state);
    }

    for (const down of [false, true]) {
      isDown = down;
      const results = await Promise.allSettled(["a", "b", "c"].map(async (key) => write(key)));
      expect(new Set(results.map(({ status }) => status))).toEqual(
        new Set([down ? "rejected" : "fulfilled"]),
      );
      await Promise.resolve();
      expect(turns.size).toBe(0);
    }
  });
});
