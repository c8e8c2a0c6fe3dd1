import { describe, expect, test } from "bun:test";
import { createSessions, SessionOptionsError, type Sessions } from "../../session/mod.ts";
import {
  createBrowser,
  createInstance,
  type Data,
  hold,
  look,
  PLACES,
  secretKey,
  stopDeadlines,
  visit,
} from "../support/endings_harness.ts";
import { failure } from "../support/store_harness.ts";

/** What a copy of a cookie opens after its session was logged out. */
async function replayLogout(sessions: Sessions<Data>): Promise<object> {
  const browser = createBrowser();
  await visit(sessions, browser, (session) => session.set("username", "admin"));
  const copy = browser.cookie;
  await visit(sessions, browser, (session) => session.pop("username"));
  return look(sessions, copy);
}

/** What a copy of a cookie opens after one of its keys was popped. */
async function replayPop(sessions: Sessions<Data>): Promise<object> {
  const browser = createBrowser();
  const values = { username: "admin", coupon: "x" };
  await visit(sessions, browser, (session) => session.update(values));
  const copy = browser.cookie;
  await visit(sessions, browser, (session) => session.pop("coupon"));
  return look(sessions, copy);
}

/** What a browser has after two requests at once, which changed different keys. */
async function overlap(sessions: Sessions<Data>): Promise<object> {
  const browser = createBrowser();
  await visit(sessions, browser, (session) => session.set("username", "admin"));
  const held = [
    await hold(sessions, browser.cookie, (session) => session.set("one", 1)),
    await hold(sessions, browser.cookie, (session) => session.set("two", 2)),
  ];
  for (const request of held) browser.take(await request.finish());
  return look(sessions, browser.cookie);
}

/** What a copy of a cookie opens after the session took a new id, as at a login. */
async function replayRegenerate(sessions: Sessions<Data>): Promise<object> {
  const browser = createBrowser();
  await visit(sessions, browser, (session) => session.set("username", "admin"));
  const copy = browser.cookie;
  await visit(sessions, browser, (session) => session.regenerate());
  expect(await look(sessions, browser.cookie)).toEqual({ username: "admin" });
  return look(sessions, copy);
}

const admin = { username: "admin" };

describe.each([
  {
    promise: "what is ended stays ended",
    scenario: replayLogout,
    withStore: {},
    without: admin,
  },
  {
    promise: "what is popped stays popped",
    scenario: replayPop,
    withStore: admin,
    without: { ...admin, coupon: "x" },
  },
  {
    promise: "nothing is lost between parallel requests",
    scenario: overlap,
    withStore: { ...admin, one: 1, two: 2 },
    without: { ...admin, two: 2 },
  },
  {
    promise: "an id that was given up is over",
    scenario: replayRegenerate,
    withStore: {},
    without: admin,
  },
])("$promise", ({ scenario, withStore, without }) => {
  test.each(PLACES.filter(({ isRunning }) => isRunning))("with $name", async ({ open }) => {
    using _deadlines = stopDeadlines();
    const harness = await open();
    try {
      expect(await scenario(createInstance(harness.store))).toEqual(withStore);
      expect(await scenario(createInstance(harness.store, "store"))).toEqual(withStore);
    } finally {
      await harness.close();
    }
  });

  test("not without a store", async () => {
    expect(await scenario(createInstance(null))).toEqual(without);
  });
});

describe("store: null", () => {
  test("a logout deletes this browser's cookie", async () => {
    const sessions = createInstance(null);
    const browser = createBrowser();
    await visit(sessions, browser, (session) => session.set("username", "admin"));
    await visit(sessions, browser, (session) => session.destroy());
    expect(browser.cookie).toBe("");
  });

  test("endAll rejects, and says why", async () => {
    const error = await failure(() => createInstance(null).endAll("admin"));
    expect(error).toBeInstanceOf(SessionOptionsError);
    expect(error).toHaveProperty("message", expect.stringContaining("no store"));
  });

  test(`data in the store throws at once`, () => {
    expect(() => createSessions({ secretKey, store: null, dataIn: "store" })).toThrow(
      SessionOptionsError,
    );
  });
});
