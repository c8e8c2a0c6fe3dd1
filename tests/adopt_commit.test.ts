import { describe, expect, test } from "bun:test";
import { flaskCookie } from "../session/flask.ts";
import {
  type Adoptable,
  type CookieOptions,
  memoryStore,
  type Session,
  type Store,
} from "../session/mod.ts";
import { type Client, createClient } from "../session/testing/mod.ts";
import cookies from "./fixtures/flask/cookies.json" with { type: "json" };
import { type App, createApp } from "./support/app.ts";
import { Browser } from "./support/browser.ts";
import { createClock, DAY } from "./support/clock.ts";
import { errorOf, untyped } from "./support/errors.ts";
import { type Fault, faulty } from "./support/faulty_store.ts";
import { FLASK_KEY, flaskHeir, flaskUser, MADE } from "./support/flask.ts";
import { requestWith } from "./support/requests.ts";

const admin = { username: "admin" };

/** A browser at a subdomain, with the cookie as the Flask app had set it there. */
function clientWith(app: App, act: (session: Session) => unknown, line: string): Client {
  const page = app.sessions.handler((_request, session) => {
    act(session);
    return Response.json(session.toJSON());
  });
  const client = createClient(page, { origin: "https://www.example.com", now: app.now });
  client.setCookie(line, "/app/");
  return client;
}

describe("the first request", () => {
  test.each<[string, CookieOptions, CookieOptions]>([
    ["another name", { name: "session" }, {}],
    ["the same name", { name: "session" }, { name: "session" }],
    ["the same name and a path", { name: "session", path: "/app" }, { name: "session" }],
    ["another name and a path", { name: "session", path: "/app" }, {}],
    ["a path with a slash", { name: "session", path: "/app/" }, { path: "/app" }],
    ["a domain", { name: "session", domain: "example.com" }, {}],
    [
      "the same name and a domain",
      { name: "session", domain: ".example.com" },
      { name: "session" },
    ],
    ["a domain and a path", { name: "sid", domain: "example.com", path: "/app" }, { name: "sid" }],
    [
      "all the same",
      { name: "sid", domain: "example.com", path: "/app" },
      { name: "sid", domain: "example.com", path: "/app" },
    ],
    ["a prefix", { name: "__Host-flask" }, {}],
  ])(
    "that logs out deletes a Flask cookie with %s, and the next page is a visitor's",
    async (_, flask, cookie) => {
      const { name = "", path, domain } = flask;
      const clock = createClock(MADE);
      const adopt = flaskCookie({
        secretKey: FLASK_KEY,
        now: clock.now,
        name,
        path,
        domain,
        subject: () => "admin",
      });
      const app = flaskHeir({ clock, adopt, cookie });
      const attributes = [`Path=${path ?? "/"}`, domain === undefined ? "" : `Domain=${domain}`];
      const line = `${name}=${cookies.simple}; Secure; HttpOnly; ${attributes.join("; ")}`;
      const seen: unknown[] = [];
      const client = clientWith(
        app,
        (session) => (seen.push(session.subject), session.destroy()),
        line,
      );
      expect(client.cookies()).toHaveLength(1);
      expect((await client.get("/app/")).status).toBe(200);
      expect(client.cookies()).toEqual([]);
      await client.get("/app/");
      expect(seen).toEqual(["admin", undefined]);
    },
  );

  test.each<[string, CookieOptions]>([
    ["the same name", { name: "session" }],
    ["the same name and another path", { name: "session", path: "/app" }],
    ["another name", {}],
  ])("of any other kind deletes it as well, and leaves ours alone: %s", async (_, cookie) => {
    const app = flaskHeir({ cookie });
    const client = clientWith(app, () => {}, `session=${cookies.simple}; Path=/`);
    await client.get("/app/");
    const names = client.cookies().map(({ name }) => name);
    expect(names).toEqual([cookie.name ?? "__Host-Http-session"]);
    expect(await (await client.get("/app/")).json()).toEqual(admin);
  });
});

describe("endAll()", () => {
  test("ends what was adopted, and what still could be, here and elsewhere", async () => {
    const store = memoryStore({ now: () => MADE });
    const clock = createClock(MADE);
    const [app, other] = [flaskHeir({ clock, store }), flaskHeir({ clock, store })];
    const browser = flaskUser();
    await app.visit(browser);
    await other.sessions.endAll("admin");
    expect(await app.look(browser.cookie)).toEqual({});
    app.events.length = 0;
    for (const value of [cookies.simple, cookies.permanent, cookies.flashes]) {
      expect(await app.look(flaskUser(value).cookie)).toEqual({});
    }
    const event = { type: "not-adopted", reason: "ended" } as const;
    expect(app.events).toEqual([event, event, event]);
    expect(Object.keys(await app.look(flaskUser(cookies.nested).cookie))).toEqual(["cart"]);
  });

  test("of another subject ends neither", async () => {
    const app = flaskHeir();
    const browser = flaskUser();
    await app.visit(browser);
    await app.sessions.endAll("bob");
    expect(await app.look(browser.cookie)).toEqual(admin);
    expect(await app.look(flaskUser(cookies.permanent).cookie)).toEqual(admin);
  });

  test("while the first request runs leaves it nothing to adopt", async () => {
    for (const act of [() => {}, keep, renew]) {
      const app = flaskHeir();
      const session = await app.sessions.open(requestWith(flaskUser().cookie));
      await app.sessions.endAll("admin");
      act(session);
      const { headers } = await app.sessions.commit(session, new Response());
      expect(headers.getSetCookie()).toEqual([]);
    }
  });
});

function keep(session: Session): void {
  session.set("kept", 1);
}

function renew(session: Session): void {
  session.regenerate();
}

test("endOthers() in the first request keeps this session, and no other Flask cookie counts", async () => {
  const app = flaskHeir();
  const browser = flaskUser();
  await app.visit(browser, (session) => app.sessions.endOthers(session));
  expect(await app.look(browser.cookie)).toEqual(admin);
  expect(await app.look(flaskUser(cookies.permanent).cookie)).toEqual({});
});

const LARGE = ["large_3000", "large_3500", "large_4000", "large_4100"] as const;

describe("a session that does not fit", () => {
  test.each(LARGE)("into the cookie is shown by each request without one: %s", async (name) => {
    const app = flaskHeir();
    const blind = app.sessions.handler(() => new Response("text"));
    const browser = flaskUser(cookies[name]);
    for (let count = 0; count < 2; count++) {
      const response = await app.visit(browser, (session) => {
        expect([session.subject, session.has("note")]).toEqual(["admin", true]);
      });
      expect([response.status, response.headers.getSetCookie()]).toEqual([200, []]);
      const other = await blind(requestWith(browser.cookie));
      expect([await other.text(), other.headers.getSetCookie()]).toEqual(["text", []]);
      app.advance(60);
    }
    const types = app.events.map(({ type }) => type);
    expect(types).toEqual(["too-large", "too-large", "too-large", "too-large"]);
  });

  test.each(LARGE)(
    "is an error where the handler changes it, unless it ends it: %s",
    async (name) => {
      const app = flaskHeir();
      const browser = flaskUser(cookies[name]);
      const error = await errorOf(() => app.visit(browser, keep));
      expect(error).toMatchObject({ code: "ERR_SESSION_TOO_LARGE" });
      await app.visit(browser, (session) => session.destroy());
      expect(browser.cookie).toBe("");
      expect(await app.look(flaskUser(cookies[name]).cookie)).toEqual({});
    },
  );

  test.each(LARGE)("is adopted where the data is in the store: %s", async (name) => {
    const app = flaskHeir({ dataIn: "store" });
    const browser = flaskUser(cookies[name]);
    await app.visit(browser);
    expect(Object.keys(await app.look(browser.cookie))).toEqual(["note", "username"]);
  });

  test.each(["large_2000", "levels_256"] as const)("is not %s", async (name) => {
    const app = flaskHeir();
    const browser = flaskUser(cookies[name]);
    expect((await app.visit(browser)).headers.getSetCookie()).toHaveLength(2);
    expect((await app.sessions.open(requestWith(browser.cookie))).size).toBeGreaterThan(0);
  });

  test.each(["levels_300", "deep", "bomb", "too_large"] as const)(
    "into any session is a visitor's: %s",
    async (name) => {
      const app = flaskHeir();
      const browser = flaskUser(cookies[name]);
      const blind = app.sessions.handler(() => new Response("text"));
      expect((await blind(requestWith(browser.cookie))).headers.getSetCookie()).toEqual([]);
      const isRead = name === "levels_300";
      expect(app.events).toMatchObject(isRead ? [{ type: "not-adopted" }] : []);
      const response = await app.visit(browser, keep);
      expect(await response.json()).toEqual({ kept: 1 });
      expect(response.headers.getSetCookie()).toHaveLength(1);
    },
  );

  test.each<[string, Partial<Adoptable>]>([
    ["no data", { data: untyped(null) }],
    ["a map as its data", { data: untyped(new Map([["username", "ann"]])) }],
    ["a list as its data", { data: untyped(["ann"]) }],
    ["a promise as its data", { data: untyped(Promise.resolve({})) }],
    ["data that throws", { data: throwing() }],
    ["an empty credential", { credential: "" }],
    ["another type of credential", { credential: untyped(5n) }],
    ["another type of permanent", { permanent: untyped("yes") }],
    ["a function", { data: { act: () => {} } }],
    ["an empty subject", { subject: "" }],
    ["half of a surrogate pair as its subject", { subject: "\ud800" }],
    ["another type of subject", { subject: untyped(5) }],
    ["a cookie to forget that cannot exist", { forget: { name: "a b" } }],
  ])("for %s is a visitor's, with an event", async (_, wrong) => {
    const app = createApp({ adopt: () => ({ data: {}, ...wrong }) });
    expect((await app.visit(new Browser())).headers.getSetCookie()).toEqual([]);
    const [event, ...others] = app.events;
    expect(event?.type === "not-adopted" && event.reason).toStartWith("Cannot ");
    expect(others).toEqual([]);
  });
});

/** An object that can't be read. */
function throwing(): Record<string, unknown> {
  return Object.defineProperty({}, "username", {
    enumerable: true,
    get: () => {
      throw new Error("Broken");
    },
  });
}

test.each([[null], [0], ["ann"]])(
  "what is no session at all is a visitor's: %p",
  async (result) => {
    const app = createApp({ adopt: () => untyped(result) });
    expect((await app.visit(new Browser())).status).toBe(200);
    expect(app.events).toMatchObject([{ type: "not-adopted" }]);
  },
);

describe("without a store", () => {
  test("a copy is adopted each time, and createSessions says so, once", async () => {
    const app = flaskHeir({ store: null });
    expect(app.events).toEqual([{ type: "adopts-copies" }]);
    for (let count = 0; count < 2; count++) {
      const browser = flaskUser();
      expect(await (await app.visit(browser)).json()).toEqual(admin);
      expect(await app.look(browser.cookie)).toEqual(admin);
      app.advance(DAY);
    }
    expect(app.events).toHaveLength(1);
  });

  test("createSessions says nothing where nothing is adopted, or with a store", () => {
    expect(createApp({ store: null }).events).toEqual([]);
    expect(flaskHeir().events).toEqual([]);
  });
});

test("a session without a credential is adopted each time, and its cookie is deleted all the same", async () => {
  const app = createApp({ adopt: () => ({ data: admin, forget: { name: "old" } }) });
  for (let count = 0; count < 2; count++) {
    const response = await app.visit(new Browser());
    expect(response.headers.getSetCookie()[1]).toStartWith("old=; Max-Age=0; ");
    app.advance(DAY);
  }
});

describe("a store that fails", () => {
  test.each<[string, Partial<Store>]>([
    ["when it is asked", { get: fail }],
    ["when it is written to", { replace: fail }],
    ["and gives another session's text", { get: (keys) => keys.map(() => OTHER) }],
    ["and gives no text of ours", { get: (keys) => keys.map((key) => `${key} soon`) }],
    ["and gives no text", { get: (keys) => keys.map(() => untyped(5)) }],
  ])("%s is a 503 for a request with a foreign cookie, whatever it does", async (_, wrong) => {
    const store = { ...memoryStore({ now: () => MADE }), ...wrong };
    const app = flaskHeir({ store });
    const blind = app.sessions.handler(() => new Response("text"));
    for (const response of [
      await blind(requestWith(flaskUser().cookie)),
      await app.visit(flaskUser(), (session) => session.get("username")),
      await app.visit(flaskUser(), keep),
      await app.visit(flaskUser(), (session) => session.destroy()),
    ]) {
      expect([response.status, response.headers.getSetCookie()]).toEqual([503, []]);
      expect(await response.text()).not.toContain("admin");
    }
    expect((await app.visit(new Browser())).status).toBe(200);
  });
});

const OTHER = `adopted:${"x".repeat(43)} ${MADE}`;

function fail(): never {
  throw new Error("Connection refused");
}

describe("a write that goes wrong", () => {
  test.each<[Fault, number]>([
    ["no", 200],
    ["mistaken", 200],
    ["down", 503],
    ["lost", 503],
  ])("%s: %i, and the next request has the session", async (fault, status) => {
    for (const dataIn of ["cookie", "store"] as const) {
      for (const at of dataIn === "cookie" ? [0] : [0, 1]) {
        const store = faulty();
        const app = flaskHeir({ store, storeTimeout: 10_000, dataIn });
        store.faults = [...Array<Fault>(at).fill("ok"), fault];
        const browser = flaskUser();
        const response = await app.visit(browser);
        expect([at, response.status]).toEqual([at, status]);
        expect(response.headers.getSetCookie()).toHaveLength(status === 200 ? 2 : 0);
        expect(await (await app.visit(browser)).json()).toEqual(admin);
      }
    }
  });

  test("lost: the same session commits again however late, and 60 s after that no other does", async () => {
    for (const act of [() => {}, keep, renew]) {
      const store = faulty();
      const app = flaskHeir({ store });
      const session = await app.sessions.open(requestWith(flaskUser().cookie));
      act(session);
      store.faults = ["lost"];
      const error = await errorOf(() => app.sessions.commit(session, new Response()));
      expect(error).toMatchObject({ code: "ERR_SESSION_STORE" });
      app.advance(60);
      const browser = flaskUser();
      browser.take(await app.sessions.commit(session, new Response()));
      expect(await app.look(browser.cookie)).toMatchObject(admin);
      app.advance(60);
      expect(await app.look(flaskUser().cookie)).toEqual({});
    }
  });

  test("lost: endOthers() commits again, though its own generation is there", async () => {
    const store = faulty();
    const app = flaskHeir({ store });
    const session = await app.sessions.open(requestWith(flaskUser().cookie));
    app.sessions.endOthers(session);
    store.faults = ["ok", "lost"];
    expect(await errorOf(() => app.sessions.commit(session, new Response()))).toBeInstanceOf(Error);
    const browser = flaskUser();
    browser.take(await app.sessions.commit(session, new Response()));
    expect(await app.look(browser.cookie)).toEqual(admin);
  });
});

describe("two requests of one page", () => {
  test("that commit at the same time each adopt a session", async () => {
    const app = flaskHeir();
    const opened = [1, 2].map(async () => app.sessions.open(requestWith(flaskUser().cookie)));
    const sessions = await Promise.all(opened);
    const commits = sessions.map(async (session) => app.sessions.commit(session, new Response()));
    const browsers = (await Promise.all(commits)).map((response) => {
      const browser = flaskUser();
      browser.take(response);
      return browser;
    });
    for (const { cookie } of browsers) expect(await app.look(cookie)).toEqual(admin);
    expect(new Set(browsers.map(({ cookie }) => cookie)).size).toBe(2);
  });

  test.each<[string, (session: Session) => unknown]>([
    ["reads", () => {}],
    ["writes", keep],
    ["renews its id", renew],
  ])("of which one logs out while the other one %s: nobody is signed in", async (_, act) => {
    const app = flaskHeir({ cookie: { name: "session" } });
    const session = await app.sessions.open(requestWith(flaskUser().cookie));
    const browser = flaskUser();
    await app.visit(browser, (session) => session.destroy());
    act(session);
    browser.take(await app.sessions.commit(session, new Response()));
    expect([browser.cookie, await app.look(flaskUser().cookie)]).toEqual(["", {}]);
  });

  test("of which one logs out while the other one logs in: the login stands", async () => {
    const app = flaskHeir();
    const session = await app.sessions.open(requestWith(flaskUser().cookie));
    const browser = flaskUser();
    await app.visit(browser, (session) => session.destroy());
    session.signIn("admin");
    browser.take(await app.sessions.commit(session, new Response()));
    const { subject, size } = await app.sessions.open(requestWith(browser.cookie));
    expect([subject, size]).toEqual(["admin", 0]);
  });
});

test("reading the store does not help to adopt: it knows the credential by its hash", async () => {
  const store = faulty();
  const app = flaskHeir({ store });
  await app.visit(flaskUser());
  expect(store.written).toHaveLength(1);
  expect(store.written[0]).toMatch(/^adopted:[\w-]{43}$/);
});
