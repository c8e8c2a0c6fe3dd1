import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Sessions } from "../../session/mod.ts";
import { token, type TokenKind } from "../../session/testing/mod.ts";
import {
  type Action,
  type Browser,
  type Clock,
  createBrowser,
  createInstance,
  type Data,
  hold,
  type Instance,
  KINDS,
  look,
  request,
  secretKey,
  spellings,
  stopDeadlines,
  visit,
} from "../support/endings_harness.ts";
import type { Harness } from "../support/store_harness.ts";

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const NAME = "__Host-Http-session";

/** Sets keys one after the other, so that the browser was given several cookies. */
async function write(sessions: Sessions<Data>, browser: Browser, ...keys: string[]): Promise<void> {
  for (const key of keys) {
    await visit(sessions, browser, (session) => session.set(key, "x"));
  }
}

async function login(instance: Instance, name: string): Promise<Browser> {
  const browser = createBrowser();
  await visit(instance, browser, (session) => {
    session.subject = name;
    session.set("username", name);
  });
  await write(instance, browser, "more");
  return browser;
}

/** What a request may do that comes too late. */
const LATE: readonly Action[] = [
  (session) => session.get("cart"),
  (session) => session.set("seen", 1),
  (session) => session.pop("cart"),
  (session) => session.destroy(),
];

describe.each(KINDS)("what is ended stays ended: $name, data in the $dataIn", (kind) => {
  if (!kind.isRunning) return;
  let harness: Harness;
  let clock: Clock;
  let first: Instance;
  let second: Instance;
  let browser: Browser;
  let deadlines: Disposable;
  beforeAll(async () => {
    harness = await kind.open();
    deadlines = stopDeadlines();
  });
  beforeEach(() => {
    clock = { ahead: 0 };
    first = createInstance(harness.store, kind.dataIn, clock);
    second = createInstance(harness.other, kind.dataIn, clock);
    browser = createBrowser();
  });
  afterAll(async () => {
    deadlines[Symbol.dispose]();
    await harness.close();
  });

  test.each<[string, Action]>([
    ["destroy()", (session) => session.destroy()],
    ["the pop of its last keys", (session) => ["a", "b", "c"].map((key) => session.pop(key))],
    ["clear()", (session) => session.clear()],
  ])("no copy and no spelling of a cookie opens a session after %s", async (_title, end) => {
    await write(first, browser, "a", "b", "c");
    const { copies } = browser;
    expect(copies).toHaveLength(3);
    let opened = 0;
    for (const spelling of copies.flatMap(spellings)) {
      if (Object.keys(await look(second, spelling)).length > 0) opened += 1;
    }
    expect(opened).toBeGreaterThan(copies.length); // Some spellings are good ones.
    await visit(first, browser, end);
    expect(browser.cookie).toBe("");
    const instances = [first, second];
    // Others know the tokens already: a new start verifies each anew.
    if (harness.reopen) instances.push(createInstance(await harness.reopen(), kind.dataIn, clock));
    for (const instance of instances) {
      for (const spelling of copies.flatMap(spellings)) {
        expect(await look(instance, spelling)).toEqual({});
      }
    }
  });

  test("what was popped is in no copy: within a window, after it, and when the record is gone", async () => {
    await write(first, browser, "kept", "secret", "late");
    const { copies } = browser;
    const older = [...copies];
    let id = "";
    await visit(first, browser, (session) => {
      session.pop("secret");
      id = session.id;
    });
    const { ttl } = first.calls;
    async function check(expected: object): Promise<void> {
      for (const copy of older) {
        for (const instance of [first, second]) {
          const found = await look(instance, copy);
          expect(found).not.toContainKey("secret");
          expect(found).toMatchObject(expected);
        }
      }
    }
    await check({ kept: "x" });
    clock.ahead = 2 * MINUTE;
    await check({ kept: "x" });
    // The copies come back with what else is to be remembered, and so become cookies that are new.
    const copier = createBrowser(older[1]);
    await visit(second, copier, (session) => session.set("more", "x"));
    older.push(copier.cookie);
    await check({ kept: "x" });
    clock.ahead = ttl * 1000;
    await harness.expire(id);
    older.pop();
    for (const copy of older) expect(await look(first, copy)).toEqual({});
  });

  test("a request that a login overlaps, and that is answered after it, leaves the login alone", async () => {
    await write(first, browser, "cart");
    const before = browser.cookie;
    clock.ahead = 4 * DAY; // The cookie is to be signed again.
    const held = [];
    for (const action of LATE) held.push(await hold(second, before, action));
    await visit(first, browser, (session) => {
      session.regenerate();
      session.set("username", "admin");
    });
    for (const request of held) {
      const late = browser.take(await request.finish());
      expect(late.headers.getSetCookie()).toEqual([]);
    }
    expect(await look(second, browser.cookie)).toEqual({ cart: "x", username: "admin" });
  });

  test("an id that moved is over at once, and for a window it sends no cookie", async () => {
    await write(first, browser, "cart");
    const old = createBrowser(browser.cookie);
    await visit(first, browser, (session) => session.regenerate());
    expect(await look(second, browser.cookie)).toEqual({ cart: "x" });
    expect(await look(second, old.cookie)).toEqual({});
    for (const action of LATE) {
      const answer = await visit(second, old, action);
      expect(answer.headers.getSetCookie()).toEqual([]);
    }
    // Whoever logs in with it gets a new id, with what that request set.
    const other = createBrowser(old.cookie);
    await visit(second, other, (session) => {
      session.regenerate();
      session.set("username", "other");
    });
    expect(await look(first, other.cookie)).toEqual({ username: "other" });
    clock.ahead = MINUTE + 1000;
    await visit(second, old, (session) => session.set("new", 1));
    expect(await look(first, old.cookie)).toEqual({ new: 1 });
    expect(await look(first, browser.cookie)).toEqual({ cart: "x" });
  });

  test("endAll ends every session of the subject on every instance, and no other's", async () => {
    const alice = crypto.randomUUID();
    const browsers = [await login(first, alice), await login(second, alice)];
    const bob = await login(first, crypto.randomUUID());
    for (let round = 0; round < 2; round += 1) {
      const running = await hold(second, browsers[0]?.cookie ?? "", (session) =>
        session.set("late", 1),
      );
      await first.endAll(alice);
      browsers[0]?.take(await running.finish());
      for (const copy of browsers.flatMap(({ copies }) => copies)) {
        expect(await look(first, copy)).toEqual({});
        expect(await look(second, copy)).toEqual({});
      }
      expect(await look(second, bob.cookie)).toContainKeys(["username", "more"]);
      browsers.unshift(await login(second, alice));
      expect(await look(first, browsers[0]?.cookie ?? "")).toContainKeys(["username", "more"]);
    }
  });

  test("of 100,000 visitors of all stores, with a bad cookie or none, none leaves a record", async () => {
    const kinds: TokenKind[] = ["malformed", "unknown-key", "wrong-purpose", "expired"];
    const bad = ["", "", "", `${NAME}=x`, `${NAME}=`, NAME, "other=1"];
    for (const kind of kinds) {
      bad.push(`${NAME}=${await token({ data: { a: 1 } }, { secretKey, kind })}`);
    }
    const forged = `${NAME}=${await token({ data: { a: 1 } }, { secretKey, kind: "forged" })}`;
    const actions: Action[] = [
      (session) => session.get("a"),
      (session) => session.pop("a"),
      (session) => session.clear(),
      (session) => session.destroy(),
      (session) => session.regenerate(),
      (session) => session.takeFlashes(),
    ];
    const before = await harness.count();
    const visits = 100_000 / KINDS.length;
    let answered = 0;
    for (let i = 0; i < visits; i += 1) {
      const cookie = i % 50 === 0 ? forged : bad[i % bad.length];
      const session = await first.open(request(cookie ?? ""));
      await actions[i % actions.length]?.(session);
      const response = await first.commit(session, new Response());
      if (session.isNew && !response.headers.has("set-cookie")) answered += 1;
    }
    expect(answered).toBe(visits);
    expect(first.calls).toEqual({ get: 0, replace: 0, ttl: 0 });
    expect(await harness.count()).toBe(before);
  });
});
