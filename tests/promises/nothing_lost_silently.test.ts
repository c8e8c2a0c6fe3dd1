import { describe, expect, test } from "bun:test";
import {
  memoryStore,
  SessionCommittedError,
  SessionStoreError,
  SessionTooLargeError,
  SessionValueError,
  type Store,
} from "../../session/mod.ts";
import { Browser, createApp } from "../support/app.ts";
import { DAY } from "../support/clock.ts";
import { errorOf, untyped } from "../support/errors.ts";
import { cookieOf, requestWith, show } from "../support/requests.ts";
import { type Act, browserWith, overlap, signedIn, typesOf } from "./support.ts";

describe("a change after the response", () => {
  const changes: readonly (readonly [string, string, Act])[] = [
    ["set", "count", (session) => session.set("count", 2)],
    ["an equal set", "count", (session) => session.set("count", 1)],
    ["delete", "count", (session) => session.delete("count")],
    ["pop", "count", (session) => session.pop("count")],
    ["setDefault", "theme", (session) => session.setDefault("theme", 1)],
    ["update", "the session", (session) => session.update({ a: 1, b: 2 })],
    ["clear", "the session", (session) => session.clear()],
    ["flash", "a message", (session) => session.flash("Hi")],
    ["permanent", "set permanent", (session) => (session.permanent = true)],
    ["signIn", "sign a user in", (session) => session.signIn("ann")],
    ["regenerate", "the session", (session) => session.regenerate()],
    ["destroy", "the session", (session) => session.destroy()],
  ];

  test.each(changes)("by %s throws, naming %s, and is an event", async (_, key, change) => {
    const { sessions, events } = createApp();
    const session = await sessions.open(requestWith());
    session.set("count", 1);
    session.flash("waits");
    await sessions.commit(session, new Response());
    const error = await errorOf(() => change(session));
    expect(error).toBeInstanceOf(SessionCommittedError);
    expect(error).toMatchObject({ code: "ERR_SESSION_COMMITTED" });
    expect(String(error)).toContain(key);
    // Each throws, and the first is told.
    expect(await errorOf(() => change(session))).toBeInstanceOf(SessionCommittedError);
    expect(events).toEqual([{ type: "late-write", id: session.id }]);
    expect([session.toJSON(), session.flashes.length]).toEqual([untyped({ count: 1 }), 1]);
  });

  test("by endOthers() throws", async () => {
    const app = createApp();
    const { cookie } = await signedIn(app, "ann");
    const session = await app.sessions.open(requestWith(cookie));
    await app.sessions.commit(session, new Response());
    const error = await errorOf(() => app.sessions.endOthers(session));
    expect(error).toBeInstanceOf(SessionCommittedError);
  });

  test("by takeFlashes() is none: a streamed page shows what waits, and the next one again", async () => {
    const app = createApp();
    const browser = await browserWith(app, { a: 1 });
    await app.visit(browser, (session) => session.flash("Saved"));
    const session = await app.sessions.open(requestWith(browser.cookie));
    await app.sessions.commit(session, new Response());
    for (let times = 0; times < 2; times++) {
      expect(session.takeFlashes()).toEqual([{ category: "message", message: "Saved" }]);
      expect(session.takeFlashes("error")).toEqual([]);
    }
    expect(app.events).toEqual([{ type: "late-write", id: session.id }]);
    await app.visit(browser, (session) => expect(session.takeFlashes()).toHaveLength(1));
  });

  test("throws from the moment that commit is called, and where nothing had changed", async () => {
    const { sessions } = createApp();
    const changed = await sessions.open(requestWith());
    const other = await sessions.open(requestWith());
    changed.set("count", 1);
    const response = sessions.commit(changed, new Response());
    expect(await errorOf(() => changed.set("count", 2))).toBeInstanceOf(SessionCommittedError);
    await response;
    await sessions.commit(other, new Response());
    expect(await errorOf(() => other.set("count", 2))).toBeInstanceOf(SessionCommittedError);
  });
});

describe("a value that JSON cannot carry", () => {
  test("is an error where it is set, and nothing is changed", async () => {
    const app = createApp();
    const session = await app.sessions.open(requestWith());
    const error = await errorOf(() => session.set("cart", [{ buy: () => 1 }]));
    expect(error).toBeInstanceOf(SessionValueError);
    expect(error).toMatchObject({ code: "ERR_SESSION_VALUE", path: "cart[0].buy" });
    expect(session.isModified).toBe(false);
  });

  test("is an error of the commit where it was put inside a value, and nothing is changed", async () => {
    const app = createApp();
    const browser = await browserWith(app, { cart: ["tea"] });
    const error = await errorOf(() =>
      app.visit(browser, (session) =>
        Reflect.apply(Array.prototype.push, session.get("cart"), [fail]),
      ),
    );
    expect(error).toMatchObject({ code: "ERR_SESSION_VALUE", path: "cart[1]" });
    expect(await app.look(browser.cookie)).toEqual({ cart: ["tea"] });
  });
});

test.each<[string, Act]>([
  ["by a change", (session) => session.update({ small: 2, random: random() })],
  ["by regenerate()", (session) => [session.regenerate(), session.set("random", random())]],
  ["by signIn()", (session) => [session.signIn("ann"), session.set("random", random())]],
  ["after destroy()", (session) => [session.destroy(), session.set("random", random())]],
])("a cookie over the limit %s is an error, and the session as it was", async (_, act) => {
  const app = createApp();
  const browser = await browserWith(app, { small: 1 });
  expect(await errorOf(() => app.visit(browser, act))).toBeInstanceOf(SessionTooLargeError);
  expect(await app.look(browser.cookie)).toEqual({ small: 1 });
  expect(typesOf(app)).toEqual(["too-large"]);
});

/** What deflating makes no shorter. */
function random(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(4096));
}

test.each<[string, Act]>([
  ["a set", (session) => session.set("b", 2)],
  ["a pop", (session) => session.pop("a")],
  ["a flash", (session) => session.flash("Hi")],
  ["permanent", (session) => (session.permanent = true)],
  ["a new id", (session) => session.regenerate()],
])("%s that came too late, since the session had ended, is one event", async (_, act) => {
  const app = createApp();
  const { cookie } = await browserWith(app, { a: 1 });
  const session = await app.sessions.open(requestWith(cookie));
  await overlap(app, cookie, (session) => session.destroy(), act);
  expect(app.events).toEqual([{ type: "dropped", id: session.id }]);
});

function fail(): never {
  throw new Error("Ours");
}

test("what a handler changed before it threw is not saved, and its error comes through", async () => {
  const app = createApp();
  const browser = await browserWith(app, { a: 1 });
  const error = await errorOf(() =>
    app.visit(browser, (session) => [session.set("a", 2), session.destroy(), fail()]),
  );
  expect(error).toMatchObject({ message: "Ours" });
  expect(await app.look(browser.cookie)).toEqual({ a: 1 });
});

/** A memory store that fails while `isDown`, and counts what it is asked. */
function failing(): { readonly store: Store; isDown: boolean; calls: number } {
  const inner = memoryStore();
  const check = (): void => {
    state.calls++;
    if (state.isDown) throw new Error("Connection refused");
  };
  const store: Store = {
    get: async (keys) => (check(), inner.get(keys)),
    replace: async (...change) => (check(), inner.replace(...change)),
  };
  const state = { isDown: false, calls: 0, store };
  return state;
}

describe("a store that is down", () => {
  test("is 503 with Retry-After for whoever has a session, and the application is not asked", async () => {
    const state = failing();
    const app = createApp({ store: state.store });
    const browser = await browserWith(app, { username: "ann" });
    state.isDown = true;
    let calls = 0;
    const page = app.sessions.handler((request, session) => {
      calls++;
      return show(request, session);
    });
    const response = await page(requestWith(browser.cookie));
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(await response.text()).not.toContain("refused");
    expect(calls).toBe(0);
    const error = await errorOf(() => app.sessions.open(requestWith(browser.cookie)));
    expect(error).toBeInstanceOf(SessionStoreError);
    state.isDown = false;
    expect(await (await page(requestWith(browser.cookie))).json()).toEqual({ username: "ann" });
  });

  test("serves a visitor without a good cookie, unless it signs in", async () => {
    const state = failing();
    state.isDown = true;
    const app = createApp({ store: state.store });
    const browser = new Browser();
    expect((await app.visit(browser, (session) => session.set("a", 1))).status).toBe(200);
    const forged = new Browser();
    forged.cookie = "__Host-Http-session=x";
    expect((await app.visit(forged)).status).toBe(200);
    expect(state.calls).toBe(0);
    const login = await app.visit(new Browser(), (session) => session.signIn("ann"));
    expect([login.status, cookieOf(login)]).toEqual([503, undefined]);
  });

  test("at commit is 503, without a cookie and with nothing changed", async () => {
    const state = failing();
    const app = createApp({ store: state.store });
    const browser = await browserWith(app, { count: 1 });
    const response = await app.visit(browser, (session) => {
      session.set("count", 2);
      state.isDown = true;
    });
    expect([response.status, cookieOf(response)]).toEqual([503, undefined]);
    state.isDown = false;
    expect(await app.look(browser.cookie)).toEqual({ count: 1 });
  });

  test("leaves a request that only read as it is, without a cookie", async () => {
    const state = failing();
    const app = createApp({ store: state.store });
    const browser = await browserWith(app, { count: 1 });
    app.advance(5 * DAY);
    const response = await app.visit(browser, () => void (state.isDown = true));
    expect([response.status, cookieOf(response)]).toEqual([200, undefined]);
    expect(await response.json()).toEqual({ count: 1 });
  });

  test("rejects endAll()", async () => {
    const state = failing();
    state.isDown = true;
    const { sessions } = createApp({ store: state.store });
    expect(await errorOf(() => sessions.endAll("ann"))).toBeInstanceOf(SessionStoreError);
  });
});
