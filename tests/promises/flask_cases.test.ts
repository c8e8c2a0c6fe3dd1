/**
 * The cases of Flask's own tests, by their numbers in our list of them, as far as they have a
 * meaning here. These have none:
 *
 * - 3, 30, 34, 35: mounting, greenlets, routing and templates are the server's, and not in here.
 * - 6: there is no session without a key: `createSessions` throws at start-up instead.
 * - 9: a response's session is committed by `commit`, which is called last by its caller.
 * - 17, 19–22, 28, 29: there is no backend, tag or cookie name to plug in. A store that throws is
 *   tested beside `commit`.
 * - 18: tagged JSON has its own tests.
 * - 24–27: the transactions of Flask's test client are the test kit's.
 * - 31: a generator that writes after the response would be a late write, which throws.
 * - 32: there are no signals.
 */
import { describe, expect, test } from "bun:test";
import { createSessions, type Session, SessionOptionsError } from "../../session/mod.ts";
import { createApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { DAY, START } from "../support/clock.ts";
import { errorOf, untyped } from "../support/errors.ts";
import { requestWith } from "../support/requests.ts";
import { OTHER_SECRET, SECRET } from "../support/secrets.ts";

const NAME = "__Host-Http-session";
const THIRD_SECRET = "b7Ue-W4oXq1JkM9tRz_2DvHsYc5NgPf0";

describe("Flask's cases", () => {
  test.each<[string, (session: Session) => unknown, boolean, boolean]>([
    ["nothing", () => {}, false, false],
    ["a read", (session) => session.get("value"), true, false],
    ["a write", (session) => session.set("value", 42), true, true],
  ])("1 %s: Vary %3$p, Set-Cookie %4$p", async (_, act, hasVary, hasCookie) => {
    const { sessions } = createApp();
    const page = sessions.handler((_, session) => {
      act(session);
      return new Response("text");
    });
    const { headers } = await page(requestWith());
    expect(headers.has("vary")).toBe(hasVary);
    expect(headers.has("set-cookie")).toBe(hasCookie);
  });

  test("2, 4 path, domain, SameSite, Secure and Partitioned stand on set and on delete", async () => {
    const cookie = {
      path: "/app",
      domain: "example.com",
      sameSite: "None",
      partitioned: true,
    } as const;
    const { visit } = createApp({ cookie });
    const browser = new Browser();
    const attributes =
      "; Path=/app; Domain=example.com; HttpOnly; Secure; SameSite=None; Partitioned";
    const set = await visit(browser, (session) => session.set("value", 42));
    expect(set.headers.getSetCookie()[0]).toEndWith(attributes);
    const deleted = await visit(browser, (session) => session.pop("value"));
    expect(deleted.headers.getSetCookie()[0]).toStartWith(
      "session=; Max-Age=0; Expires=Thu, 01 Jan",
    );
    expect(deleted.headers.getSetCookie()[0]).toEndWith(attributes);
  });

  test.each<[unknown, string | undefined]>([
    ["invalid", undefined],
    [undefined, "; SameSite=Lax"],
    ["Strict", "; SameSite=Strict"],
    ["Lax", "; SameSite=Lax"],
  ])("5 SameSite %p gives %p", async (sameSite, attribute) => {
    const options = { cookie: untyped({ sameSite }) };
    if (attribute === undefined) {
      expect(() => createApp(options)).toThrow(SessionOptionsError);
      return;
    }
    const response = await createApp(options).visit(new Browser(), (session) =>
      session.set("a", 1),
    );
    expect(response.headers.getSetCookie()[0]).toContain(attribute);
  });

  test("6 without a key it does not start", async () => {
    const error = await errorOf(() => createSessions({ secretKey: undefined }));
    expect(String(error)).toContain("secretKey");
  });

  test("7 a cookie of a key that left is nothing, and of a fallback good again", async () => {
    const browser = new Browser();
    await createApp({ secretKey: OTHER_SECRET }).visit(browser, (session) => session.set("a", 1));
    expect(await createApp({ secretKey: SECRET }).look(browser.cookie)).toEqual({});
    const secretKeyFallbacks = [THIRD_SECRET, OTHER_SECRET];
    expect(await createApp({ secretKeyFallbacks }).look(browser.cookie)).toEqual({ a: 1 });
  });

  test.each([
    [true, `; Max-Age=${7 * DAY}`],
    [false, undefined],
  ])("8 permanent %p: Max-Age %p", async (permanent, age) => {
    const { visit } = createApp();
    const browser = new Browser();
    const response = await visit(browser, (session) => {
      session.set("test", 42);
      session.permanent = permanent;
    });
    const line = response.headers.getSetCookie()[0] ?? "";
    expect(/; Max-Age=\d+/.exec(line)?.[0]).toBe(age);
    await visit(browser, (session) => expect(session.permanent).toBe(permanent));
  });

  test("10 special types come back as they were", async () => {
    const values = {
      bytes: Uint8Array.of(1, 255),
      date: new Date(START + 123),
      url: new URL("https://example.com/?a"),
      map: new Map([["a", new Set([1n])]]),
      tag: { $date: 0 },
      longTag: { $$date: 0 },
      numbers: [Number.NaN, -0, Infinity],
    };
    const { visit, look } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.update(values));
    expect(await look(browser.cookie)).toStrictEqual(values);
  });

  test.each([true, false])(
    "11 a read sets a cookie, permanent %p, when it is due",
    async (permanent) => {
      const { visit, advance } = createApp();
      const browser = new Browser();
      for (const expected of [1, 2, 3]) {
        const response = await visit(browser, (session) => {
          session.permanent = permanent;
          session.set("count", Number(session.get("count", 0)) + 1);
        });
        expect(await response.json()).toEqual({ count: expected });
      }
      expect((await visit(browser)).headers.has("set-cookie")).toBe(false);
      advance(4 * DAY);
      expect((await visit(browser)).headers.has("set-cookie")).toBe(true);
    },
  );

  test.each<[string, (session: Session) => unknown]>([
    ["set", (session) => session.set("a", 1)],
    ["get", (session) => session.get("a")],
    ["has", (session) => session.has("a")],
    ["size", (session) => session.size],
    ["iteration", (session) => [...session]],
    ["setDefault", (session) => session.setDefault("a", 1)],
    ["clear", (session) => session.clear()],
    ["flashes", (session) => session.flashes],
    ["permanent", (session) => session.permanent],
    ["id", (session) => session.id],
  ])("12 A13 after %s there is one Vary: Cookie, whatever was there", async (_, act) => {
    const { sessions } = createApp();
    const vary = async (before: string | undefined): Promise<string | null> => {
      const page = sessions.handler((_, session) => {
        act(session);
        return new Response(null, before === undefined ? {} : { headers: { vary: before } });
      });
      return (await page(requestWith())).headers.get("vary");
    };
    expect(await vary(undefined)).toBe("Cookie");
    expect(await vary("Cookie")).toBe("Cookie");
    expect(await vary("Accept-Encoding, Accept-Language")).toBe(
      "Accept-Encoding, Accept-Language, Cookie",
    );
  });

  test("13 A13 a cookie that is refreshed comes with Vary, looked at or not", async () => {
    const { sessions, visit, advance } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("a", 1));
    advance(4 * DAY);
    const { headers } = await sessions.handler(() => new Response())(requestWith(browser.cookie));
    expect([headers.has("set-cookie"), headers.get("vary")]).toEqual([true, "Cookie"]);
  });

  test("14, 15 flashes keep their order and categories", async () => {
    const { visit } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => {
      session.flash("Hello World");
      session.flash("Hello World", "error");
      session.flash("<em>Testing</em>", "warning");
    });
    await visit(browser, (session) => {
      expect(session.flashes.map(({ category }) => category)).toEqual([
        "message",
        "error",
        "warning",
      ]);
      expect(session.takeFlashes("error")).toEqual([{ category: "error", message: "Hello World" }]);
    });
    await visit(browser, (session) => expect(session.takeFlashes()).toHaveLength(2));
    await visit(browser, (session) => expect(session.takeFlashes()).toEqual([]));
  });

  test("16 a cookie over the limit is an error, not a warning", async () => {
    const { visit } = createApp();
    const random = crypto.getRandomValues(new Uint8Array(4096));
    const error = await errorOf(() => visit(new Browser(), (session) => session.set("a", random)));
    expect(error).toMatchObject({ code: "ERR_SESSION_TOO_LARGE" });
  });

  test("23 a redirect's write and its target's are both there", async () => {
    const { sessions, visit } = createApp();
    const browser = new Browser();
    const redirect = Response.redirect("http://localhost/next", 303);
    const login = sessions.handler((_, session) => {
      session.set("first", 1);
      return redirect;
    });
    browser.take(await login(requestWith()));
    const response = await visit(browser, (session) => session.set("second", 2));
    expect(await response.json()).toEqual({ first: 1, second: 2 });
  });

  test("33 a lifetime is a whole number of seconds", async () => {
    const { visit, advance } = createApp({ lifetime: 60 });
    const browser = new Browser();
    await visit(browser, (session) => session.set("a", 1));
    advance(59);
    expect(await (await visit(browser)).json()).toEqual({ a: 1 });
    advance(1);
    expect(await (await visit(browser)).json()).toEqual({});
  });

  test.each<[string, (session: Session) => unknown, (session: Session) => unknown]>([
    ["pop", (session) => session.regenerate(), (session) => session.pop("username", null)],
    ["destroy", (session) => session.signIn("admin"), (session) => session.destroy()],
  ])("36 login sets the user, logout by %s removes it", async (_, begin, end) => {
    const { visit } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => [begin(session), session.set("username", "admin")]);
    expect(await (await visit(browser)).json()).toEqual({ username: "admin" });
    await visit(browser, end);
    expect([browser.cookie, await (await visit(browser)).json()]).toEqual(["", {}]);
  });
});

describe("better than Flask", () => {
  test("clear without a cookie deletes none", async () => {
    const response = await createApp().visit(new Browser(), (session) => session.clear());
    expect(response.headers.has("set-cookie")).toBe(false);
  });

  test.each<[string, (session: Session) => unknown]>([
    ["an equal value", (session) => session.set("a", [1])],
    ["an empty update", (session) => session.update({})],
  ])("%s is not signed again", async (_, act) => {
    const { visit } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("a", [1]));
    expect((await visit(browser, act)).headers.has("set-cookie")).toBe(false);
  });

  test("a change deep inside a value is saved without a flag", async () => {
    const { visit, look } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("cart", { items: ["tea"] }));
    await visit(browser, (session) => Object.assign(Object(session.get("cart")), { items: [] }));
    expect(await look(browser.cookie)).toEqual({ cart: { items: [] } });
  });

  test("a garbage cookie is replaced by the first write, and told of", async () => {
    const { visit, look, events } = createApp();
    const browser = new Browser();
    browser.cookie = `${NAME}=garbage`;
    await visit(browser, (session) => session.set("a", 1));
    expect(events).toEqual([{ type: "rejected", reason: "malformed" }]);
    expect(await look(browser.cookie)).toEqual({ a: 1 });
  });

  test("a fresh permanent session is not signed again by each page, a missing one neither", async () => {
    const { sessions, visit } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => {
      session.permanent = true;
      session.set("a", 1);
    });
    const page = sessions.handler(() => new Response("Not found", { status: 404 }));
    expect((await page(requestWith(browser.cookie))).headers.has("set-cookie")).toBe(false);
  });

  test("a session that is not permanent lives on while it is only read", async () => {
    const { visit, advance } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("a", 1));
    for (let day = 0; day < 28; day += 4) {
      advance(4 * DAY);
      expect(await (await visit(browser)).json()).toEqual({ a: 1 });
    }
  });

  test("a date keeps its milliseconds", async () => {
    const { visit, look } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("when", new Date(START + 789)));
    expect(await look(browser.cookie)).toEqual({ when: new Date(START + 789) });
  });

  test("what JSON cannot carry is an error, never silently a string", async () => {
    class Money {
      readonly cents = 5;
      toJSON(): string {
        return `${this.cents}`;
      }
    }
    const { visit } = createApp();
    const set = (session: Session): void => session.set("cart", [{ price: new Money() }]);
    const error = await errorOf(() => visit(new Browser(), set));
    expect(error).toMatchObject({ code: "ERR_SESSION_VALUE", path: "cart[0].price" });
  });

  test.each([true, false])("permanent %p alone makes no cookie", async (permanent) => {
    const response = await createApp().visit(
      new Browser(),
      (session) => void (session.permanent = permanent),
    );
    expect(response.headers.has("set-cookie")).toBe(false);
  });

  test("taking the flashes of one category leaves the others", async () => {
    const { visit } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => [session.flash("a"), session.flash("b", "error")]);
    await visit(browser, (session) => session.takeFlashes("error"));
    await visit(browser, (session) => expect(session.takeFlashes()).toHaveLength(1));
  });

  test("a string of fallbacks is one key, not one key a letter", async () => {
    const browser = new Browser();
    await createApp({ secretKey: OTHER_SECRET }).visit(browser, (session) => session.set("a", 1));
    const { look } = createApp({ secretKeyFallbacks: OTHER_SECRET });
    expect(await look(browser.cookie)).toEqual({ a: 1 });
  });

  test("another cookie of our name does not log out", async () => {
    const { visit, look } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("a", 1));
    expect(await look(`${NAME}=garbage; ${browser.cookie}`)).toEqual({ a: 1 });
    expect(await look(`${browser.cookie}; ${NAME}=garbage`)).toEqual({ a: 1 });
  });

  test("what a handler changed before it threw is not saved", async () => {
    const { sessions, visit, look } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("a", 1));
    const page = sessions.handler((_, session): Response => {
      session.set("a", 2);
      throw new Error("Ours");
    });
    expect(await errorOf(() => page(requestWith(browser.cookie)))).toMatchObject({
      message: "Ours",
    });
    expect(await look(browser.cookie)).toEqual({ a: 1 });
  });
});
