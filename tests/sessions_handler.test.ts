import { describe, expect, test } from "bun:test";
import { runInNewContext } from "node:vm";
import { memoryStore, type Session, type Store } from "../session/mod.ts";
import { type App, createApp } from "./support/app.ts";
import { Browser } from "./support/browser.ts";
import { START } from "./support/clock.ts";
import { errorOf, untyped } from "./support/errors.ts";
import { cookieOf, requestWith } from "./support/requests.ts";

describe("handler", () => {
  test.each([200, 303, 404, 500])("commits what was changed at status %i", async (status) => {
    const { sessions, look } = createApp();
    const page = sessions.handler((_, session) => {
      session.set("status", status);
      return new Response(null, { status });
    });
    const response = await page(requestWith());
    expect(response.status).toBe(status);
    expect(await look(cookieOf(response))).toEqual({ status });
  });

  test.each<[string, () => never | Promise<never>]>([
    ["throws", fail],
    ["rejects", async () => fail()],
  ])("commits nothing when the application's %s, and passes the error on", async (_, end) => {
    const { sessions, visit, look } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("count", 1));
    const page = sessions.handler((_, session) => {
      session.set("count", 2);
      session.destroy();
      return end();
    });
    expect(await errorOf(() => page(requestWith(browser.cookie)))).toMatchObject({
      message: "Ours",
    });
    expect(await look(browser.cookie)).toEqual({ count: 1 });
  });

  test("passes the request and further arguments on as they are", async () => {
    const { sessions } = createApp();
    const request = requestWith();
    const given: unknown[] = [];
    const page = sessions.handler((got: Request, _, ...rest: [number, string]) => {
      given.push(got, ...rest);
      return new Response();
    });
    await page(request, 5, "a");
    expect(given).toEqual([request, 5, "a"]);
    expect(given[0]).toBe(request);
  });
});

function fail(): never {
  throw new Error("Ours");
}

/** A store that can be taken down: then each call does what `fault` does. */
function storeWith(fault: () => never | Promise<never>): {
  readonly store: Store;
  isDown: boolean;
} {
  const memory = memoryStore({ now: () => START });
  const store: Store = {
    get: (keys) => (down.isDown ? fault() : memory.get(keys)),
    replace: (...change) => (down.isDown ? fault() : memory.replace(...change)),
  };
  const down = { store, isDown: false };
  return down;
}

describe("a store that is down", () => {
  test.each<[string, () => never | Promise<never>]>([
    ["throws", fail],
    ["rejects", async () => fail()],
  ])("and %s is a 503 that says when to try again, and no login lost", async (_, fault) => {
    const down = storeWith(fault);
    const { sessions, visit, look } = createApp({ store: down.store });
    const browser = new Browser();
    await visit(browser, (session) => session.set("count", 1));
    down.isDown = true;
    for (const act of [
      (session: Session) => session.get("count"),
      (session: Session) => session.set("count", 2),
    ]) {
      const response = await visit(browser, act);
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "2"]);
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(response.headers.getSetCookie()).toEqual([]);
    }
    const opened = await errorOf(() => sessions.open(requestWith(browser.cookie)));
    expect(opened).toMatchObject({ code: "ERR_SESSION_STORE" });
    down.isDown = false;
    expect(await look(browser.cookie)).toEqual({ count: 1 });
  });

  test("serves a visitor, who may begin a session, but not sign in", async () => {
    const down = storeWith(fail);
    const { visit } = createApp({ store: down.store });
    down.isDown = true;
    expect((await visit(new Browser())).status).toBe(200);
    const browser = new Browser();
    expect((await visit(browser, (session) => session.set("theme", "dark"))).status).toBe(200);
    expect(browser.cookie).not.toBe("");
    const login = await visit(new Browser(), (session) => session.signIn("ann"));
    expect([login.status, login.headers.getSetCookie()]).toEqual([503, []]);
  });
});

describe("a handler that gives no Response", () => {
  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["string", "text"],
    ["object", {}],
  ])("but %s is a TypeError that says so, and nothing is committed", async (got, value) => {
    const { sessions, visit, look } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("count", 1));
    for (const give of [() => value, async () => value]) {
      const page = sessions.handler((_, session) => {
        session.set("count", 2);
        return untyped(give());
      });
      const error = await errorOf(() => page(requestWith(browser.cookie)));
      expect(error).toBeInstanceOf(TypeError);
      expect(String(error)).toContain(`the handler gave ${got}, expected a Response`);
    }
    expect(await look(browser.cookie)).toEqual({ count: 1 });
  });
});

/** An application, and requests of a browser that it knows. */
async function known(): Promise<{ app: App; request: () => Request }> {
  const app = createApp();
  const browser = new Browser();
  await app.visit(browser, (session) => session.set("count", 1));
  return { app, request: () => requestWith(browser.cookie) };
}

describe("one request has one session", () => {
  test("however often it is opened, though its first open is not over yet", async () => {
    const { app, request } = await known();
    const other = createApp();
    for (const one of [request(), requestWith(), requestWith("__Host-Http-session=x")]) {
      for (const { sessions } of [app, other]) {
        const [first, second] = [sessions.open(one), sessions.open(one)];
        expect(await second).toBe(await first);
        expect(await sessions.open(one)).toBe(await first);
      }
      expect(await app.sessions.open(one)).not.toBe(await other.sessions.open(one));
    }
  });

  test("and another request another one, though its cookie is the same", async () => {
    const { app, request } = await known();
    const [one, other] = [await app.sessions.open(request()), await app.sessions.open(request())];
    expect(one).not.toBe(other);
    one.set("count", 2);
    expect(other.get("count")).toBe(1);
  });

  test("as long as its cookies are the same", async () => {
    const { app, request } = await known();
    const one = request();
    const first = await app.sessions.open(one);
    one.headers.delete("cookie");
    const second = await app.sessions.open(one);
    expect([first.isNew, second.isNew]).toEqual([false, true]);
  });

  test("but not where it could not be opened: the next try opens anew", async () => {
    const down = storeWith(async () => fail());
    const { sessions, visit } = createApp({ store: down.store });
    const browser = new Browser();
    await visit(browser, (session) => session.set("count", 1));
    const request = requestWith(browser.cookie);
    down.isDown = true;
    expect(await errorOf(() => sessions.open(request))).toMatchObject({
      code: "ERR_SESSION_STORE",
    });
    down.isDown = false;
    expect((await sessions.open(request)).get("count")).toBe(1);
  });

  test("also inside a handler, which commits it", async () => {
    const { app, request } = await known();
    const page = app.sessions.handler(async (request, session) => {
      expect(await app.sessions.open(request)).toBe(session);
      (await app.sessions.open(request)).set("count", 2);
      return new Response();
    });
    expect(await app.look(cookieOf(await page(request())))).toEqual({ count: 2 });
  });
});

describe("handlers inside one another", () => {
  test("share the session, and the outermost commits, once", async () => {
    const { sessions, look } = createApp();
    let inside: Session | undefined;
    const inner = sessions.handler((_, session) => {
      inside = session;
      session.set("inner", 1);
      return new Response("inner", { status: 201 });
    });
    const outer = sessions.handler(async (request, session) => {
      session.set("before", 1);
      const response = await inner(request);
      expect(response.headers.getSetCookie()).toEqual([]);
      expect(inside).toBe(session);
      session.set("after", 1);
      return response;
    });
    const response = await outer(requestWith());
    expect([response.status, await response.text()]).toEqual([201, "inner"]);
    expect(response.headers.getSetCookie()).toHaveLength(1);
    expect(await look(cookieOf(response))).toEqual({ before: 1, inner: 1, after: 1 });
  });

  test("of which an inner one throws keep what it changed, where the outer one catches", async () => {
    const { sessions, look } = createApp();
    const inner = sessions.handler((_, session) => {
      session.set("inner", 1);
      return fail();
    });
    const outer = sessions.handler(async (request, session) => {
      expect(await errorOf(() => inner(request))).toMatchObject({ message: "Ours" });
      session.set("outer", 1);
      return new Response();
    });
    expect(await look(cookieOf(await outer(requestWith())))).toEqual({ inner: 1, outer: 1 });
  });

  test("of two applications each commit their own", async () => {
    const one = createApp({ cookie: { name: "one" } });
    const two = createApp({ cookie: { name: "two" } });
    const inner = two.sessions.handler((_, session) => {
      session.set("two", 2);
      return new Response();
    });
    const outer = one.sessions.handler(async (request, session) => {
      session.set("one", 1);
      return inner(request);
    });
    const lines = (await outer(requestWith())).headers.getSetCookie();
    expect(lines.map((line) => line.split("=", 1)[0])).toEqual(["two", "one"]);
  });

  test("one after the other, of one request, each open anew and commit", async () => {
    const { sessions, look } = createApp();
    const seen: Session[] = [];
    const page = sessions.handler((_, session) => {
      seen.push(session);
      session.set("count", seen.length);
      return new Response();
    });
    const request = requestWith();
    const responses = [await page(request), await page(request)];
    expect(seen[0]).not.toBe(seen[1]);
    expect(await look(cookieOf(responses[0] ?? new Response()))).toEqual({ count: 1 });
    expect(await look(cookieOf(responses[1] ?? new Response()))).toEqual({ count: 2 });
  });

  test("one after the other, where the first only reads, too", async () => {
    const { sessions, look } = createApp();
    const read = sessions.handler((_, session) => new Response(`${session.size}`));
    const write = sessions.handler((_, session) => {
      session.set("count", 1);
      return new Response();
    });
    const request = requestWith();
    expect(read(request)).toBeInstanceOf(Response);
    expect(await look(cookieOf(await write(request)))).toEqual({ count: 1 });
  });

  test("and one that failed opens anew the next time", async () => {
    const { sessions, look } = createApp();
    let isFirst = true;
    const page = sessions.handler((_, session) => {
      session.set(isFirst ? "first" : "second", 1);
      if (isFirst) {
        isFirst = false;
        return fail();
      }
      return new Response();
    });
    const request = requestWith();
    expect(await errorOf(() => page(request))).toMatchObject({ message: "Ours" });
    expect(await look(cookieOf(await page(request)))).toEqual({ second: 1 });
  });

  test("a handler behind an open that was committed opens anew", async () => {
    const { sessions } = createApp();
    const request = requestWith();
    const middleware = await sessions.open(request);
    middleware.set("seen", 1);
    await sessions.commit(middleware, new Response());
    const page = sessions.handler((_, session) => {
      session.set("count", 1);
      return new Response();
    });
    expect((await page(request)).headers.getSetCookie()).toHaveLength(1);
  });
});

type Foreign = <T>(make: () => T | Promise<T>) => Promise<T>;

/** Promises that are none of ours: with a `then` alone, and of another realm. */
const FOREIGN: readonly (readonly [name: string, foreign: Foreign])[] = [
  [
    "a thenable",
    (make) =>
      untyped({
        // oxlint-disable-next-line unicorn/no-thenable
        then: (resolve: (value: unknown) => void) => queueMicrotask(() => resolve(make())),
      }),
  ],
  [
    "another realm's promise",
    (make) => untyped(runInNewContext("(async () => make())()", { make })),
  ],
];

describe.each(FOREIGN)("%s", (_, foreign) => {
  test("from a handler is waited for", async () => {
    const { sessions, look } = createApp();
    const page = sessions.handler((_, session) =>
      foreign(() => {
        session.set("count", 1);
        return new Response("text");
      }),
    );
    const response = await page(requestWith());
    expect(await response.text()).toBe("text");
    expect(await look(cookieOf(response))).toEqual({ count: 1 });
  });

  test("from a store is waited for, by open and by commit", async () => {
    const memory = memoryStore({ now: () => START });
    const store: Store = {
      get: (keys) => foreign(() => memory.get(keys)),
      replace: (...change) => foreign(() => memory.replace(...change)),
    };
    const { visit, look } = createApp({ store, dataIn: "store" });
    const browser = new Browser();
    await visit(browser, (session) => session.set("count", 1));
    await visit(browser, (session) => session.set("count", Number(session.get("count")) + 1));
    expect(await look(browser.cookie)).toEqual({ count: 2 });
    const copy = browser.cookie;
    await visit(browser, (session) => session.destroy());
    expect(await look(copy)).toEqual({});
  });

  test("from adopt is waited for", async () => {
    const { visit } = createApp({
      adopt: () => foreign(() => ({ data: { username: "ann" } })),
    });
    expect(await (await visit(new Browser())).json()).toEqual({ username: "ann" });
  });
});

test("sessions work though the host put another Promise in place", async () => {
  const { sessions, look } = createApp();
  const { Promise: original } = globalThis;
  class OtherPromise<Value> extends original<Value> {}
  const page = sessions.handler((_, session) => {
    session.set("count", Number(session.get("count", 0)) + 1);
    return new Response();
  });
  const first = await page(requestWith());
  Reflect.set(globalThis, "Promise", OtherPromise);
  try {
    const second = await page(requestWith(cookieOf(first)));
    expect(await look(cookieOf(second))).toEqual({ count: 2 });
  } finally {
    Reflect.set(globalThis, "Promise", original);
  }
});
