import { describe, expect, test } from "bun:test";
import { readList } from "../session/list.ts";
import { createSessions, memoryStore, type Session, type Store } from "../session/mod.ts";
import { type App, Browser, createApp } from "./support/app.ts";
import { DAY } from "./support/clock.ts";
import { errorOf } from "./support/errors.ts";
import { type Fault, faulty, interrupted } from "./support/faulty_store.ts";
import { refOf, refsOf } from "./support/lists.ts";
import { cookieOf, requestWith } from "./support/requests.ts";
import { SECRET } from "./support/secrets.ts";

describe("between the writes", () => {
  test("of a new id the list has the session under one of its ids", async () => {
    const counts: number[] = [];
    const store = interrupted(async () => counts.push((await refsOf(app, "ann")).length));
    const app = createApp({ store, dataIn: "store", list: true });
    const browser = new Browser();
    await app.visit(browser, (session) => session.signIn("ann"));
    counts.length = 0;
    await app.visit(browser, (session) => session.regenerate());
    expect(counts.length).toBe(4);
    expect(counts.every((count) => count >= 1)).toBe(true);
  });

  test("of a new id its session ends: the new id leaves the list as well", async () => {
    let logout: Session | undefined;
    const store = interrupted(async () => {
      const session = logout;
      logout = undefined;
      if (session !== undefined) await another.sessions.commit(session, new Response());
    });
    const [app, another] = [createApp({ store, list: true }), createApp({ store, list: true })];
    const browser = new Browser();
    await app.visit(browser, (session) => session.signIn("ann"));
    logout = await another.sessions.open(requestWith(browser.cookie));
    logout.destroy();
    await app.visit(browser, (session) => session.regenerate());
    const [key = ""] = await keysOf(another);
    expect(await store.get([key])).toEqual([`${key} list {}`]);
  });

  test("of endAll(), whose first answer was wrong, somebody signs in: that ends as well", async () => {
    const browser = new Browser();
    const store = interrupted(async (write) => {
      if (write === 1) await another.visit(browser, (session) => session.signIn("ann"));
      return write !== 1;
    });
    const [app, another] = [createApp({ store, list: true }), createApp({ store, list: true })];
    await app.visit(new Browser(), (session) => session.signIn("ann"));
    await app.sessions.endAll("ann");
    expect((await app.sessions.open(requestWith(browser.cookie))).subject).toBeUndefined();
    const [key = ""] = await keysOf(another);
    expect(await store.get([key])).toEqual([`${key} list {}`]);
  });
});

/** The key of ann's list. */
async function keysOf({ sessions }: App): Promise<string[]> {
  const keys: string[] = [];
  const store: Store = {
    get: (asked) => (keys.push(...asked), asked.map(() => undefined)),
    replace: () => true,
  };
  await createSessions({ secretKey: SECRET, list: true, store }).list("ann");
  expect(await sessions.list("ann")).toBeArray();
  return keys;
}

describe("the store keeps a list", () => {
  test("until 120 s after the last of its sessions has expired", async () => {
    const ttls: number[] = [];
    const store = interrupted((_, key, ttl) => key.startsWith("list:") && ttls.push(ttl));
    const long = createApp({ store, list: true, idleTimeout: 3600 });
    const short = createApp({ store, list: true, idleTimeout: 600, now: long.now });
    await long.visit(new Browser(), (session) => session.signIn("ann"));
    long.advance(60);
    await short.visit(new Browser(), (session) => session.signIn("ann"));
    expect(ttls).toEqual([3720, 3660]);
  });

  test("without the sessions that have expired", async () => {
    const store = memoryStore();
    const app = createApp({ store, list: true, idleTimeout: 600 });
    await app.visit(new Browser(), (session) => session.signIn("ann"));
    const [key = ""] = await keysOf(app);
    const sizes: number[] = [];
    for (const seconds of [719, 1, 0]) {
      app.advance(seconds);
      await app.visit(new Browser(), (session) => session.signIn("ann"));
      const [text] = await store.get([key]);
      sizes.push(readList(key, text).length);
    }
    expect(sizes).toEqual([2, 2, 3]);
  });
});

/** Every call of the store that this makes. */
async function callsOf(
  list: boolean,
  run: (app: App, browser: Browser) => Promise<unknown>,
): Promise<number> {
  const store = faulty();
  const app = createApp({ store, list });
  const browser = new Browser();
  await app.visit(browser, (session) => session.signIn("ann"));
  store.asked.length = store.written.length = 0;
  await run(app, browser);
  const count = store.asked.length + store.written.length;
  const keys = store.asked.flat().filter((key) => key.startsWith("list:"));
  expect([keys, store.written]).toEqual([[], []]);
  return count;
}

test.each<[string, (app: App, browser: Browser) => Promise<unknown>]>([
  ["a page that reads", (app, browser) => app.visit(browser, (session) => session.get("a"))],
  ["read()", async ({ sessions }, { cookie }) => sessions.read(requestWith(cookie))],
  ["a visitor", (app) => app.visit(new Browser())],
  [
    "a visitor who keeps a value",
    (app) => app.visit(new Browser(), (session) => session.set("a", 1)),
  ],
])("%s asks the store for the same with the list as without", async (_, run) => {
  expect(await callsOf(true, run)).toBe(await callsOf(false, run));
});

test("a visitor's change and end ask for no list", async () => {
  const store = faulty();
  const app = createApp({ store, list: true });
  const browser = new Browser();
  await app.visit(browser, (session) => session.set("a", 1));
  await app.visit(browser, (session) => session.set("a", 2));
  await app.visit(browser, (session) => session.destroy());
  expect(
    [...store.asked.flat(), ...store.written].filter((key) => key.startsWith("list:")),
  ).toEqual([]);
});

describe("logins of one user in one process take turns", () => {
  test("so that none of 50 conflicts with another", async () => {
    const store = faulty();
    const app = createApp({ store, list: true, storeTimeout: 10_000 });
    const browsers = Array.from({ length: 50 }, () => new Browser());
    await Promise.all(
      browsers.map(async (browser) => app.visit(browser, (session) => session.signIn("ann"))),
    );
    expect(store.written).toHaveLength(50);
    expect(await refsOf(app, "ann")).toEqual(
      browsers.map(({ cookie }) => refOf(cookie)).toSorted(),
    );
  });

  test("and so do cookies that are signed again", async () => {
    const store = faulty();
    const app = createApp({ store, list: true, storeTimeout: 10_000 });
    const browsers = Array.from({ length: 10 }, () => new Browser());
    for (const browser of browsers) await app.visit(browser, (session) => session.signIn("ann"));
    app.advance(5 * DAY);
    store.written.length = 0;
    await Promise.all(browsers.map(async (browser) => app.visit(browser)));
    expect(store.written).toHaveLength(10);
    for (const { seenAt } of await app.sessions.list("ann")) {
      expect(seenAt).toEqual(new Date(app.now()));
    }
  });
});

function conflicts(): Fault[] {
  return Array.from({ length: 10_000 }, () => "no");
}

describe("a list that others keep changing", () => {
  test("is a 503 at a login, after the store's time", async () => {
    const store = faulty();
    const app = createApp({ store, list: true, storeTimeout: 1 });
    store.faults = conflicts();
    const browser = new Browser();
    const answer = await app.visit(browser, (session) => session.signIn("ann"));
    expect([answer.status, browser.cookie]).toEqual([503, ""]);
    expect(app.events).toMatchObject([{ type: "unavailable" }]);
  });

  test("is an event where a cookie is signed again, and no failure", async () => {
    const store = faulty();
    const app = createApp({ store, list: true, storeTimeout: 1 });
    const browser = new Browser();
    await app.visit(browser, (session) => session.signIn("ann"));
    app.advance(5 * DAY);
    store.faults = conflicts();
    const answer = await app.visit(browser);
    expect([answer.status, cookieOf(answer)]).toEqual([200, undefined]);
    expect(app.events).toMatchObject([{ type: "unavailable" }]);
    store.faults = [];
    expect(cookieOf(await app.visit(browser))).toBeString();
  });

  test.each<Fault>(["no", "mistaken"])(
    "once (%s) delays the new cookie, and no more",
    async (fault) => {
      const store = faulty();
      const app = createApp({ store, list: true, storeTimeout: 10_000 });
      const browser = new Browser();
      await app.visit(browser, (session) => session.signIn("ann"));
      app.advance(5 * DAY);
      store.faults = [fault];
      expect(cookieOf(await app.visit(browser))).toBeString();
      expect([app.events, (await app.sessions.list("ann")).length]).toEqual([[], 1]);
    },
  );

  test.each<[string, (app: App, ref: string) => Promise<unknown>]>([
    ["end()", async ({ sessions }, ref) => sessions.end("ann", ref)],
    ["endAll()", async ({ sessions }) => sessions.endAll("ann")],
  ])("makes %s give up after the store's time", async (_, run) => {
    const store = faulty();
    const app = createApp({ store, list: true, storeTimeout: 1 });
    const browser = new Browser();
    await app.visit(browser, (session) => session.signIn("ann"));
    store.faults = ["ok", ...conflicts()];
    expect(await errorOf(() => run(app, refOf(browser.cookie)))).toMatchObject({
      code: "ERR_SESSION_STORE",
    });
    expect(app.events).toMatchObject([{ type: "unavailable" }]);
  });
});

test("a list that is not ours fails what needs it, and no page that reads", async () => {
  const store = memoryStore();
  const app = createApp({ list: true, store });
  const browser = new Browser();
  await app.visit(browser, (session) => session.signIn("ann"));
  const spoiled = createApp({
    list: true,
    now: app.now,
    store: {
      get: async (keys) =>
        (await store.get(keys)).map((text, index) =>
          keys[index]?.startsWith("list:") === true ? `${keys[index]} list [` : text,
        ),
      replace: (...change) => store.replace(...change),
    },
  });
  const answer = await spoiled.visit(browser, (session) => session.get("a"));
  expect(answer.status).toBe(200);
  expect((await spoiled.visit(new Browser(), (session) => session.signIn("ann"))).status).toBe(503);
  const errors = [
    await errorOf(() => spoiled.sessions.list("ann")),
    await errorOf(() => spoiled.sessions.end("ann", refOf(browser.cookie))),
  ];
  for (const error of errors) expect(error).toMatchObject({ code: "ERR_SESSION_STORE" });
  expect(spoiled.events.map(({ type }) => type)).toEqual([
    "unavailable",
    "unavailable",
    "unavailable",
  ]);
});
