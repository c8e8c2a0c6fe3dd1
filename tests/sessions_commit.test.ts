import { describe, expect, test } from "bun:test";
import { memoryStore, type Store } from "../session/mod.ts";
import { createApp } from "./support/app.ts";
import { Browser } from "./support/browser.ts";
import { START } from "./support/clock.ts";
import { errorOf } from "./support/errors.ts";
import { cookieOf, requestWith } from "./support/requests.ts";

const NAME = "__Host-Http-session";

describe("commit", () => {
  test("a second time puts the same line on another response", async () => {
    const { sessions } = createApp();
    const session = await sessions.open(requestWith());
    session.set("username", "ann");
    const first = await sessions.commit(session, new Response("one"));
    const second = await sessions.commit(session, new Response("two", { status: 201 }));
    expect(first.headers.getSetCookie()).toHaveLength(1);
    expect(second.headers.getSetCookie()).toEqual(first.headers.getSetCookie());
    expect([await second.text(), second.status]).toEqual(["two", 201]);
  });

  test("a second time on the same response changes nothing", async () => {
    const { sessions } = createApp();
    const session = await sessions.open(requestWith());
    session.set("username", "ann");
    const first = await sessions.commit(session, new Response("one"));
    const second = await sessions.commit(session, first);
    expect(second.headers.getSetCookie()).toHaveLength(1);
    expect(second.headers.get("vary")).toBe("Cookie");
  });

  test("that overlaps another one shares its result", async () => {
    const writes: string[] = [];
    const memory = memoryStore({ now: () => START });
    const store: Store = {
      get: (keys) => memory.get(keys),
      replace: (key, ...change) => (writes.push(key), memory.replace(key, ...change)),
    };
    const { sessions, visit } = createApp({ store });
    const browser = new Browser();
    await visit(browser, (session) => session.set("count", 1));
    const session = await sessions.open(requestWith(browser.cookie));
    session.set("count", 2);
    const both = [new Response("one"), new Response("two")].map(async (response) =>
      sessions.commit(session, response),
    );
    const [one, two] = await Promise.all(both);
    expect(one?.headers.getSetCookie()).toHaveLength(1);
    expect(two?.headers.getSetCookie()).toEqual(one?.headers.getSetCookie() ?? []);
    expect([await one?.text(), await two?.text()]).toEqual(["one", "two"]);
    expect(writes).toHaveLength(1);
  });

  test("that failed leaves the session open: it can be changed and committed again", async () => {
    const { sessions, look, events } = createApp();
    const session = await sessions.open(requestWith());
    session.update({ theme: "dark", long: crypto.getRandomValues(new Uint8Array(4096)) });
    for (let count = 0; count < 2; count++) {
      const error = await errorOf(() => sessions.commit(session, new Response()));
      expect(error).toMatchObject({ code: "ERR_SESSION_TOO_LARGE" });
    }
    session.delete("long");
    const response = await sessions.commit(session, new Response());
    expect(await look(cookieOf(response))).toEqual({ theme: "dark" });
    expect(await errorOf(() => session.set("a", 1))).toMatchObject({
      code: "ERR_SESSION_COMMITTED",
    });
    expect(events.map(({ type }) => type)).toEqual(["too-large", "too-large", "late-write"]);
  });

  test("that failed for the store's sake can be tried again, with the same new id", async () => {
    let isDown = true;
    const memory = memoryStore({ now: () => START });
    const store: Store = {
      get: (keys) => memory.get(keys),
      replace(...change) {
        if (isDown) throw new Error("Down");
        return memory.replace(...change);
      },
    };
    const { sessions, visit, look } = createApp({ store });
    const browser = new Browser();
    await visit(browser, (session) => session.set("theme", "dark"));
    const session = await sessions.open(requestWith(browser.cookie));
    session.signIn("ann");
    const { id } = session;
    const error = await errorOf(() => sessions.commit(session, new Response()));
    expect(error).toMatchObject({ code: "ERR_SESSION_STORE" });
    expect(await look(browser.cookie)).toEqual({ theme: "dark" });
    isDown = false;
    session.set("username", "ann");
    const old = browser.cookie;
    browser.take(await sessions.commit(session, new Response()));
    const next = await sessions.open(requestWith(browser.cookie));
    expect([next.id, next.subject]).toEqual([id, "ann"]);
    expect(next.toJSON()).toEqual({ theme: "dark", username: "ann" });
    expect(await look(old)).toEqual({});
  });

  test("that cannot store a change inside a value leaves the session open, too", async () => {
    const { sessions, look } = createApp();
    const session = await sessions.open(requestWith());
    const cart: unknown[] = ["tea"];
    session.set("cart", cart);
    cart.push(() => {});
    const error = await errorOf(() => sessions.commit(session, new Response()));
    expect(error).toMatchObject({ code: "ERR_SESSION_VALUE", path: "cart[1]" });
    cart.pop();
    const response = await sessions.commit(session, new Response());
    expect(await look(cookieOf(response))).toEqual({ cart: ["tea"] });
  });

  test("gives the headers of a WebSocket's upgrade", async () => {
    const { sessions } = createApp();
    const session = await sessions.open(requestWith());
    session.set("username", "ann");
    const { headers } = await sessions.commit(session, new Response());
    expect(headers.getSetCookie()[0]).toStartWith(`${NAME}=`);
  });
});

describe("what ends the sessions of a subject", () => {
  test("endAll ends them all, endOthers all but this one, in its commit", async () => {
    const { sessions, visit, look } = createApp();
    const browsers = [new Browser(), new Browser(), new Browser()] as const;
    for (const browser of browsers) await visit(browser, (session) => session.signIn("ann"));
    const somebody = new Browser();
    await visit(somebody, (session) => session.signIn("bob"));
    const [one, other, third] = browsers;
    const subjectOf = async ({ cookie }: Browser): Promise<unknown> =>
      (await sessions.open(requestWith(cookie))).subject;
    await visit(one, (session) => {
      session.set("theme", "dark");
      sessions.endOthers(session);
    });
    expect(await Promise.all([one, other, third, somebody].map(subjectOf))).toEqual([
      "ann",
      undefined,
      undefined,
      "bob",
    ]);
    expect(await look(one.cookie)).toEqual({ theme: "dark" });
    await sessions.endAll("ann");
    expect([await subjectOf(one), await subjectOf(somebody)]).toEqual([undefined, "bob"]);
  });

  test("endOthers before a commit that never comes ends nothing", async () => {
    const { sessions, visit } = createApp();
    const browsers = [new Browser(), new Browser()] as const;
    for (const browser of browsers) await visit(browser, (session) => session.signIn("ann"));
    const [one, other] = browsers;
    sessions.endOthers(await sessions.open(requestWith(one.cookie)));
    for (const { cookie } of [one, other]) {
      expect((await sessions.open(requestWith(cookie))).subject).toBe("ann");
    }
  });

  test("without a store throws, and endOthers without a subject or after the commit", async () => {
    const { sessions } = createApp({ store: null });
    const session = await sessions.open(requestWith());
    session.signIn("ann");
    for (const end of [() => sessions.endAll("ann"), () => sessions.endOthers(session)]) {
      expect(await errorOf(end)).toMatchObject({ code: "ERR_SESSION_OPTIONS" });
    }
    const app = createApp();
    const visitor = await app.sessions.open(requestWith());
    const error = await errorOf(() => app.sessions.endOthers(visitor));
    expect(error).toMatchObject({ code: "ERR_SESSION_SUBJECT" });
    visitor.signIn("ann");
    await app.sessions.commit(visitor, new Response());
    const late = await errorOf(() => app.sessions.endOthers(visitor));
    expect(late).toMatchObject({ code: "ERR_SESSION_COMMITTED" });
  });

  test("is of one cookie: two apps that share a store end their own sessions alone", async () => {
    const store = memoryStore({ now: () => START });
    const one = createApp({ store, cookie: { name: "one" } });
    const two = createApp({ store, cookie: { name: "two" } });
    const browser = new Browser();
    await two.visit(browser, (session) => session.signIn("ann"));
    await one.sessions.endAll("ann");
    expect((await two.sessions.open(requestWith(browser.cookie))).subject).toBe("ann");
  });
});
