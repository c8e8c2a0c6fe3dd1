import { describe, expect, test } from "bun:test";
import { assign, createDraft } from "../session/changes.ts";
import { commitDraft } from "../session/commit.ts";
import { SessionStoreError } from "../session/errors.ts";
import { memoryStore, type Session, type Store } from "../session/mod.ts";
import { checkOptions } from "../session/options.ts";
import { type App, Browser, createApp } from "./support/app.ts";
import { DAY, START } from "./support/clock.ts";
import { errorOf, untyped } from "./support/errors.ts";
import { type Act, type Fault, opened, push, start } from "./support/faulty_store.ts";
import { claimsOf } from "./support/jws.ts";
import { cookieOf, requestWith } from "./support/requests.ts";
import { SECRET } from "./support/secrets.ts";
import { ID, stateOf, tokensOf } from "./support/tokens.ts";

/** Everything that a request can change at once, and what is there afterwards. */
function changeAll(session: Session): void {
  session.set("count", 1);
  session.pop("username");
  push(session, "cart", "milk");
  session.takeFlashes();
  session.flash("New");
}

const CHANGED = { cart: ["tea", "milk"], count: 1 };

/** Acts that leave the session with `CHANGED` and one flash, and whether its id stays. */
const ACTS: readonly (readonly [string, boolean, (session: Session, app: App) => void])[] = [
  ["a change", true, changeAll],
  ["regenerate()", false, (session) => (changeAll(session), session.regenerate())],
  ["signIn()", false, (session) => (changeAll(session), session.signIn("ann"))],
  [
    "endOthers()",
    false,
    (session, { sessions }) => (changeAll(session), sessions.endOthers(session)),
  ],
];

async function expectChanged(app: App, { cookie }: Browser): Promise<void> {
  const session = await app.sessions.open(requestWith(cookie));
  expect(session.toJSON()).toEqual(CHANGED);
  expect(session.flashes).toEqual([{ category: "message", message: "New" }]);
  expect(session.subject).toBe("ann");
}

describe.each(["cookie", "store"] as const)("with the data in the %s", (dataIn) => {
  describe.each(ACTS)("%s", (_, keepsId, act) => {
    test.each<Fault[]>([
      ["no"],
      ["no", "no", "no"],
      ["mistaken"],
      ["ok", "no"],
      ["ok", "mistaken"],
    ])(
      "is tried again after a conflict, under the id that the handler saw: %s %s %s",
      async (...faults) => {
        const { app, store, browser } = await start({ dataIn });
        const session = await opened(app, browser);
        act(session, app);
        const { id } = session;
        store.faults = faults;
        browser.take(await app.sessions.commit(session, new Response()));
        await expectChanged(app, browser);
        expect(claimsOf(browser.cookie)["sid"]).toBe(id);
        expect(await app.look(browser.copies[0])).toEqual(keepsId ? CHANGED : {});
      },
    );

    test.each([1, 2, 3])(
      "counts as what was before what it wrote itself: write %i, whose answer was lost",
      async (number) => {
        const { app, store, browser } = await start({ dataIn });
        const session = await opened(app, browser);
        act(session, app);
        const { id } = session;
        store.faults = [...Array.from({ length: number - 1 }, () => "ok" as const), "lost"];
        const error = await errorOf(() => app.sessions.commit(session, new Response()));
        expect(error instanceof SessionStoreError).toBe(store.written.length === number);
        browser.take(await app.sessions.commit(session, new Response()));
        await expectChanged(app, browser);
        expect(claimsOf(browser.cookie)["sid"]).toBe(id);
      },
    );
  });

  test.each<[string, Act]>([
    ["destroy()", (session) => session.destroy()],
    ["signIn(), then destroy()", (session) => (session.signIn("ann"), session.destroy())],
  ])("%s ends the session, though its answer was lost", async (_, act) => {
    const { app, store, browser } = await start({ dataIn });
    const session = await opened(app, browser);
    act(session);
    store.faults = ["lost"];
    const error = await errorOf(() => app.sessions.commit(session, new Response()));
    expect(error).toBeInstanceOf(SessionStoreError);
    browser.take(await app.sessions.commit(session, new Response()));
    expect(browser.cookie).toBe("");
    expect(await app.look(browser.copies[0])).toEqual({});
  });

  test("a change of another request between two tries stands", async () => {
    const { app, store, browser } = await start({ dataIn });
    const session = await opened(app, browser);
    changeAll(session);
    store.faults = ["lost"];
    await errorOf(() => app.sessions.commit(session, new Response()));
    await app.visit(browser.copy(), (other) => other.set("theme", "dark"));
    browser.take(await app.sessions.commit(session, new Response()));
    expect(await app.look(browser.cookie)).toEqual({ ...CHANGED, theme: "dark" });
  });

  test("what was changed after a commit whose answer was lost is newer than what that commit wrote", async () => {
    const { app, store, browser } = await start({ dataIn });
    const session = await opened(app, browser);
    session.set("count", 1);
    store.faults = ["lost"];
    await errorOf(() => app.sessions.commit(session, new Response()));
    const reader = browser.copy();
    await app.visit(reader);
    session.set("count", 2);
    browser.take(await app.sessions.commit(session, new Response()));
    for (const { cookie } of [browser, reader]) {
      expect(await app.look(cookie)).toMatchObject({ count: 2 });
    }
  });

  test("an end whose answer was lost stays, though a key is set before the next commit", async () => {
    const { app, store } = await start({ dataIn });
    const browser = new Browser();
    await app.visit(browser, (visitor) => visitor.set("count", 0));
    const session = await opened(app, browser);
    session.clear();
    store.faults = ["lost"];
    await errorOf(() => app.sessions.commit(session, new Response()));
    expect(await app.look(browser.cookie)).toEqual({});
    session.set("count", 1);
    browser.take(await app.sessions.commit(session, new Response()));
    for (const copy of browser.copies) expect(await app.look(copy)).toEqual({});
    expect(app.events).toContainEqual({ type: "dropped", id: session.id });
  });

  test("a logout between two tries of a login holds", async () => {
    const { app, store, browser } = await start({ dataIn });
    const login = await opened(app, browser);
    const logout = await opened(app, browser);
    login.signIn("ann");
    store.faults = dataIn === "store" ? ["ok", "lost"] : ["lost"];
    await errorOf(() => app.sessions.commit(login, new Response()));
    logout.destroy();
    await app.sessions.commit(logout, new Response());
    browser.take(await app.sessions.commit(login, new Response()));
    for (const copy of browser.copies) expect(await app.look(copy)).toEqual({});
  });

  test.each(ACTS.slice(0, 3))(
    "a crash before the last write of %s leaves the session as it was",
    async (_, __, act) => {
      const { app, store, browser } = await start({ dataIn });
      const session = await opened(app, browser);
      act(session, app);
      store.faults =
        dataIn === "store" && session.id !== claimsOf(browser.cookie)["sid"]
          ? ["ok", "down"]
          : ["down"];
      await errorOf(() => app.sessions.commit(session, new Response()));
      expect(store.faults).toEqual([]);
      const after = await opened(app, browser);
      expect(after.toJSON()).toEqual({ username: "ann", cart: ["tea"], count: 0 });
      expect(after.flashes).toHaveLength(1);
    },
  );
});

describe("a look at the store", () => {
  test("is one question: for the session, its subject, and who signs in", async () => {
    const { app, store, browser } = await start();
    await app.visit(browser, (session) => session.signIn("bob"));
    const [opening = [], commit = [], ...others] = store.asked;
    expect([opening.length, commit.length, others]).toEqual([2, 3, []]);
    expect(commit.slice(0, 2)).toEqual([...opening]);
    expect(commit[2]).toMatch(/^sub:[\w-]{43}$/);
  });

  test("is none where nothing changed, and none of a visitor who does not sign in", async () => {
    const { app, store, browser } = await start();
    await app.visit(browser, (session) => session.set("count", 0));
    expect(store.asked).toHaveLength(1);
    await app.visit(new Browser(), (session) => session.set("a", 1));
    expect([store.asked.length, store.written.length]).toEqual([1, 0]);
    await app.visit(new Browser(), (session) => session.signIn("ann"));
    expect([store.asked.length, store.written.length]).toEqual([2, 0]);
  });

  test("is what the next token's times count from, however slow the store is", async () => {
    const inner = memoryStore();
    let seconds = 0;
    const app: App = createApp({
      store: {
        get: (keys) => (app.advance(seconds), inner.get(keys)),
        replace: (...change) => (app.advance(seconds), inner.replace(...change)),
      },
    });
    const browser = new Browser();
    await app.visit(browser, (session) => session.set("count", 1));
    const { iat } = claimsOf(browser.cookie);
    await app.visit(browser, (session) => {
      session.set("count", 2);
      seconds = 9;
    });
    expect(claimsOf(browser.cookie)["iat"]).toBe(iat);
  });
});

describe("a cookie that is only signed again", () => {
  test.each<[string, Fault, number]>([
    ["gives way to another request", "no", 1],
    ["waits where the store fails", "down", 1],
    ["waits where the answer is lost", "lost", 1],
  ])("%s: no cookie, and no second try", async (_, fault, writes) => {
    const { app, store, browser } = await start({ dataIn: "store" });
    app.advance(5 * DAY);
    store.faults = [fault];
    const answer = await app.visit(browser);
    expect([answer.status, cookieOf(answer), store.written.length]).toEqual([
      200,
      undefined,
      writes,
    ]);
    expect(cookieOf(await app.visit(browser))).toBeString();
    const types = app.events.map(({ type }) => type);
    expect(types).toEqual(fault === "no" ? [] : ["unavailable"]);
  });

  test("writes nothing where the data is in the cookie", async () => {
    const { app, store, browser } = await start();
    app.advance(5 * DAY);
    expect(cookieOf(await app.visit(browser))).toBeString();
    expect(store.written).toEqual([]);
  });
});

describe("a commit that fails leaves the session open", () => {
  test.each<[string, string, Act, Fault[]]>([
    [
      "a value",
      "ERR_SESSION_VALUE",
      (session) =>
        push(
          session,
          "cart",
          untyped(() => 1),
        ),
      [],
    ],
    [
      "the size",
      "ERR_SESSION_TOO_LARGE",
      (session) => session.set("large", crypto.getRandomValues(new Uint8Array(5000))),
      [],
    ],
    ["the store", "ERR_SESSION_STORE", (session) => session.set("large", 1), ["down"]],
    ["a lost answer", "ERR_SESSION_STORE", (session) => session.set("large", 1), ["lost"]],
  ])("because of %s: it can be changed and committed again", async (_, code, act, faults) => {
    const { app, store, browser } = await start();
    const session = await opened(app, browser);
    act(session);
    store.faults = faults;
    const error = await errorOf(() => app.sessions.commit(session, new Response()));
    expect(error).toMatchObject({ code });
    session.delete("large");
    session.set("cart", ["coffee"]);
    browser.take(await app.sessions.commit(session, new Response()));
    expect(await app.look(browser.cookie)).toEqual({ username: "ann", cart: ["coffee"], count: 0 });
  });

  test("and gives up on a store that says no for ever, after its time", async () => {
    const { app, store, browser } = await start({ storeTimeout: 1 });
    store.faults = Array.from({ length: 10_000 }, () => "no");
    const session = await opened(app, browser);
    session.set("count", 1);
    const error = await errorOf(() => app.sessions.commit(session, new Response()));
    expect(error).toBeInstanceOf(SessionStoreError);
    expect(store.written.length).toBeGreaterThan(0);
    store.faults = [];
    browser.take(await app.sessions.commit(session, new Response()));
    expect(await app.look(browser.cookie)).toMatchObject({ count: 1 });
  });
});

test("what happened is told once, however often the commit is tried", async () => {
  const { app, store, browser } = await start();
  const late = await opened(app, browser);
  await app.visit(browser, (session) => session.pop("cart"));
  push(late, "cart", "milk");
  store.faults = ["no", "no", "no"];
  await app.sessions.commit(late, new Response());
  expect(app.events).toEqual([{ type: "dropped", id: late.id }]);
});

describe("a second commit", () => {
  test("gives the first one's answer back, and puts the same line on another", async () => {
    const { app, store, browser } = await start();
    const session = await opened(app, browser);
    session.set("count", 1);
    const first = await app.sessions.commit(session, new Response("text"));
    expect(await app.sessions.commit(session, first)).toBe(first);
    const other = await app.sessions.commit(session, new Response("other", { status: 201 }));
    expect(other.headers.getSetCookie()).toEqual(first.headers.getSetCookie());
    expect([await other.text(), other.status, store.written.length]).toEqual(["other", 201, 1]);
  });

  test("that overlaps the first shares its result, an error too", async () => {
    const { app, store, browser } = await start();
    const session = await opened(app, browser);
    session.set("count", 1);
    const commit = async (): Promise<Response> => app.sessions.commit(session, new Response());
    store.faults = ["down"];
    const errors = await Promise.all([errorOf(commit), errorOf(commit)]);
    expect(errors[0]).toBeInstanceOf(SessionStoreError);
    expect(errors[1]).toBe(errors[0]);
    const answers = await Promise.all([commit(), commit()]);
    expect(new Set(answers.map(cookieOf)).size).toBe(1);
    expect(store.written).toHaveLength(2);
  });
});

describe("commits of one session in one process take turns", () => {
  test("so that none of them conflicts with another", async () => {
    const { app, store, browser } = await start();
    const sessions = await Promise.all(
      Array.from({ length: 50 }, async () => opened(app, browser)),
    );
    for (const [index, session] of sessions.entries()) session.set(`key${index}`, index);
    await Promise.all(
      sessions.map(async (session) => app.sessions.commit(session, new Response())),
    );
    expect(store.written).toHaveLength(50);
    expect(Object.keys(await app.look(browser.cookie))).toHaveLength(53);
  });

  test.each([true, false])(
    "and leave nothing behind, where the store answers: %p",
    async (isUp) => {
      const turns = new Map<string, Promise<unknown>>();
      const commits = ["a", "b", "c"].map((key) => commitKey(key, turns, { isUp }));
      expect(turns.size).toBe(1);
      const results = await Promise.allSettled(commits);
      const status = isUp ? "fulfilled" : "rejected";
      expect(results.map((result) => result.status)).toEqual([status, status, status]);
      await Promise.resolve();
      expect(turns.size).toBe(0);
    },
  );

  test("but no longer than storeTimeout", async () => {
    const turns = new Map<string, Promise<unknown>>([[ID, new Promise(() => {})]]);
    const error = await errorOf(() => commitKey("a", turns, { storeTimeout: 1 }));
    expect(error).toBeInstanceOf(SessionStoreError);
    expect(String(error)).toContain("other requests kept changing the session");
    expect(await commitKey("b", turns)).toBeString();
  });
});

/** Sets a key in a request of its own, and commits. */
async function commitKey(
  key: string,
  turns: Map<string, Promise<unknown>>,
  { isUp = true, storeTimeout = 10_000 } = {},
): Promise<string | undefined> {
  const store: Store = {
    get: (keys) => keys.map(() => undefined),
    replace: () => (isUp ? true : Promise.reject(new SessionStoreError("it is down"))),
  };
  const settings = checkOptions({ secretKey: SECRET, store, storeTimeout, now: () => START });
  const token = { text: "", state: stateOf(), hasData: true, isCurrentKey: true, isExposed: false };
  const { state } = token;
  const found = { kind: "live", token, state, isNewer: false, hasRecord: false } as const;
  const draft = createDraft(settings, undefined, found);
  assign(draft, key, 1);
  const [cookie] = await commitDraft({ settings, tokens: tokensOf(), store, turns }, draft);
  return cookie?.line;
}

test("a request that did not see a record that came back changes nothing in it", async () => {
  const { app, store, browser } = await start({ dataIn: "store" });
  await app.visit(browser, (session) => session.set("count", 1));
  const get = store.get.bind(store);
  store.get = (keys) => keys.map(() => undefined);
  const session = await opened(app, browser);
  store.get = get;
  expect(session.isNew).toBe(true);
  session.set("count", 2);
  const other = new Browser();
  other.take(await app.sessions.commit(session, new Response()));
  expect(await app.look(other.cookie)).toEqual({ count: 2 });
  expect(await app.look(browser.cookie)).toMatchObject({ username: "ann", count: 1 });
});

describe("endAll()", () => {
  test("is tried again after a conflict", async () => {
    const { app, store, browser } = await start();
    store.faults = ["no", "no"];
    await app.sessions.endAll("ann");
    expect(await app.look(browser.cookie)).toEqual({});
  });

  test("gives up on a store that says no for ever, after its time", async () => {
    const { app, store } = await start({ storeTimeout: 1 });
    store.faults = Array.from({ length: 10_000 }, () => "no");
    const error = await errorOf(() => app.sessions.endAll("ann"));
    expect(error).toBeInstanceOf(SessionStoreError);
  });
});
