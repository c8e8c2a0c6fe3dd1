import { describe, expect, test } from "bun:test";
import { createSessions, memoryStore } from "../session/mod.ts";
import { Session } from "../session/session.ts";
import {
  cookieOf,
  createApp,
  createClock,
  DAY,
  errorOf,
  Jar,
  OTHER_SECRET,
  requestWith,
  SECRET,
  show,
  START,
} from "./support/helpers.ts";

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
    await visit(new Jar());
    await visit(new Jar(), (session) => session.set("username", "ann"));
    for (const cookie of [`${NAME}=x`, `${NAME}=`, "other=1", `${NAME}=a.b.c`]) {
      await visit(Object.assign(new Jar(), { cookie }), (session) => session.get("username"));
    }
    expect(calls).toEqual([]);
  });

  test("that writes gets one cookie, to the letter but for the token", async () => {
    const { visit } = createApp();
    const response = await visit(new Jar(), (session) => session.set("username", "ann"));
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
    const jar = new Jar();
    await visit(jar, (session) => session.update({ username: "ann", cart: ["tea"] }));
    const session = sessions.open(requestWith(jar.cookie));
    expect(session).toBeInstanceOf(Session);
    expect((await session).get("cart")).toEqual(["tea"]);
    const page = sessions.handler((request, session) => show(request, session));
    expect(page(requestWith(jar.cookie))).toBeInstanceOf(Response);
  });

  test("A11 that is only read gets no cookie, a hundred times", async () => {
    const { visit } = createApp();
    const jar = new Jar();
    await visit(jar, (session) => session.set("username", "ann"));
    for (let count = 0; count < 100; count++) {
      const response = await visit(jar);
      expect(response.headers.getSetCookie()).toEqual([]);
      expect(response.headers.get("vary")).toBe("Cookie");
      expect(response.headers.has("cache-control")).toBe(false);
    }
  });

  test("A12 that is not looked at leaves the response as it is", async () => {
    const { sessions, visit } = createApp();
    const jar = new Jar();
    await visit(jar, (session) => session.set("username", "ann"));
    const answer = new Response("icon");
    expect(await sessions.handler(() => answer)(requestWith(jar.cookie))).toBe(answer);
    expect(answer.headers.has("vary")).toBe(false);
  });

  test("tells its id, its times and that it is not new", async () => {
    const { sessions, visit, advance } = createApp();
    const jar = new Jar();
    let id = "";
    await visit(jar, (session) => {
      session.set("username", "ann");
      id = session.id;
      expect(session.expiresAt).toEqual(new Date(START + 7 * DAY * 1000));
    });
    advance(60);
    const session = await sessions.open(requestWith(jar.cookie));
    expect([session.id, session.isNew]).toEqual([id, false]);
    expect(session.startedAt).toEqual(new Date(START));
    expect(session.expiresAt).toEqual(new Date(START + 7 * DAY * 1000));
  });
});

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

  test("a second time fails as the first did", async () => {
    const { sessions } = createApp();
    const session = await sessions.open(requestWith());
    session.set("long", crypto.getRandomValues(new Uint8Array(4096)));
    const first = await errorOf(() => sessions.commit(session, new Response()));
    expect(first).toMatchObject({ code: "ERR_SESSION_TOO_LARGE" });
    expect(await errorOf(() => sessions.commit(session, new Response()))).toBe(first);
  });

  test("gives the headers of a WebSocket's upgrade", async () => {
    const { sessions } = createApp();
    const session = await sessions.open(requestWith());
    session.set("username", "ann");
    const { headers } = await sessions.commit(session, new Response());
    expect(headers.getSetCookie()[0]).toStartWith(`${NAME}=`);
  });
});

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
    const jar = new Jar();
    await visit(jar, (session) => session.set("count", 1));
    const page = sessions.handler((_, session) => {
      session.set("count", 2);
      session.destroy();
      return end();
    });
    expect(await errorOf(() => page(requestWith(jar.cookie)))).toMatchObject({ message: "Ours" });
    expect(await look(jar.cookie)).toEqual({ count: 1 });
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

describe("times", () => {
  test("a used session is signed again past half of its idle time, and no sooner", async () => {
    const { visit, advance } = createApp();
    const jar = new Jar();
    await visit(jar, (session) => session.set("username", "ann"));
    advance(3.5 * DAY);
    expect((await visit(jar)).headers.getSetCookie()).toEqual([]);
    advance(1);
    const response = await visit(jar);
    expect(response.headers.getSetCookie()).toHaveLength(1);
    expect(response.headers.get("cache-control")).toBe("no-store");
    advance(7 * DAY - 1);
    expect(await (await visit(jar)).json()).toEqual({ username: "ann" });
  });

  test("D7 an unused session ends after its idle time, and a copy with it", async () => {
    const { visit, advance, events, look } = createApp();
    const jar = new Jar();
    await visit(jar, (session) => session.set("username", "ann"));
    advance(7 * DAY - 1);
    expect(await look(jar.cookie)).toEqual({ username: "ann" });
    advance(1);
    expect(await look(jar.cookie)).toEqual({});
    expect(events).toEqual([{ type: "rejected", reason: "expired" }]);
  });

  test("D7 a session ends after its lifetime, however much it is used or renewed", async () => {
    const { visit, advance } = createApp({ lifetime: 10 * DAY });
    const jar = new Jar();
    await visit(jar, (session) => session.set("count", 0));
    for (let day = 1; day < 10; day++) {
      advance(DAY);
      await visit(jar, (session) => {
        session.set("count", day);
        if (day === 5) session.regenerate();
      });
    }
    advance(DAY - 1);
    expect(await (await visit(jar)).json()).toEqual({ count: 9 });
    advance(1);
    expect(await (await visit(jar)).json()).toEqual({});
  });

  test("is not signed again where that would not move its end", async () => {
    const { visit, advance } = createApp({ lifetime: 7 * DAY });
    const jar = new Jar();
    await visit(jar, (session) => session.set("username", "ann"));
    advance(6 * DAY);
    expect((await visit(jar)).headers.getSetCookie()).toEqual([]);
  });

  test("permanent makes the cookie outlive the browser, as long as the session lives", async () => {
    const { visit, advance } = createApp({ lifetime: 10 * DAY });
    const jar = new Jar();
    const login = await visit(jar, (session) => {
      session.permanent = true;
      session.set("username", "ann");
    });
    expect(login.headers.getSetCookie()[0]).toContain(`; Max-Age=${7 * DAY}; `);
    advance(5 * DAY);
    const later = await visit(jar, (session) => expect(session.permanent).toBe(true));
    expect(later.headers.getSetCookie()[0]).toContain(`; Max-Age=${5 * DAY}; `);
    const shorter = await visit(jar, (session) => void (session.permanent = false));
    expect(shorter.headers.getSetCookie()[0]).not.toContain("Max-Age");
  });
});

describe("G7 a session whose key became a fallback", () => {
  test("is signed again with the current key on the next response, with its data", async () => {
    const store = memoryStore({ now: () => START });
    const before = createApp({ secretKey: OTHER_SECRET, store });
    const jar = new Jar();
    await before.visit(jar, (session) => session.set("username", "ann"));
    const after = createApp({ secretKeyFallbacks: [OTHER_SECRET], store });
    const response = await after.visit(jar);
    expect(response.headers.getSetCookie()).toHaveLength(1);
    expect(after.events).toMatchObject([{ type: "rotated" }]);
    expect((await after.visit(jar)).headers.getSetCookie()).toEqual([]);
    const last = createApp({ store });
    expect(await last.look(jar.cookie)).toEqual({ username: "ann" });
    expect(after.events).toHaveLength(1);
  });
});

function adopt(request: Request): { username: string } | undefined {
  return request.headers.get("cookie")?.includes("old=1") ? { username: "ann" } : undefined;
}

describe("adopt", () => {
  test("takes another system's session over, once", async () => {
    let asked = 0;
    const { visit } = createApp({ adopt: (request) => (asked++, adopt(request)) });
    const jar = Object.assign(new Jar(), { cookie: "old=1" });
    const response = await visit(jar);
    expect(response.headers.getSetCookie()).toHaveLength(1);
    expect(await response.json()).toEqual({ username: "ann" });
    expect((await visit(jar)).headers.getSetCookie()).toEqual([]);
    expect(asked).toBe(1);
  });

  test("that gives nothing, or promises it, is as a visitor's", async () => {
    const { visit } = createApp({ adopt: async () => undefined });
    expect((await visit(new Jar())).headers.getSetCookie()).toEqual([]);
  });
});

test("an app of its own key and name knows nothing of another's session: C8", async () => {
  const { now } = createClock();
  const one = createSessions({ secretKey: SECRET, now, cookie: { name: "one" } });
  const session = await one.open(requestWith());
  session.set("username", "ann");
  const cookie = cookieOf(await one.commit(session, new Response())) ?? "";
  const two = createSessions({ secretKey: SECRET, now, cookie: { name: "two" } });
  expect((await two.open(requestWith(cookie.replace("one=", "two=")))).isNew).toBe(true);
  expect((await one.open(requestWith(cookie))).isNew).toBe(false);
});
