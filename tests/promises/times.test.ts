import { describe, expect, test } from "bun:test";
import { memoryStore, type Session, type SessionOptions } from "../../session/mod.ts";
import { type App, type Browser, createApp } from "../support/app.ts";
import { createClock, DAY, MINUTE, START } from "../support/clock.ts";
import { requestWith } from "../support/requests.ts";
import { claimsOf } from "../support/jws.ts";
import { type Act, browserWith, hold, keep, overlap, signedIn, typesOf } from "./support.ts";

/** An instance's options, and the seconds that its clock is ahead. */
interface Setting extends Partial<SessionOptions> {
  readonly ahead?: number;
}

interface Pair {
  /** The instance that sessions begin on. */
  readonly first: App;
  readonly second: App;
  readonly advance: (seconds: number) => void;
}

/** Two instances that share a store which forgets on time. */
function pairOf(one: Setting, two: Setting): Pair {
  const { now, advance } = createClock();
  const store = memoryStore({ now });
  const [first, second] = [one, two].map(({ ahead = 0, ...options }) =>
    createApp({ store, now: () => now() + ahead * 1000, ...options }),
  );
  if (first === undefined || second === undefined) throw new Error("There are no two instances");
  return { first, second, advance };
}

/** What the session begins with; the other instance has one of these settings. */
const FIRST = { idleTimeout: 100, lifetime: 400 };
const SECONDS: readonly (readonly [string, Setting])[] = [
  ["the same settings", FIRST],
  ["a shorter idleTimeout", { ...FIRST, idleTimeout: 10 }],
  ["a longer idleTimeout", { ...FIRST, idleTimeout: 300 }],
  ["a shorter lifetime", { idleTimeout: 5, lifetime: 10 }],
  ["a clock 29 s behind", { ...FIRST, ahead: -29 }],
  ["a clock 29 s ahead", { ...FIRST, ahead: 29 }],
  ["shorter times and a clock 29 s behind", { idleTimeout: 5, lifetime: 10, ahead: -29 }],
  ["shorter times and a clock 29 s ahead", { idleTimeout: 5, lifetime: 10, ahead: 29 }],
  ["the data in the store", { ...FIRST, dataIn: "store" }],
];

const ACTS: readonly (readonly [string, Act])[] = [
  ["destroy()", (session) => session.destroy()],
  ["regenerate()", regenerate],
  ["signIn()", (session) => session.signIn("ann")],
  ["pop()", (session) => session.pop("secret")],
];

describe.each(SECONDS)("beside an instance with %s", (_, second) => {
  test.each(ACTS)("%s holds as long as any copy can open, whoever did it", async (_title, act) => {
    for (const isFirst of [true, false]) {
      const pair = pairOf(FIRST, second);
      const { advance } = pair;
      const browser = await browserWith(pair.first, { kept: 1, secret: "x" });
      for (const [index, app] of [pair.second, pair.first, pair.second].entries()) {
        advance(40);
        await app.visit(browser, (session) => session.set("visit", index));
      }
      const copies = [...browser.copies];
      expect(copies).toHaveLength(4);
      await (isFirst ? pair.first : pair.second).visit(browser, act);
      for (let seconds = 0; seconds < 300; seconds += 5) {
        for (const app of [pair.first, pair.second]) {
          for (const copy of copies) expect(await app.look(copy)).not.toContainKey("secret");
        }
        advance(5);
      }
    }
  });

  test("a session that is read lives to the end that it began with, and no longer", async () => {
    const { first, second: other, advance } = pairOf(FIRST, second);
    const browser = await browserWith(first, { kept: 1 });
    for (let visit = 0; visit < 12; visit++) {
      const answer = await (visit % 2 === 0 ? first : other).visit(browser);
      expect(await answer.json()).toEqual({ kept: 1 });
      advance(30);
    }
    for (const app of [first, other]) {
      const { endsAt } = await app.sessions.open(requestWith(browser.cookie));
      expect(endsAt).toEqual(new Date(START + 400_000));
    }
    advance(70);
    for (const app of [first, other]) expect(await app.look(browser.cookie)).toEqual({});
  });

  test("the later of two changes is the newer one", async () => {
    const { first, second: other, advance } = pairOf(FIRST, second);
    const browser = await browserWith(first, { count: 0 });
    for (let count = 1; count < 6; count++) {
      advance(1);
      const app = count % 2 === 0 ? first : other;
      await app.visit(browser, (session) => session.set("count", count));
      for (const copy of browser.copies) {
        expect([await first.look(copy), await other.look(copy)]).toEqual([{ count }, { count }]);
      }
    }
  });
});

function change(session: Session): void {
  session.set("changed", session.expiresAt);
}

function regenerate(session: Session): void {
  session.regenerate();
}

/** The seconds from a cookie's `iat` to its `exp`. */
function windowOf(browser: Browser): number {
  const { iat, exp } = claimsOf(browser.cookie);
  return Number(exp) - Number(iat);
}

test("a session keeps its window, whatever the instance, until it signs in there", async () => {
  const { first, second, advance } = pairOf({ idleTimeout: 1000 }, { idleTimeout: 600 });
  const browser = await browserWith(first, { count: 0 });
  for (const act of [change, change, regenerate]) {
    advance(400);
    await second.visit(browser, act);
    expect(windowOf(browser)).toBe(1000);
  }
  await second.visit(browser, (session) => session.signIn("ann"));
  expect(windowOf(browser)).toBe(600);
  await first.visit(browser, change);
  expect(windowOf(browser)).toBe(600);
});

test("a token's times never move back, though a clock is behind", async () => {
  const { first, second } = pairOf({ ...FIRST, ahead: 29 }, { ...FIRST, ahead: -29 });
  const browser = await browserWith(first, { count: 0 });
  const before = claimsOf(browser.cookie);
  await second.visit(browser, (session) => session.set("count", 1));
  const after = claimsOf(browser.cookie);
  expect([after["iat"], after["exp"]]).toEqual([before["iat"], before["exp"]]);
});

describe("a lifetime", () => {
  test("starts at the session's start, and goes on through regenerate()", async () => {
    const app = createApp({ lifetime: 10 * DAY });
    const browser = await browserWith(app, { count: 0 });
    for (let day = 1; day < 10; day++) {
      app.advance(DAY);
      await app.visit(browser, (session) => {
        session.set("count", day);
        if (day === 5) session.regenerate();
      });
    }
    app.advance(DAY - 1);
    expect(await app.look(browser.cookie)).toEqual({ count: 9 });
    app.advance(1);
    expect(await app.look(browser.cookie)).toEqual({});
  });

  test("starts again at a login", async () => {
    const app = createApp({ lifetime: 10 * DAY });
    const browser = await browserWith(app, { a: 1 });
    app.advance(6 * DAY);
    await app.visit(browser, (session) => session.signIn("ann"));
    app.advance(6 * DAY);
    expect(await app.look(browser.cookie)).toEqual({ a: 1 });
    const { endsAt } = await app.sessions.open(requestWith(browser.cookie));
    expect(endsAt.getTime() - app.now()).toBe(4 * DAY * 1000);
  });
});

test("endAll() holds for the longest session that there can be", async () => {
  const { first, second, advance } = pairOf(
    { idleTimeout: 400 * DAY, lifetime: 400 * DAY },
    { idleTimeout: MINUTE, lifetime: MINUTE },
  );
  const { cookie } = await signedIn(first, "ann");
  await second.sessions.endAll("ann");
  advance(400 * DAY - 1);
  expect(await first.look(cookie)).toEqual({});
  expect(typesOf(first)).toEqual(["ended"]);
});

describe("a request that outlived its cookie", () => {
  test.each<[string, Act]>([
    ["regenerate()", regenerate],
    ["a change inside", (session) => Reflect.apply(Array.prototype.push, session.get("cart"), [1])],
  ])("brings nothing back by %s", async (_, act) => {
    const app = createApp({ idleTimeout: 100 });
    const browser = await browserWith(app, { cart: ["tea"], count: 0 });
    const slow = await hold(app, browser.cookie, (session) => [act(session), session.set("a", 1)]);
    await app.visit(browser, (session) => session.pop("cart"));
    for (let count = 1; count < 6; count++) {
      app.advance(50);
      await app.visit(browser, (session) => session.set("count", count));
    }
    keep(browser, await slow());
    // The session's record was there, so what the request set is not lost.
    expect(await app.look(browser.cookie)).toEqual({ count: 5, a: 1 });
  });

  test.each([
    [60, 1, []],
    [60.001, 0, ["dropped"]],
  ])("by %d s gets %d cookies where no record is left", async (seconds, count, events) => {
    const app = createApp({ idleTimeout: 100 });
    const browser = await browserWith(app, { a: 1 });
    const slow = await hold(app, browser.cookie, (session) => session.set("b", 2));
    app.advance(100 + seconds);
    const answer = await slow();
    expect(answer.headers.getSetCookie()).toHaveLength(count);
    expect(typesOf(app)).toEqual(events);
    if (count === 1) expect(await app.look(keep(browser, answer))).toEqual({ a: 1, b: 2 });
  });

  test("and its session's lifetime is dropped, whatever is there", async () => {
    const app = createApp({ idleTimeout: 100, lifetime: 150 });
    const browser = await browserWith(app, { a: 1 });
    await app.visit(browser, (session) => session.set("a", 2));
    const slow = await hold(app, browser.cookie, (session) => session.set("b", 2));
    app.advance(75);
    await app.visit(browser, (session) => session.set("a", 3));
    app.advance(75);
    expect((await slow()).headers.getSetCookie()).toEqual([]);
    expect(typesOf(app)).toEqual(["dropped"]);
  });
});

test("a slow request does not shorten the session, nor a change that no other saw", async () => {
  const app = createApp();
  const browser = await browserWith(app, { a: 1 });
  const slow = await hold(app, browser.cookie, (session) => session.set("b", 2));
  app.advance(DAY);
  keep(browser, await slow());
  const { expiresAt } = await app.sessions.open(requestWith(browser.cookie));
  expect(expiresAt).toEqual(new Date(START + 8 * DAY * 1000));
});

test("of two answers either shows both changes until the session ends", async () => {
  const app = createApp();
  const browser = await browserWith(app, { count: 0 });
  const acts: Act[] = [(session) => session.set("a", 1), (session) => session.set("b", 2)];
  keep(browser, ...(await overlap(app, browser.cookie, ...acts)));
  for (const seconds of [61, DAY, 6 * DAY - 62]) {
    app.advance(seconds);
    for (const copy of browser.copies) {
      expect(await app.look(copy)).toEqual({ count: 0, a: 1, b: 2 });
    }
  }
  app.advance(1);
  expect(await app.look(browser.cookie)).toEqual({});
});
