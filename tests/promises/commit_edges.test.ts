import { describe, expect, test } from "bun:test";
import { memoryStore, type Session, SessionTooLargeError, type Store } from "../../session/mod.ts";
import {
  type App,
  cookieOf,
  createApp,
  createClock,
  DAY,
  errorOf,
  Jar,
  MINUTE,
  OTHER_SECRET,
  requestWith,
} from "../support/helpers.ts";
import { claimsOf } from "../support/jws.ts";

const NAME = "__Host-Http-session";

/** A browser with a session that holds these values. */
async function browser(app: App, values: Record<string, unknown>): Promise<Jar> {
  const jar = new Jar();
  await app.visit(jar, (session) => session.update(values));
  return jar;
}

/** What deflating makes no shorter: 1,468 characters. */
function randomText(): string {
  return btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(1100))));
}

function end(session: Session): void {
  session.destroy();
}

/** Two requests that overlap: the first is answered while the second is under way. */
async function overlap(
  app: App,
  cookie: string | undefined,
  first: (session: Session) => unknown,
  second: (session: Session) => unknown,
): Promise<readonly [Response, Response]> {
  const one = await app.sessions.open(requestWith(cookie));
  const two = await app.sessions.open(requestWith(cookie));
  await first(one);
  await second(two);
  const answer = await app.sessions.commit(one, new Response());
  return [answer, await app.sessions.commit(two, new Response())];
}

/** A memory store that says no a few times before it takes anything. */
function reluctant(): { readonly store: Store; refusals: number; replaced: number } {
  const inner = memoryStore();
  const state = { store: inner, refusals: 0, replaced: 0 };
  state.store = {
    get: (keys) => inner.get(keys),
    replace: (...call) => {
      state.replaced++;
      return state.refusals-- > 0 ? false : inner.replace(...call);
    },
  };
  return state;
}

describe("a request whose session was ended meanwhile", () => {
  test("with regenerate gets an id with only the keys that it set", async () => {
    const app = createApp();
    const jar = await browser(app, { cart: ["tea"], theme: "dark" });
    const [, answer] = await overlap(
      app,
      jar.cookie,
      (session) => session.destroy(),
      (session) => {
        session.regenerate();
        session.set("username", "ann");
        session.pop("theme");
        Reflect.apply(Array.prototype.push, session.get("cart"), ["milk"]);
      },
    );
    expect(await app.look(cookieOf(answer))).toEqual({ username: "ann" });
    expect(app.events.map(({ type }) => type)).toEqual(["dropped"]);
  });

  test("with regenerate and no key set gets no cookie", async () => {
    const app = createApp();
    const jar = await browser(app, { theme: "dark" });
    const [, answer] = await overlap(app, jar.cookie, end, (session) => session.regenerate());
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  test("with destroy deletes the cookie, too", async () => {
    const app = createApp();
    const jar = await browser(app, { theme: "dark" });
    const [, answer] = await overlap(app, jar.cookie, end, end);
    expect(answer.headers.getSetCookie()[0]).toStartWith(`${NAME}=; Max-Age=0;`);
  });

  test("with destroy, overtaken by a login, leaves the login's cookie alone", async () => {
    const app = createApp();
    const jar = await browser(app, { theme: "dark" });
    const [login, answer] = await overlap(
      app,
      jar.cookie,
      (session) => session.regenerate(),
      (session) => session.destroy(),
    );
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(app.events.map(({ type }) => type)).toEqual(["dropped"]);
    expect(await app.look(cookieOf(login))).toEqual({ theme: "dark" });
  });

  test.each<[string, Record<string, unknown>, number]>([
    ["leaves a login's cookie alone", { username: "ann" }, 0],
    ["deletes the cookie where no login began a session", {}, 1],
  ])("by endAll, with destroy, %s", async (_, values, count) => {
    const app = createApp();
    const jar = new Jar();
    await app.visit(jar, (session) => (session.subject = "ann"));
    const [login, answer] = await overlap(
      app,
      jar.cookie,
      async (session) => {
        await app.sessions.endAll("ann");
        session.regenerate();
        session.update(values);
      },
      end,
    );
    expect(answer.headers.getSetCookie()).toHaveLength(count);
    expect(await app.look(cookieOf(login))).toEqual(values);
  });

  test("by endAll, and that a login overlapped, begins no session with the old cookie", async () => {
    const app = createApp();
    const jar = new Jar();
    await app.visit(jar, (session) => (session.subject = "ann"));
    const old = jar.cookie;
    const session = await app.sessions.open(requestWith(old));
    await app.sessions.endAll("ann");
    session.regenerate();
    session.set("username", "ann");
    await app.sessions.commit(session, new Response());
    const late = await app.sessions.open(requestWith(old));
    late.set("theme", "dark");
    const answer = await app.sessions.commit(late, new Response());
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  test("that changed nothing dropped nothing", async () => {
    const app = createApp();
    const jar = await browser(app, { theme: "dark" });
    app.advance(5 * DAY);
    const [, answer] = await overlap(app, jar.cookie, end, (session) => session.get("theme"));
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(app.events).toEqual([]);
  });
});

test.each<[string, (session: Session) => unknown]>([
  ["regenerate", (session) => session.regenerate()],
  ["a change inside", (session) => Reflect.apply(Array.prototype.push, session.get("cart"), [1])],
])("a request that outlived its cookie brings nothing back by %s", async (_, act) => {
  const app = createApp({ idleTimeout: 100 });
  const jar = await browser(app, { cart: ["tea"], count: 0 });
  const slow = await app.sessions.open(requestWith(jar.cookie));
  await app.visit(jar, (session) => session.pop("cart"));
  for (let count = 1; count < 6; count++) {
    app.advance(50);
    await app.visit(jar, (session) => session.set("count", count));
  }
  act(slow);
  slow.set("late", true);
  const answer = await app.sessions.commit(slow, new Response());
  expect(await app.look(cookieOf(answer))).not.toHaveProperty("cart");
  expect(await app.look(jar.cookie)).not.toHaveProperty("cart");
});

describe("the last key's end", () => {
  test("lets flashes go on under another id, without subject and permanent", async () => {
    const app = createApp();
    const jar = new Jar();
    await app.visit(jar, (session) => {
      session.set("username", "ann");
      session.subject = "ann";
      session.permanent = true;
    });
    const before = claimsOf(jar.cookie ?? "")["sid"];
    await app.visit(jar, (session) => {
      expect(session.id).toBe(String(before));
      session.pop("username");
      session.flash("Goodbye");
    });
    const claims = claimsOf(jar.cookie ?? "");
    expect(claims["sid"]).not.toBe(before);
    expect(Object.keys(claims)).toEqual(["aud", "sid", "iat", "exp", "ver", "flashes", "data"]);
  });

  test("beside a login is none: the subject is worth keeping", async () => {
    const app = createApp();
    const jar = await browser(app, { cart: ["tea"] });
    await app.visit(jar, (session) => {
      session.clear();
      session.subject = "ann";
    });
    expect((await app.sessions.open(requestWith(jar.cookie))).subject).toBe("ann");
  });

  test("by destroy lets flashes of an earlier request go on", async () => {
    const app = createApp();
    const jar = new Jar();
    await app.visit(jar, (session) => [session.set("a", 1), session.flash("Unseen")]);
    await app.visit(jar, (session) => session.destroy());
    const session = await app.sessions.open(requestWith(jar.cookie));
    expect(session.flashes).toEqual([{ category: "message", message: "Unseen" }]);
    expect(session.size).toBe(0);
  });
});

describe("a conflict in the store", () => {
  test.each<[string, (session: Session) => unknown]>([
    ["destroy", (session) => session.destroy()],
    ["regenerate", (session) => session.regenerate()],
    ["popping the last key", (session) => session.pop("username")],
  ])("does not keep %s from ending the old id", async (_, act) => {
    const state = reluctant();
    const app = createApp({ store: state.store });
    const jar = await browser(app, { username: "ann" });
    const copy = jar.cookie;
    state.refusals = 3;
    await app.visit(jar, act);
    expect(state.refusals).toBeLessThan(0);
    expect(await app.look(copy)).toEqual({});
  });

  test("of a refresh is not tried again, and sends no cookie", async () => {
    const state = reluctant();
    const app = createApp({ store: state.store });
    const jar = await browser(app, { username: "ann" });
    app.advance(5 * DAY);
    state.refusals = 1;
    const response = await app.visit(jar);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(state.replaced).toBe(1);
    expect((await app.visit(jar)).headers.getSetCookie()).toHaveLength(1);
  });

  test("tells of each thing once", async () => {
    const state = reluctant();
    const app = createApp({ store: state.store });
    const jar = await browser(app, { cart: ["tea"], theme: "dark" });
    const [one, two] = [
      await app.sessions.open(requestWith(jar.cookie)),
      await app.sessions.open(requestWith(jar.cookie)),
    ];
    one.pop("cart");
    await app.sessions.commit(one, new Response());
    Reflect.apply(Array.prototype.push, two.get("cart"), ["milk"]);
    state.refusals = 3;
    await app.sessions.commit(two, new Response());
    expect(app.events).toEqual([{ type: "dropped", id: two.id }]);
  });
});

test("of two that raced, either answer shows both changes a day later", async () => {
  const app = createApp();
  const jar = await browser(app, { count: 0 });
  const answers = await overlap(
    app,
    jar.cookie,
    (session) => session.set("a", 1),
    (session) => session.set("b", 2),
  );
  app.advance(DAY);
  for (const answer of answers) {
    expect(await app.look(cookieOf(answer))).toEqual({ count: 0, a: 1, b: 2 });
  }
});

test("A5 a cookie of exactly 4,096 bytes is sent, one of 4,097 is not", async () => {
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(6000))).toString("base64");
  const [sent, refused] = [new Set<number>(), new Set<number>()];
  for (const name of ["a", "ab", "abc", "abcd"]) {
    const { sessions } = createApp({ cookie: { name } });
    for (let length = 2800; length < 2900; length++) {
      const session = await sessions.open(requestWith());
      session.set("random", random.slice(0, length));
      const error = await errorOf(async () => {
        const cookie = cookieOf(await sessions.commit(session, new Response())) ?? "";
        sent.add(cookie.length - 1);
      });
      if (error === undefined) continue;
      expect(error).toBeInstanceOf(SessionTooLargeError);
      if (error instanceof SessionTooLargeError) refused.add(error.bytes);
      break;
    }
  }
  expect(Math.max(...sent)).toBe(4096);
  expect(Math.min(...refused)).toBe(4097);
});

test("D9 endAll holds as long as any copy could open", async () => {
  const app = createApp();
  const jar = new Jar();
  await app.visit(jar, (session) => void (session.subject = "ann"));
  await app.sessions.endAll("ann");
  app.advance(7 * DAY - 1);
  expect((await app.sessions.open(requestWith(jar.cookie))).subject).toBeUndefined();
  expect(app.events.map(({ type }) => type)).toEqual(["ended"]);
});

test("a logout holds for a copy from before a shorter idleTimeout", async () => {
  const { now, advance } = createClock();
  const store = memoryStore({ now });
  const jar = await browser(createApp({ store, now }), { username: "ann" });
  const { cookie } = jar;
  const app = createApp({ store, now, idleTimeout: 30 * MINUTE });
  advance(MINUTE);
  await app.visit(jar, (session) => session.set("theme", "dark"));
  await app.visit(jar, end);
  advance(33 * MINUTE);
  expect(await app.look(cookie)).toEqual({});
});

test("who reads stays signed in when idleTimeout is made shorter", async () => {
  const { now, advance } = createClock();
  const jar = await browser(createApp({ now }), { username: "ann" });
  const app = createApp({ now, idleTimeout: 30 * MINUTE });
  for (let minutes = 0; minutes < 120; minutes += 10) {
    advance(10 * MINUTE);
    await app.visit(jar);
    const { expiresAt } = await app.sessions.open(requestWith(jar.cookie));
    expect(expiresAt.getTime() - now()).toBeLessThanOrEqual(30 * MINUTE * 1000);
  }
  expect(await app.look(jar.cookie)).toEqual({ username: "ann" });
});

test("a copy that grew over the limit with its record can still be read", async () => {
  const app = createApp();
  const jar = new Jar();
  await app.visit(jar, (session) => session.set("one", randomText()));
  const copy = jar.cookie;
  app.advance(61);
  await app.visit(jar, (session) => session.set("one", 1));
  app.advance(61);
  await app.visit(jar, (session) => session.set("two", randomText()));
  const answer = await app.visit(Object.assign(new Jar(), { cookie: copy }));
  expect(answer.status).toBe(200);
});

test("adopt is asked beside what is no token, and not beside a token that is not good", async () => {
  const app = createApp({ adopt: () => ({ username: "ann" }) });
  expect(await app.look(`${NAME}=the-old-session`)).toEqual({ username: "ann" });
  const jar = await browser(createApp({ secretKey: OTHER_SECRET }), { username: "eve" });
  expect(await app.look(jar.cookie)).toEqual({});
});
