import { describe, expect, test } from "bun:test";
import {
  memoryStore,
  type Session,
  SessionCommittedError,
  SessionOptionsError,
  SessionStoreError,
  type Store,
} from "../../session/mod.ts";
import { cookieOf, createApp, DAY, errorOf, Jar, requestWith, show } from "../support/helpers.ts";
import { claimsOf } from "../support/jws.ts";

const NAME = "__Host-Http-session";

describe("a change after the response", () => {
  const changes: [string, string, (session: Session) => unknown][] = [
    ["set", "count", (session) => session.set("count", 2)],
    ["an equal set", "count", (session) => session.set("count", 1)],
    ["delete", "count", (session) => session.delete("count")],
    ["pop", "count", (session) => session.pop("count")],
    ["setDefault", "theme", (session) => session.setDefault("theme", 1)],
    ["update", "a, b", (session) => session.update({ a: 1, b: 2 })],
    ["clear", "the session", (session) => session.clear()],
    ["flash", "message", (session) => session.flash("Hi")],
    ["takeFlashes", "all categories", (session) => session.takeFlashes()],
    ["permanent", "permanent", (session) => (session.permanent = true)],
    ["subject", "subject", (session) => (session.subject = "ann")],
    ["regenerate", "the session", (session) => session.regenerate()],
    ["destroy", "the session", (session) => session.destroy()],
  ];

  test.each(changes)("by %s throws, naming %s, and is told of", async (_, key, change) => {
    const { sessions, events } = createApp();
    const session = await sessions.open(requestWith());
    session.set("count", 1);
    session.flash("waits");
    await sessions.commit(session, new Response());
    const error = await errorOf(() => change(session));
    // Each throws, and the first is told of.
    expect(await errorOf(() => change(session))).toBeInstanceOf(SessionCommittedError);
    expect(error).toBeInstanceOf(SessionCommittedError);
    expect(error).toMatchObject({ code: "ERR_SESSION_COMMITTED", key });
    expect(String(error)).toContain(JSON.stringify(key));
    expect(events).toMatchObject([{ type: "late-write" }]);
    expect(session.toJSON()).toEqual({ count: 1 });
    expect([session.size, session.get("count"), session.flashes.length]).toEqual([1, 1, 1]);
  });

  test("throws from the moment that commit is called, and where nothing had changed", async () => {
    const { sessions } = createApp();
    const [changed, other] = [
      await sessions.open(requestWith()),
      await sessions.open(requestWith()),
    ];
    changed.set("count", 1);
    const response = sessions.commit(changed, new Response());
    expect(await errorOf(() => changed.set("count", 2))).toBeInstanceOf(SessionCommittedError);
    await response;
    await sessions.commit(other, new Response());
    expect(await errorOf(() => other.set("count", 2))).toBeInstanceOf(SessionCommittedError);
  });
});

describe(`dataIn "store"`, () => {
  test("leaves the id alone in the cookie, and the data is not limited to 4 kB", async () => {
    const { visit, look } = createApp({ dataIn: "store" });
    const jar = new Jar();
    const long = "a secret ".repeat(10_000);
    await visit(jar, (session) => {
      session.set("long", long);
      session.subject = "ann@example.com";
      session.flash("Hi");
    });
    const claims = claimsOf(jar.cookie?.slice(NAME.length + 1) ?? "");
    expect(Object.keys(claims)).toEqual(["aud", "sid", "iat", "exp", "ver", "data"]);
    expect(claims["data"]).toEqual({});
    expect(await look(jar.cookie)).toEqual({ long });
  });

  test("shows every copy of the cookie what is there now", async () => {
    const { visit, look, sessions, advance } = createApp({ dataIn: "store" });
    const jar = new Jar();
    await visit(jar, (session) => session.update({ role: "admin", balance: 5 }));
    const copy = jar.cookie;
    await visit(jar, (session) => session.set("balance", 0));
    advance(DAY);
    expect(await look(copy)).toEqual({ role: "admin", balance: 0 });
    const [one, two] = [
      await sessions.open(requestWith(copy)),
      await sessions.open(requestWith(copy)),
    ];
    one.set("a", 1);
    two.set("b", 2);
    await sessions.commit(one, new Response());
    await sessions.commit(two, new Response());
    expect(await look(copy)).toEqual({ role: "admin", balance: 0, a: 1, b: 2 });
  });

  test("a store that forgot it has ended it, and so has destroy", async () => {
    const { visit, look } = createApp({ dataIn: "store" });
    const jar = new Jar();
    await visit(jar, (session) => session.set("a", 1));
    expect(await createApp({ dataIn: "store" }).look(jar.cookie)).toEqual({});
    const copy = jar.cookie;
    await visit(jar, (session) => session.destroy());
    expect(await look(copy)).toEqual({});
  });

  test("regenerate and a refresh keep the data, and endAll ends it", async () => {
    const { visit, look, sessions, advance } = createApp({ dataIn: "store" });
    const jar = new Jar();
    await visit(jar, (session) => session.set("a", 1));
    const before = jar.cookie;
    await visit(jar, (session) => {
      session.regenerate();
      session.subject = "ann";
    });
    expect([await look(before), await look(jar.cookie)]).toEqual([{}, { a: 1 }]);
    advance(4 * DAY);
    await visit(jar);
    advance(6 * DAY);
    expect(await look(jar.cookie)).toEqual({ a: 1 });
    await sessions.endAll("ann");
    expect(await look(jar.cookie)).toEqual({});
  });
});

describe("store null", () => {
  test("reads and writes, and parallel changes: the last answer wins", async () => {
    const { visit, look, sessions } = createApp({ store: null });
    const jar = new Jar();
    await visit(jar, (session) => session.set("a", 1));
    const [one, two] = [
      await sessions.open(requestWith(jar.cookie)),
      await sessions.open(requestWith(jar.cookie)),
    ];
    one.set("b", 2);
    two.set("c", 3);
    expect(await look(cookieOf(await sessions.commit(one, new Response())))).toEqual({
      a: 1,
      b: 2,
    });
    expect(await look(cookieOf(await sessions.commit(two, new Response())))).toEqual({
      a: 1,
      c: 3,
    });
  });

  test("destroy and regenerate change this browser only", async () => {
    const { visit, look } = createApp({ store: null });
    const jar = new Jar();
    await visit(jar, (session) => session.set("a", 1));
    const copy = jar.cookie;
    await visit(jar, (session) => session.regenerate());
    expect(claimsOf(jar.cookie ?? "")["sid"]).not.toBe(claimsOf(copy ?? "")["sid"]);
    await visit(jar, (session) => session.destroy());
    expect(jar.cookie).toBeUndefined();
    expect(await look(copy)).toEqual({ a: 1 });
  });

  test("a slow request still gets its cookie, since no store keeps its keys", async () => {
    const { visit, sessions, advance, look } = createApp({ store: null });
    const jar = new Jar();
    await visit(jar, (session) => session.set("a", 1));
    const slow = await sessions.open(requestWith(jar.cookie));
    advance(3600);
    slow.set("b", 2);
    expect(await look(cookieOf(await sessions.commit(slow, new Response())))).toEqual({
      a: 1,
      b: 2,
    });
  });

  test("endAll throws", async () => {
    const { sessions } = createApp({ store: null });
    expect(await errorOf(() => sessions.endAll("ann"))).toBeInstanceOf(SessionOptionsError);
  });
});

/** A memory store that fails while `isDown`. */
function failing(): { readonly store: Store; isDown: boolean; readonly calls: string[] } {
  const inner = memoryStore();
  const state = { isDown: false, calls: [] as string[], store: inner };
  const check = (call: string): void => {
    state.calls.push(call);
    if (state.isDown) throw new Error("Connection refused");
  };
  state.store = {
    get: async (keys) => (check("get"), inner.get(keys)),
    replace: async (...call) => (check("replace"), inner.replace(...call)),
  };
  return state;
}

describe("a store that is down", () => {
  test("is 503 with Retry-After for whoever has a session, and the application is not asked", async () => {
    const state = failing();
    const { visit, sessions } = createApp({ store: state.store });
    const jar = new Jar();
    await visit(jar, (session) => session.set("username", "ann"));
    state.isDown = true;
    let calls = 0;
    const page = sessions.handler((request, session) => {
      calls++;
      return show(request, session);
    });
    const response = await page(requestWith(jar.cookie));
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(await response.text()).not.toContain("refused");
    expect(calls).toBe(0);
    const error = await errorOf(() => sessions.open(requestWith(jar.cookie)));
    expect(error).toBeInstanceOf(SessionStoreError);
    state.isDown = false;
    expect(await (await page(requestWith(jar.cookie))).json()).toEqual({ username: "ann" });
  });

  test("serves a visitor without a cookie, and one whose cookie is no good", async () => {
    const state = failing();
    state.isDown = true;
    const { visit } = createApp({ store: state.store });
    const jar = new Jar();
    expect((await visit(jar, (session) => session.set("theme", "dark"))).status).toBe(200);
    const forged = Object.assign(new Jar(), { cookie: `${NAME}=x` });
    expect((await visit(forged)).status).toBe(200);
    expect(state.calls).toEqual([]);
  });

  test("at commit is 503, without a cookie and with nothing changed", async () => {
    const state = failing();
    const { visit, look } = createApp({ store: state.store });
    const jar = new Jar();
    await visit(jar, (session) => session.set("count", 1));
    const before = jar.cookie;
    const response = await visit(jar, (session) => {
      session.set("count", 2);
      state.isDown = true;
    });
    expect(response.status).toBe(503);
    expect(jar.cookie).toBe(before);
    state.isDown = false;
    expect(await look(jar.cookie)).toEqual({ count: 1 });
  });

  test("as a cookie is only refreshed leaves the answer as it is, without a cookie", async () => {
    const state = failing();
    const { visit, advance } = createApp({ store: state.store });
    const jar = new Jar();
    await visit(jar, (session) => session.set("count", 1));
    advance(5 * DAY);
    const response = await visit(jar, () => void (state.isDown = true));
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ count: 1 });
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test("rejects endAll", async () => {
    const state = failing();
    state.isDown = true;
    const { sessions } = createApp({ store: state.store });
    expect(await errorOf(() => sessions.endAll("ann"))).toBeInstanceOf(SessionStoreError);
  });

  test("that never answers is 503", async () => {
    const never = new Promise<never>(() => {});
    const inner = memoryStore();
    const jar = new Jar();
    await createApp({ store: inner }).visit(jar, (session) => session.set("count", 1));
    const { visit } = createApp({ store: { get: () => never, replace: () => never } });
    expect((await visit(jar)).status).toBe(503);
  });

  test("that says no for ever is 503", async () => {
    const jar = new Jar();
    const { visit } = createApp({
      store: { get: (keys) => keys.map(() => undefined), replace: () => false },
    });
    await visit(jar, (session) => session.set("count", 1));
    expect((await visit(jar, (session) => session.set("count", 2))).status).toBe(503);
    expect((await visit(jar)).status).toBe(200);
  });
});

test("a second commit gives the first one's answer back, and puts the same on another", async () => {
  const { sessions } = createApp();
  const session = await sessions.open(requestWith());
  session.set("count", 1);
  const first = await sessions.commit(session, new Response("text"));
  const lines = first.headers.getSetCookie();
  expect(lines).toHaveLength(1);
  const again = await sessions.commit(session, first);
  expect(again).toBe(first);
  expect(again.headers.getSetCookie()).toEqual(lines);
  const other = await sessions.commit(session, new Response("other"));
  expect(other.headers.getSetCookie()).toEqual(lines);
  expect(await other.text()).toBe("other");
});
