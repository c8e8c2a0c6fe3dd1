import { describe, expect, test } from "bun:test";
import type { Session } from "../session/mod.ts";
import { type App, Browser, createApp } from "./support/app.ts";
import { errorOf } from "./support/errors.ts";
import { type Fault, type Faulty, faulty } from "./support/faulty_store.ts";
import { refOf, refsOf } from "./support/lists.ts";
import { requestWith } from "./support/requests.ts";

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

/** The refs of the subject's sessions that open by a cookie that was ever sent. */
async function liveOf({ app, ann, other, bob }: World, subject: string): Promise<string[]> {
  const refs = new Set<string>();
  for (const cookie of [ann, other, bob].flatMap(({ copies }) => copies)) {
    const session = await app.sessions.open(requestWith(cookie));
    if (session.subject === subject) refs.add(session.ref);
  }
  return [...refs].toSorted();
}

/** No live session is missing, and none that has ended is there. */
async function expectAllListed(world: World): Promise<void> {
  const { app, ann, other, bob } = world;
  const sent = new Set([ann, other, bob].flatMap(({ copies }) => copies.map(refOf)));
  for (const subject of ["ann", "bob"]) {
    const refs = await refsOf(app, subject);
    const listed = refs.filter((ref) => sent.has(ref));
    expect(listed).toEqual(await liveOf(world, subject));
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
