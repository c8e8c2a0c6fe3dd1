import { describe, expect, test } from "bun:test";
import { type CookieOptions, createSessions, memoryStore } from "../session/mod.ts";
import { Session } from "../session/session.ts";
import { createApp } from "./support/app.ts";
import { Browser } from "./support/browser.ts";
import { DAY, START } from "./support/clock.ts";
import { requestWith, show } from "./support/requests.ts";
import { OTHER_SECRET, SECRET } from "./support/secrets.ts";

const NAME = "__Host-Http-session";

describe("a visitor", () => {
  test("gets a session and not a promise of it, and no cookie for looking", async () => {
    const { sessions } = createApp();
    const session = sessions.open(requestWith());
    expect(session).not.toBeInstanceOf(Promise);
    const opened = await session;
    expect([opened.isNew, opened.isModified, opened.size]).toEqual([true, false, 0]);
    const response = sessions.commit(opened, new Response("text"));
    expect(response).not.toBeInstanceOf(Promise);
    expect((await response).headers.getSetCookie()).toEqual([]);
  });

  test("is answered without a promise where the handler makes none", () => {
    const { sessions } = createApp();
    const page = sessions.handler((_, session) => Response.json(session.get("username", null)));
    expect(page(requestWith())).toBeInstanceOf(Response);
  });

  test("D14 leaves nothing in the store, read or written, with any cookie", async () => {
    const calls: unknown[] = [];
    const store = { get: (...call: unknown[]) => (calls.push(call), []), replace: () => true };
    const { visit } = createApp({ store });
    await visit(new Browser());
    await visit(new Browser(), (session) => session.set("username", "ann"));
    for (const cookie of [`${NAME}=x`, `${NAME}=`, "other=1", `${NAME}=a.b.c`]) {
      const browser = new Browser();
      browser.cookie = cookie;
      await visit(browser, (session) => session.get("username"));
    }
    expect(calls).toEqual([]);
  });

  test("that writes gets one cookie, to the letter but for the token", async () => {
    const { visit } = createApp();
    const response = await visit(new Browser(), (session) => session.set("username", "ann"));
    const [line = "", ...others] = response.headers.getSetCookie();
    expect(others).toEqual([]);
    expect(line.replace(/=[\w-]+\.[\w-]+\.[\w-]+;/, "=TOKEN;")).toBe(
      "__Host-Http-session=TOKEN; Path=/; HttpOnly; Secure; SameSite=Lax",
    );
    expect(response.headers.get("vary")).toBe("Cookie");
    expect(response.headers.get("cache-control")).toBe("no-store");
  });

  test("D1 gets an id of 128 random bits that is no UUID, another one each", async () => {
    const { sessions } = createApp();
    const ids = new Set<string>();
    for (let count = 0; count < 1000; count++) ids.add((await sessions.open(requestWith())).id);
    expect(ids.size).toBe(1000);
    for (const id of ids) expect(id).toMatch(/^[\w-]{21}[AQgw]$/);
    const bits = Array.from(ids, (id) => Buffer.from(id, "base64url"));
    for (let bit = 0; bit < 128; bit++) {
      const ones = bits.filter((bytes) => ((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1).length;
      expect(Math.abs(ones - 500)).toBeLessThan(100);
    }
  });
});

describe("a known token", () => {
  test("with a memory store gives a session and not a promise of it", async () => {
    const { sessions, visit } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.update({ username: "ann", cart: ["tea"] }));
    const session = sessions.open(requestWith(browser.cookie));
    expect(session).toBeInstanceOf(Session);
    expect((await session).get("cart")).toEqual(["tea"]);
    const page = sessions.handler((request, session) => show(request, session));
    expect(page(requestWith(browser.cookie))).toBeInstanceOf(Response);
  });

  test("A11 that is only read gets no cookie, a hundred times", async () => {
    const { visit } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("username", "ann"));
    for (let count = 0; count < 100; count++) {
      const response = await visit(browser);
      expect(response.headers.getSetCookie()).toEqual([]);
      expect(response.headers.get("vary")).toBe("Cookie");
      expect(response.headers.has("cache-control")).toBe(false);
    }
  });

  test("A12 that is not looked at leaves the response as it is", async () => {
    const { sessions, visit } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("username", "ann"));
    const answer = new Response("icon");
    expect(await sessions.handler(() => answer)(requestWith(browser.cookie))).toBe(answer);
    expect(answer.headers.has("vary")).toBe(false);
  });

  test("tells its id, its times and that it is not new", async () => {
    const { sessions, visit, advance } = createApp();
    const browser = new Browser();
    let id = "";
    await visit(browser, (session) => {
      session.set("username", "ann");
      id = session.id;
    });
    advance(60);
    const session = await sessions.open(requestWith(browser.cookie));
    expect([session.id, session.isNew]).toEqual([id, false]);
    expect(session.expiresAt).toEqual(new Date(START + 7 * DAY * 1000));
    expect(session.endsAt).toEqual(new Date(START + 30 * DAY * 1000));
  });
});

describe("times", () => {
  test("a used session is signed again past half of its idle time, and no sooner", async () => {
    const { visit, advance } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("username", "ann"));
    advance(3.5 * DAY);
    expect((await visit(browser)).headers.getSetCookie()).toEqual([]);
    advance(1);
    const response = await visit(browser);
    expect(response.headers.getSetCookie()).toHaveLength(1);
    expect(response.headers.get("cache-control")).toBe("no-store");
    advance(7 * DAY - 1);
    expect(await (await visit(browser)).json()).toEqual({ username: "ann" });
  });

  test("D7 an unused session ends after its idle time, and a copy with it", async () => {
    const { visit, advance, events, look } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("username", "ann"));
    advance(7 * DAY - 1);
    expect(await look(browser.cookie)).toEqual({ username: "ann" });
    advance(1);
    expect(await look(browser.cookie)).toEqual({});
    expect(events).toEqual([{ type: "rejected", reason: "expired" }]);
  });

  test("D7 a session ends after its lifetime, however much it is used or renewed", async () => {
    const { visit, advance } = createApp({ lifetime: 10 * DAY });
    const browser = new Browser();
    await visit(browser, (session) => session.set("count", 0));
    for (let day = 1; day < 10; day++) {
      advance(DAY);
      await visit(browser, (session) => {
        session.set("count", day);
        if (day === 5) session.regenerate();
      });
    }
    advance(DAY - 1);
    expect(await (await visit(browser)).json()).toEqual({ count: 9 });
    advance(1);
    expect(await (await visit(browser)).json()).toEqual({});
  });

  test("is not signed again where that would not move its end", async () => {
    const { visit, advance } = createApp({ lifetime: 7 * DAY });
    const browser = new Browser();
    await visit(browser, (session) => session.set("username", "ann"));
    advance(6 * DAY);
    expect((await visit(browser)).headers.getSetCookie()).toEqual([]);
  });

  test("permanent makes the cookie outlive the browser, as long as the session lives", async () => {
    const { visit, advance } = createApp({ lifetime: 10 * DAY });
    const browser = new Browser();
    const login = await visit(browser, (session) => {
      session.permanent = true;
      session.set("username", "ann");
    });
    expect(login.headers.getSetCookie()[0]).toContain(`; Max-Age=${7 * DAY}; `);
    advance(5 * DAY);
    const later = await visit(browser, (session) => expect(session.permanent).toBe(true));
    expect(later.headers.getSetCookie()[0]).toContain(`; Max-Age=${5 * DAY}; `);
    const shorter = await visit(browser, (session) => void (session.permanent = false));
    expect(shorter.headers.getSetCookie()[0]).not.toContain("Max-Age");
  });
});

describe("G7 a session whose key became a fallback", () => {
  test("is signed again with the current key once its token is over 60 s old, with its data", async () => {
    const store = memoryStore({ now: () => START });
    const before = createApp({ secretKey: OTHER_SECRET, store });
    const browser = new Browser();
    await before.visit(browser, (session) => session.set("username", "ann"));
    const after = createApp({ secretKeyFallbacks: [OTHER_SECRET], store });
    after.advance(60);
    expect((await after.visit(browser)).headers.getSetCookie()).toEqual([]);
    after.advance(1);
    const response = await after.visit(browser);
    expect(response.headers.getSetCookie()).toHaveLength(1);
    expect(after.events).toMatchObject([{ type: "rotated" }]);
    expect((await after.visit(browser)).headers.getSetCookie()).toEqual([]);
    const last = createApp({ store });
    last.advance(61);
    expect(await last.look(browser.cookie)).toEqual({ username: "ann" });
    expect(after.events).toHaveLength(1);
  });
});

/** The cookie that an app with these attributes sets. */
async function cookieWith(cookie: CookieOptions): Promise<string> {
  const browser = new Browser();
  await createApp({ cookie }).visit(browser, (session) => session.set("username", "ann"));
  return browser.cookie;
}

describe("C8 the cookie's name and attributes are in its tokens", () => {
  test.each<[string, CookieOptions, CookieOptions, boolean]>([
    ["another name", { name: "one" }, { name: "two" }, false],
    ["another path", { name: "sid" }, { name: "sid", path: "/app" }, false],
    ["a domain", { name: "sid" }, { name: "sid", domain: "example.com" }, false],
    ["no domain any more", { name: "sid", domain: "example.com" }, { name: "sid" }, false],
    [
      "the same domain, spelt otherwise",
      { name: "sid", domain: "example.com" },
      { name: "sid", domain: ".Example.com" },
      true,
    ],
    ["another SameSite", { name: "sid" }, { name: "sid", sameSite: "Strict" }, true],
  ])("with %s a value is good: %3$p", async (_, one, other, isGood) => {
    const cookie = await cookieWith(one);
    const moved = cookie.replace(/^[^=]+/, other.name ?? "");
    const { sessions, events } = createApp({ cookie: other });
    expect((await sessions.open(requestWith(moved))).isNew).toBe(!isGood);
    expect(events).toEqual(isGood ? [] : [{ type: "rejected", reason: "wrong-purpose" }]);
  });

  test("so a new domain works at once, beside the cookie that browsers still have", async () => {
    const before = await cookieWith({ name: "sid" });
    const { visit, look, events } = createApp({ cookie: { name: "sid", domain: "example.com" } });
    const browser = new Browser();
    browser.cookie = before;
    const response = await visit(browser, (session) => session.set("username", "bob"));
    expect(response.headers.getSetCookie()[0]).toContain("; Domain=example.com;");
    events.length = 0;
    for (const header of [`${before}; ${browser.cookie}`, `${browser.cookie}; ${before}`]) {
      expect(await look(header)).toEqual({ username: "bob" });
    }
    expect(events).toEqual([]);
  });
});

test("what createSessions gives is frozen", () => {
  expect(Object.isFrozen(createSessions({ secretKey: SECRET }))).toBe(true);
});
