import { describe, expect, test } from "bun:test";
import { memoryStore, type Session } from "../session/mod.ts";
import { type App, Browser, createApp } from "./support/app.ts";
import { DAY } from "./support/clock.ts";
import { errorOf } from "./support/errors.ts";
import { type Fault, type Faulty, faulty } from "./support/faulty_store.ts";
import { claimsOf } from "./support/jws.ts";
import { cookieOf, requestWith } from "./support/requests.ts";

interface World {
  readonly app: App;
  readonly store: Faulty;
  /** A browser of ann, another one of hers, and one of bob. */
  readonly ann: Browser;
  readonly other: Browser;
  readonly bob: Browser;
}

async function createWorld(dataIn: "cookie" | "store"): Promise<World> {
  const store = faulty();
  const app = createApp({ store, dataIn, list: true, storeTimeout: 10_000 });
  const signIn = async (subject: string): Promise<Browser> => {
    const browser = new Browser();
    await app.visit(browser, (session) => session.signIn(subject));
    return browser;
  };
  const world = { app, store, ann: await signIn("ann"), other: await signIn("ann") };
  return { ...world, bob: await signIn("bob") };
}

function refOf(cookie: string): string {
  return String(claimsOf(cookie)["sid"]).slice(0, 12);
}

async function refsOf({ sessions }: App, subject: string): Promise<string[]> {
  return (await sessions.list(subject)).map(({ ref }) => ref).toSorted();
}

/** The refs of the subject's sessions that open by a cookie that was ever sent. */
async function liveOf({ app, ann, other, bob }: World, subject: string): Promise<string[]> {
  const refs = new Set<string>();
  for (const cookie of [ann, other, bob].flatMap(({ copies }) => copies)) {
    const session = await app.sessions.open(requestWith(cookie));
    if (session.subject === subject) refs.add(session.ref);
  }
  return [...refs].toSorted();
}

async function expectAllListed(world: World): Promise<void> {
  for (const subject of ["ann", "bob"]) {
    const refs = await refsOf(world.app, subject);
    expect(
      await liveOf(world, subject).then((live) => live.filter((ref) => !refs.includes(ref))),
    ).toEqual([]);
  }
}

async function expectExact(world: World): Promise<void> {
  for (const subject of ["ann", "bob"]) {
    expect(await refsOf(world.app, subject)).toEqual(await liveOf(world, subject));
    const texts = await listTextOf(world, subject);
    expect(texts).toEqual(await liveOf(world, subject));
  }
}

/** The refs in the store's list, those of sessions that are over as well. */
async function listTextOf({ app, store }: World, subject: string): Promise<string[]> {
  store.asked.length = 0;
  await app.sessions.list(subject);
  const [key = ""] = store.asked[0] ?? [];
  const [text = ""] = await store.get([key]);
  return Array.from(text.matchAll(/"([\w-]{12})":\[/g), ([, ref = ""]) => ref).toSorted();
}

/** What a request of ann's browser does, and how often it writes with the data in either place. */
const ACTS: readonly (readonly [
  string,
  cookie: number,
  store: number,
  (session: Session, app: App) => void,
])[] = [
  ["a change", 2, 2, (session) => session.set("a", 1)],
  ["regenerate()", 3, 4, (session) => session.regenerate()],
  ["confirm()", 3, 4, (session) => session.confirm()],
  ["signIn() of the same user", 3, 4, (session) => session.signIn("ann")],
  ["signIn() of another user", 3, 4, (session) => session.signIn("bob")],
  ["endOthers()", 4, 5, (session, { sessions }) => sessions.endOthers(session)],
  ["destroy()", 2, 2, (session) => session.destroy()],
  ["destroy(), then signIn()", 3, 4, (session) => (session.destroy(), session.signIn("ann"))],
];

describe.each(["cookie", "store"] as const)("with the data in the %s", (dataIn) => {
  describe.each(ACTS)("%s", (_, inCookie, inStore, act) => {
    const count = dataIn === "cookie" ? inCookie : inStore;
    const steps = Array.from({ length: count }, (_, step) => step);

    test("writes into the list, and leaves it exact", async () => {
      const world = await createWorld(dataIn);
      world.store.written.length = 0;
      await world.app.visit(world.ann, (session) => act(session, world.app));
      expect(world.store.written).toHaveLength(count);
      await expectExact(world);
    });

    test.each(
      steps.flatMap((step) => (["down", "lost"] as const).map((fault) => [step, fault] as const)),
    )(
      "where the process is killed at write %i (%s): no live session is missing",
      async (step, fault) => {
        const world = await createWorld(dataIn);
        const { app, store, ann } = world;
        const session = await app.sessions.open(requestWith(ann.cookie));
        act(session, app);
        store.faults = [...Array<Fault>(step).fill("ok"), fault];
        expect(await errorOf(() => app.sessions.commit(session, new Response()))).toBeInstanceOf(
          Error,
        );
        expect(store.faults).toEqual([]);
        await expectAllListed(world);
        // The process was not killed but lost its store for a moment, and commits again.
        ann.take(await app.sessions.commit(session, new Response()));
        await expectExact(world);
      },
    );

    test.each(
      steps.flatMap((step) => (["no", "mistaken"] as const).map((fault) => [step, fault] as const)),
    )("where write %i meets another request (%s): it is tried again", async (step, fault) => {
      const world = await createWorld(dataIn);
      world.store.faults = [...Array<Fault>(step).fill("ok"), fault];
      const answer = await world.app.visit(world.ann, (session) => act(session, world.app));
      expect([answer.status, world.store.faults]).toEqual([200, []]);
      await expectExact(world);
    });
  });

  describe.each<[string, number, (world: World) => Promise<unknown>]>([
    [
      "a login",
      dataIn === "cookie" ? 1 : 2,
      ({ app, ann }) => ((ann.cookie = ""), app.visit(ann, (session) => session.signIn("ann"))),
    ],
    ["end()", 2, ({ app, ann }) => app.sessions.end("ann", refOf(ann.cookie))],
    ["endAll()", 2, ({ app }) => app.sessions.endAll("ann")],
  ])("%s", (_, count, run) => {
    const steps = Array.from({ length: count }, (_, step) => step);

    test("leaves the list exact", async () => {
      const world = await createWorld(dataIn);
      world.store.written.length = 0;
      await run(world);
      expect(world.store.written).toHaveLength(count);
      await expectExact(world);
    });

    test.each(
      steps.flatMap((step) => (["down", "lost"] as const).map((fault) => [step, fault] as const)),
    )(
      "where the process is killed at write %i (%s): no live session is missing",
      async (step, fault) => {
        const world = await createWorld(dataIn);
        world.store.faults = [...Array<Fault>(step).fill("ok"), fault];
        await errorOf(() => run(world));
        expect(world.store.faults).toEqual([]);
        await expectAllListed(world);
      },
    );

    test.each(
      steps.flatMap((step) => (["no", "mistaken"] as const).map((fault) => [step, fault] as const)),
    )("where write %i meets another request (%s): it is tried again", async (step, fault) => {
      const world = await createWorld(dataIn);
      world.store.faults = [...Array<Fault>(step).fill("ok"), fault];
      await run(world);
      expect(world.store.faults).toEqual([]);
      await expectExact(world);
    });
  });

  test.each(["down", "lost"] as const)(
    "the 101st login, killed at any of its writes (%s), hides no live session",
    async (fault) => {
      for (const step of dataIn === "cookie" ? [0, 1] : [0, 1, 2]) {
        const store = faulty();
        const app = createApp({ store, dataIn, list: true, storeTimeout: 10_000 });
        const browsers = Array.from({ length: 101 }, () => new Browser());
        for (const browser of browsers.slice(0, 100)) {
          await app.visit(browser, (session) => session.signIn("ann"));
          app.advance(1);
        }
        store.faults = [...Array<Fault>(step).fill("ok"), fault];
        const [oldest = new Browser(), ...others] = browsers;
        const last = others.at(-1) ?? new Browser();
        expect((await app.visit(last, (session) => session.signIn("ann"))).status).toBe(503);
        expect([store.faults, last.cookie]).toEqual([[], ""]);
        const refs = await refsOf(app, "ann");
        for (const { cookie } of [oldest, ...others.slice(0, -1)]) {
          const session = await app.sessions.open(requestWith(cookie));
          if (session.subject !== undefined) expect(refs).toContain(session.ref);
        }
        await app.visit(last, (session) => session.signIn("ann"));
        expect(await refsOf(app, "ann")).toContain(refOf(last.cookie));
      }
    },
  );
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
