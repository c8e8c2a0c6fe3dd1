import { describe, expect, test } from "bun:test";
import { memoryStore, type Session, SessionTooLargeError, type Store } from "../../session/mod.ts";
import {
  type App,
  cookieOf,
  createApp,
  DAY,
  errorOf,
  Jar,
  requestWith,
} from "../support/helpers.ts";
import { claimsOf } from "../support/jws.ts";

const NAME = "__Host-Http-session";
const DELETION = `${NAME}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; Secure; SameSite=Lax`;

/** A browser with a session that holds these values. */
async function browser(app: App, values: Record<string, unknown>): Promise<Jar> {
  const jar = new Jar();
  await app.visit(jar, (session) => session.update(values));
  return jar;
}

/** Opens a session for each act first, then acts and commits in turn: requests that overlap. */
async function overlap(
  app: App,
  cookie: string | undefined,
  ...acts: readonly ((session: Session) => unknown)[]
): Promise<Response[]> {
  const opened = await Promise.all(acts.map(async () => app.sessions.open(requestWith(cookie))));
  const responses: Response[] = [];
  for (const [index, session] of opened.entries()) {
    acts[index]?.(session);
    responses.push(await app.sessions.commit(session, new Response()));
  }
  return responses;
}

function linesOf(response: Response | undefined): string[] {
  return response?.headers.getSetCookie() ?? [];
}

function typesOf({ events }: App): string[] {
  return events.map(({ type }) => type);
}

describe("ending", () => {
  test.each<[string, (session: Session) => unknown]>([
    ["destroy", (session) => session.destroy()],
    ["clear", (session) => session.clear()],
    ["popping the only key", (session) => session.pop("username")],
  ])("D5 %s deletes the cookie with its attributes, and no copy opens again", async (_, act) => {
    const app = createApp();
    const jar = await browser(app, { username: "ann" });
    const copy = jar.cookie;
    expect(linesOf(await app.visit(jar, act))).toEqual([DELETION]);
    expect(await app.look(copy)).toEqual({});
    expect(typesOf(app)).toEqual(["ended"]);
    expect(linesOf(await app.visit(jar))).toEqual([]);
    const replay = Object.assign(new Jar(), { cookie: copy });
    const response = await app.visit(replay, (session) => session.set("count", 1));
    expect(await app.look(cookieOf(response))).toEqual({ count: 1 });
    expect(await app.look(copy)).toEqual({});
  });

  test.each<[string, (session: Session) => unknown]>([
    ["destroy", (session) => session.destroy()],
    ["clear", (session) => session.clear()],
    ["set and pop", (session) => [session.set("a", 1), session.pop("a")]],
  ])("%s without a cookie sends none", async (_, act) => {
    expect(linesOf(await createApp().visit(new Jar(), act))).toEqual([]);
  });

  test("writing after destroy begins a new id, and flashes that wait go on", async () => {
    const app = createApp();
    const jar = await browser(app, { username: "ann" });
    const copy = jar.cookie;
    await app.visit(jar, (session) => {
      session.flash("Goodbye");
      session.destroy();
      expect([session.size, session.subject, session.permanent]).toEqual([0, undefined, false]);
      session.set("count", 1);
    });
    expect(await app.look(copy)).toEqual({});
    const next = await app.sessions.open(requestWith(jar.cookie));
    expect(next.toJSON()).toEqual({ count: 1 });
    expect(next.flashes).toEqual([{ category: "message", message: "Goodbye" }]);
    expect(next.id).not.toBe((await app.sessions.open(requestWith(copy))).id);
  });

  test("a session that was flashes alone ends as they are read", async () => {
    const app = createApp();
    const jar = new Jar();
    await app.visit(jar, (session) => session.flash("Hi"));
    const response = await app.visit(jar, (session) => session.takeFlashes());
    expect(linesOf(response)).toEqual([DELETION]);
  });

  test("D6 a request that was under way cannot bring it back", async () => {
    const app = createApp();
    const jar = await browser(app, { username: "ann" });
    const [logout, late] = await overlap(
      app,
      jar.cookie,
      (session) => session.destroy(),
      (session) => session.set("count", 1),
    );
    expect(linesOf(logout)).toEqual([DELETION]);
    expect(linesOf(late)).toEqual([]);
    expect(typesOf(app)).toEqual(["dropped"]);
    expect(await app.look(jar.cookie)).toEqual({});
  });

  test("D5 on one instance ends it on every other that shares the store", async () => {
    const store = memoryStore();
    const [one, two] = [createApp({ store }), createApp({ store })];
    const jar = await browser(one, { username: "ann" });
    expect(await two.look(jar.cookie)).toEqual({ username: "ann" });
    await one.visit(Object.assign(new Jar(), jar), (session) => session.destroy());
    expect(await two.look(jar.cookie)).toEqual({});
  });

  test("holds as long as any copy could open", async () => {
    const app = createApp();
    const jar = await browser(app, { username: "ann" });
    const copy = jar.cookie;
    await app.visit(jar, (session) => session.destroy());
    app.advance(7 * DAY - 1);
    expect(await app.look(copy)).toEqual({});
    expect(typesOf(app)).toEqual(["ended"]);
  });
});

describe("what is popped stays popped", () => {
  test("an old copy shows other keys without it, and gets a new cookie", async () => {
    const app = createApp();
    const jar = await browser(app, { username: "ann", theme: "dark" });
    const copy = jar.cookie;
    await app.visit(jar, (session) => session.pop("username"));
    expect(await app.look(jar.cookie)).toEqual({ theme: "dark" });
    app.advance(DAY);
    expect(await app.look(copy)).toEqual({ theme: "dark" });
    const replay = Object.assign(new Jar(), { cookie: copy });
    expect(linesOf(await app.visit(replay))).toHaveLength(1);
    expect(await app.look(replay.cookie)).toEqual({ theme: "dark" });
  });

  test("a change inside it by a request under way is dropped, a set is not", async () => {
    const app = createApp();
    const jar = await browser(app, { cart: ["tea"], wishes: ["cake"], theme: "dark" });
    const [, , third] = await overlap(
      app,
      jar.cookie,
      (session) => [session.pop("cart"), session.pop("wishes")],
      (session) => Reflect.apply(Array.prototype.push, session.get("cart"), ["milk"]),
      (session) => session.set("wishes", ["bread"]),
    );
    expect(typesOf(app)).toEqual(["dropped"]);
    expect(await app.look(cookieOf(third ?? new Response()))).toEqual({
      theme: "dark",
      wishes: ["bread"],
    });
  });
});

describe("parallel requests", () => {
  test.each([
    ["arrive in order", [0, 1]],
    ["arrive in the other order", [1, 0]],
  ])("D20 that change other keys both take effect, where the answers %s", async (_, order) => {
    const app = createApp();
    const jar = await browser(app, { username: "ann", cart: ["tea"] });
    const responses = await overlap(
      app,
      jar.cookie,
      (session) => session.set("count", 1),
      (session) => [session.set("theme", "dark"), session.pop("cart")],
    );
    for (const index of order) jar.cookie = cookieOf(responses[index] ?? new Response());
    const response = await app.visit(jar);
    expect(await response.json()).toEqual({ username: "ann", count: 1, theme: "dark" });
    app.advance(DAY);
    expect(await app.look(jar.cookie)).toEqual({ username: "ann", count: 1, theme: "dark" });
  });

  test("that change the same key: the last one stands", async () => {
    const app = createApp();
    const jar = await browser(app, { count: 0 });
    await overlap(
      app,
      jar.cookie,
      (session) => session.set("count", 1),
      (session) => session.set("count", 2),
    );
    expect(await app.look(jar.cookie)).toEqual({ count: 2 });
  });

  test("that clear and set: what the one had not seen stands", async () => {
    const app = createApp();
    const jar = await browser(app, { count: 0 });
    const [, second] = await overlap(
      app,
      jar.cookie,
      (session) => session.set("theme", "dark"),
      (session) => session.clear(),
    );
    expect(await app.look(cookieOf(second ?? new Response()))).toEqual({ theme: "dark" });
  });

  test("that conflict in the store are tried again", async () => {
    const inner = memoryStore();
    let conflicts = 3;
    const store: Store = {
      get: (keys) => inner.get(keys),
      replace: (...call) => (conflicts-- > 0 ? false : inner.replace(...call)),
    };
    const app = createApp({ store });
    const jar = await browser(app, { count: 0 });
    await app.visit(jar, (session) => session.set("count", 1));
    expect(await app.look(jar.cookie)).toEqual({ count: 1 });
    expect(conflicts).toBeLessThan(0);
  });

  test("a request that took longer than a window gets no cookie, and its keys are not lost", async () => {
    const app = createApp();
    const jar = await browser(app, { count: 0 });
    const slow = await app.sessions.open(requestWith(jar.cookie));
    app.advance(61);
    slow.set("theme", "dark");
    expect(linesOf(await app.sessions.commit(slow, new Response()))).toEqual([]);
    const response = await app.visit(jar);
    expect(await response.json()).toEqual({ count: 0, theme: "dark" });
    expect(linesOf(response)).toHaveLength(1);
  });
});

describe("regenerate", () => {
  test("D2 gives the data a new id, and the old one shows nothing more", async () => {
    const app = createApp();
    const jar = await browser(app, { theme: "dark" });
    const planted = jar.cookie;
    await app.visit(jar, (session) => {
      const before = session.id;
      session.regenerate();
      session.set("username", "ann");
      expect(session.id).not.toBe(before);
    });
    expect(await app.look(jar.cookie)).toEqual({ theme: "dark", username: "ann" });
    expect(await app.look(planted)).toEqual({});
    expect(typesOf(app)).toEqual(["superseded"]);
  });

  test.each([
    [59, 0],
    [61, 1],
  ])("D8 %i s later a write with the old id gets %i cookies", async (seconds, count) => {
    const app = createApp();
    const jar = await browser(app, { theme: "dark" });
    const old = Object.assign(new Jar(), jar);
    await app.visit(jar, (session) => session.regenerate());
    app.advance(seconds);
    const response = await app.visit(old, (session) => session.set("count", 1));
    expect(linesOf(response)).toHaveLength(count);
    expect(await app.look(jar.cookie)).toEqual({ theme: "dark" });
  });

  test("D4 overtaken by another login: the second gets an id with its own keys alone", async () => {
    const app = createApp();
    const jar = await browser(app, { theme: "dark" });
    const [ann, bob] = await overlap(
      app,
      jar.cookie,
      (session) => [session.regenerate(), session.set("username", "ann")],
      (session) => [session.regenerate(), session.set("username", "bob")],
    );
    expect(await app.look(cookieOf(ann ?? new Response()))).toEqual({
      theme: "dark",
      username: "ann",
    });
    expect(await app.look(cookieOf(bob ?? new Response()))).toEqual({ username: "bob" });
  });

  test("overtakes a write under way, which is dropped without a cookie", async () => {
    const app = createApp();
    const jar = await browser(app, { theme: "dark" });
    const [, late] = await overlap(
      app,
      jar.cookie,
      (session) => session.regenerate(),
      (session) => session.set("count", 1),
    );
    expect(linesOf(late)).toEqual([]);
    expect(typesOf(app)).toEqual(["dropped"]);
  });

  test("keeps the session's start", async () => {
    const app = createApp();
    const jar = await browser(app, { theme: "dark" });
    app.advance(DAY);
    const started = (await app.sessions.open(requestWith(jar.cookie))).startedAt;
    await app.visit(jar, (session) => session.regenerate());
    expect((await app.sessions.open(requestWith(jar.cookie))).startedAt).toEqual(started);
  });
});

async function login(app: App, name: string): Promise<Jar> {
  const jar = new Jar();
  await app.visit(jar, (session) => {
    session.regenerate();
    session.subject = name;
  });
  return jar;
}

describe("subjects", () => {
  test("D9 endAll ends every session of the subject, and no other", async () => {
    const app = createApp();
    const anns = await Promise.all([login(app, "ann"), login(app, "ann"), login(app, "ann")]);
    const bob = await login(app, "bob");
    await app.sessions.endAll("ann");
    for (const { cookie } of anns) {
      expect((await app.sessions.open(requestWith(cookie))).isNew).toBe(true);
    }
    expect((await app.sessions.open(requestWith(bob.cookie))).subject).toBe("bob");
    expect(typesOf(app)).toEqual(["ended", "ended", "ended"]);
    const again = await login(app, "ann");
    expect((await app.sessions.open(requestWith(again.cookie))).subject).toBe("ann");
    await app.sessions.endAll("ann");
    expect((await app.sessions.open(requestWith(again.cookie))).subject).toBeUndefined();
  });

  test("another subject clears the data of the first, and is a new start", async () => {
    const app = createApp();
    const jar = await login(app, "ann");
    await app.visit(jar, (session) => session.set("cart", ["tea"]));
    app.advance(DAY);
    await app.visit(jar, (session) => {
      session.subject = "bob";
      session.set("count", 1);
    });
    const session = await app.sessions.open(requestWith(jar.cookie));
    expect(session.toJSON()).toEqual({ count: 1 });
    expect(claimsOf(jar.cookie?.slice(NAME.length + 1) ?? "")["iat"]).toBe(1_700_000_000 + DAY);
  });

  test("a first subject keeps a visitor's data", async () => {
    const app = createApp();
    const jar = await browser(app, { cart: ["tea"] });
    await app.visit(jar, (session) => void (session.subject = "ann"));
    expect(await app.look(jar.cookie)).toEqual({ cart: ["tea"] });
  });

  test("that are empty are refused", async () => {
    const session = await createApp().sessions.open(requestWith());
    const setEmpty = (): void => void (session.subject = "");
    expect(await errorOf(setEmpty)).toMatchObject({ code: "ERR_SESSION_VALUE" });
  });
});

describe("the size", () => {
  test("A5 is 4,096 bytes at most for name and value; over it the keys are told, largest first", async () => {
    const app = createApp();
    const random = Buffer.from(crypto.getRandomValues(new Uint8Array(6000))).toString("base64");
    const jar = await browser(app, { small: 1 });
    const before = jar.cookie;
    let largest = 0;
    let error: unknown;
    for (let length = 2500; length < 3200 && error === undefined; length++) {
      const session = await app.sessions.open(requestWith());
      session.update({ small: 1, ä: random.slice(0, length) });
      try {
        const { headers } = await app.sessions.commit(session, new Response());
        largest = (cookieOf(new Response(null, { headers })) ?? "").length - 1;
      } catch (caught) {
        error = caught;
      }
    }
    expect(largest).toBeWithin(4090, 4097);
    expect(error).toBeInstanceOf(SessionTooLargeError);
    const size = { limit: 4096, code: "ERR_SESSION_TOO_LARGE" };
    expect(error).toMatchObject({ ...size, keys: [{ key: "ä" }, { key: "small", bytes: 1 }] });
    expect(String(error)).toContain(`"ä"`);
    expect(typesOf(app)).toContain("too-large");
    expect(await app.look(before)).toEqual({ small: 1 });
  });

  test("over the limit leaves no half-written state: the old cookie holds what it held", async () => {
    const app = createApp();
    const jar = await browser(app, { small: 1 });
    const random = Buffer.from(crypto.getRandomValues(new Uint8Array(6000))).toString("base64");
    for (const act of [
      (session: Session) => session.update({ small: 2, random }),
      (session: Session) => [session.regenerate(), session.set("random", random)],
      (session: Session) => [session.destroy(), session.set("random", random)],
    ]) {
      expect(await errorOf(() => app.visit(jar, act))).toBeInstanceOf(SessionTooLargeError);
      expect(await app.look(jar.cookie)).toEqual({ small: 1 });
    }
  });

  test("of more than 3,072 bytes is told once a session", async () => {
    const app = createApp();
    const jar = new Jar();
    const random = Buffer.from(crypto.getRandomValues(new Uint8Array(1600))).toString("base64");
    await app.visit(jar, (session) => session.set("random", random));
    await app.visit(jar, (session) => session.set("count", 1));
    expect(typesOf(app)).toEqual(["near-limit"]);
  });
});
