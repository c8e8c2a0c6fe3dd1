import { describe, expect, test } from "bun:test";
import { flaskCookie, readFlaskCookie } from "../session/flask.ts";
import { memoryStore, type Session } from "../session/mod.ts";
import { token, type TokenKind } from "../session/testing/mod.ts";
import cookies from "./fixtures/flask/cookies.json" with { type: "json" };
import { type App, createApp } from "./support/app.ts";
import { Browser } from "./support/browser.ts";
import { createClock, DAY } from "./support/clock.ts";
import { errorOf } from "./support/errors.ts";
import { FLASK_KEY, flaskHeir, flaskUser, MADE } from "./support/flask.ts";
import { requestWith } from "./support/requests.ts";
import { SECRET } from "./support/secrets.ts";

const NAME = "__Host-Http-session";
const admin = { username: "admin" };
const NOT_ADOPTED = { type: "not-adopted", reason: "adopted-before" } as const;

/** The fixtures that may be taken for a token of ours at first sight, with what the good ones hold. */
const uncompressed = await Promise.all(
  Object.entries(cookies)
    .filter(([, value]) => !value.startsWith("."))
    .map(async ([name, value]) => {
      const data = await readFlaskCookie(value, { secretKey: FLASK_KEY, now: () => MADE });
      return { name, value, data };
    }),
);

/** How often `adopt` is asked by a request with this cookie of our name. */
async function timesAsked(...values: readonly string[]): Promise<number> {
  let times = 0;
  const app = createApp({ adopt: () => void times++ });
  await app.look(values.map((value) => `${NAME}=${value}`).join("; "));
  return times;
}

describe("what adopt is asked about", () => {
  test("is among the fixtures", () => {
    const good = uncompressed.filter(({ data }) => data !== undefined);
    expect(good.length).toBeGreaterThanOrEqual(15);
    expect(uncompressed.length - good.length).toBeGreaterThanOrEqual(10);
  });

  test.each(uncompressed)("an uncompressed Flask cookie of our name: $name", async (fixture) => {
    const { value, data } = fixture;
    const app = flaskHeir({ cookie: { name: "session" } });
    const browser = flaskUser(value);
    const response = await app.visit(browser, async (session) => {
      expect(session.toJSON()).toStrictEqual(data ?? {});
      expect(session.isModified).toBe(false);
    });
    expect(response.status).toBe(200);
    const rejected = app.events.filter(({ type }) => type === "rejected");
    expect(rejected).toHaveLength(data === undefined ? 1 : 0);
    expect(app.events).toEqual(rejected);
  });

  test.each([
    ["Flask's", "eyJ1c2VybmFtZSI6ImFkbWluIn0.awidTw.cftUXlaROP_j8ZQF2vqRKDdPrAE"],
    ["a compressed one of Flask's", cookies.compressed],
    ["a JWT without a type", jwt({ alg: "HS256" })],
    ["any other JWT", jwt({ alg: "HS256", typ: "JWT" })],
    ["a JWT of a similar type", jwt({ alg: "HS256", typ: "session+jwt2" })],
    ["no text", ""],
    ["any text", "the-old-session"],
  ])("%s", async (_, value) => {
    expect(await timesAsked(value)).toBe(1);
    expect(await timesAsked(value, "another")).toBe(1);
  });

  test.each<TokenKind>([
    "expired",
    "early",
    "forged",
    "unknown-key",
    "wrong-purpose",
    "malformed",
    "valid",
  ])("nothing beside a token of ours: %s", async (kind) => {
    const clock = createClock();
    const ours = await token({ data: admin }, { secretKey: SECRET, now: clock.now, kind });
    expect(await timesAsked(ours)).toBe(0);
    expect(await timesAsked(cookies.simple, ours)).toBe(0);
  });

  test.each([
    ["its header alone", (text: string) => text.slice(0, text.indexOf("."))],
    ["two parts", (text: string) => text.slice(0, text.lastIndexOf("."))],
    ["four parts", (text: string) => `${text}.a`],
    ["another header of our type", () => jwt({ typ: "session+jwt" })],
    ["a copy that was cut off", (text: string) => text.slice(0, 200)],
  ])("nothing beside what is left of a token of ours: %s", async (_, change) => {
    expect(await timesAsked(change(await token({}, { secretKey: SECRET })))).toBe(0);
  });

  test("nothing by a request that has a good cookie of ours", async () => {
    const app = flaskHeir();
    const browser = flaskUser();
    await app.visit(browser);
    browser.cookie = `${browser.cookie}; session=${cookies.markup}`;
    expect(await (await app.visit(browser)).json()).toEqual(admin);
    expect(browser.cookies.has("session")).toBe(true);
  });
});

function encode(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString("base64url");
}

function jwt(header: object): string {
  return `${encode(header)}.${encode({ sub: "ann" })}.c2lnbmF0dXJl`;
}

describe("an adopted session", () => {
  test("is sent as ours by the first response, which deletes Flask's cookie", async () => {
    const app = flaskHeir();
    const browser = flaskUser();
    const response = await app.visit(browser, (session) => {
      expect([session.subject, session.isNew, session.permanent]).toEqual(["admin", true, false]);
      // Flask knows when that was.
      expect([session.authenticatedAt, session.isFresh(3600)]).toEqual([undefined, false]);
    });
    const lines = response.headers.getSetCookie();
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(
      /^__Host-Http-session=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
    expect(lines[1]).toBe(
      "session=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; Secure; SameSite=Lax",
    );
    expect([...browser.cookies.keys()]).toEqual([NAME]);
    const next = await app.visit(browser, (session) => expect(session.subject).toBe("admin"));
    expect([await next.json(), next.headers.getSetCookie()]).toEqual([admin, []]);
    expect(app.events).toEqual([]);
  });

  test("is permanent as Flask's was, and starts now", async () => {
    const app = flaskHeir({ lifetime: 10 * DAY });
    const response = await app.visit(flaskUser(cookies.permanent), (session) => {
      expect(session.endsAt).toEqual(new Date(app.now() + 10 * DAY * 1000));
    });
    expect(response.headers.getSetCookie()[0]).toContain(`; Max-Age=${7 * DAY};`);
  });

  test("takes the place of a cookie with our name, path and domain without a deletion", async () => {
    const app = flaskHeir({ cookie: { name: "session" } });
    const response = await app.visit(flaskUser());
    const [line = "", ...others] = response.headers.getSetCookie();
    expect([line.startsWith("session=eyJ"), others]).toEqual([true, []]);
  });

  test("is committed by a handler that never looks at it, and by open and commit", async () => {
    const app = flaskHeir();
    const [one, two] = [flaskUser(cookies.simple), flaskUser(cookies.permanent)];
    one.take(await app.sessions.handler(() => new Response())(requestWith(one.cookie)));
    const session = await app.sessions.open(requestWith(two.cookie));
    two.take(await app.sessions.commit(session, new Response()));
    for (const browser of [one, two]) {
      expect([...browser.cookies.keys()]).toEqual([NAME]);
      expect(await app.look(browser.cookie)).toEqual(admin);
    }
  });

  test("keeps its values through what the first handler changes", async () => {
    const app = flaskHeir();
    const browser = flaskUser(cookies.nested);
    await app.visit(browser, (session) => session.set("seen", 1));
    expect(Object.keys(await app.look(browser.cookie))).toEqual(["cart", "seen"]);
    const other = flaskUser();
    await app.visit(other, (session) => session.signIn("bob"));
    expect(await app.look(other.cookie)).toEqual({});
  });

  test("that the first handler gives up leaves nothing in what is set afterwards", async () => {
    const app = flaskHeir();
    const browser = flaskUser(cookies.permanent);
    await app.visit(browser, (session) => {
      session.destroy();
      session.set("kept", 1);
      expect([session.subject, session.authenticatedAt]).toEqual([undefined, undefined]);
    });
    const session = await app.sessions.open(requestWith(browser.cookie));
    expect([session.subject, session.permanent, [...session]]).toEqual([
      undefined,
      false,
      [["kept", 1]],
    ]);
  });

  test("with data in the store is recorded", async () => {
    const app = flaskHeir({ dataIn: "store" });
    const browser = flaskUser();
    await app.visit(browser);
    expect(await app.look(browser.cookie)).toEqual(admin);
  });
});

describe("once means once", () => {
  test.each([
    [0, true],
    [59.999, true],
    [60, false],
    [30 * DAY, false],
  ])("a copy of the cookie %p s later is adopted: %p", async (seconds, isAdopted) => {
    const store = memoryStore({ now: () => MADE });
    const clock = createClock(MADE);
    const [first, second] = [
      flaskHeir({ clock, store }),
      flaskHeir({ clock, store, idleTimeout: DAY }),
    ];
    const browser = flaskUser();
    await first.visit(browser);
    clock.advance(seconds);
    const copy = flaskUser();
    const response = await second.visit(copy);
    expect(await response.json()).toEqual(isAdopted ? admin : {});
    expect(response.headers.getSetCookie()).toHaveLength(isAdopted ? 2 : 0);
    expect(second.events).toEqual(isAdopted ? [] : [NOT_ADOPTED]);
    const ids = [browser, copy].map(
      async ({ cookie }) => (await first.sessions.open(requestWith(cookie))).id,
    );
    expect(new Set(await Promise.all(ids)).size).toBe(2);
  });

  test("also after 400 days, of a system whose sessions live as long", async () => {
    const app = createApp({ adopt: () => ({ data: admin, credential: "the-old-session" }) });
    await app.visit(new Browser());
    app.advance(400 * DAY);
    expect(await app.look(undefined)).toEqual({});
  });

  test("for each application of a shared store, and for each credential", async () => {
    const store = memoryStore({ now: () => MADE });
    const clock = createClock(MADE);
    const apps = ["one", "two"].map((name) => flaskHeir({ clock, store, cookie: { name } }));
    for (const app of apps) {
      expect(await (await app.visit(flaskUser())).json()).toEqual(admin);
      clock.advance(60);
    }
    for (const app of apps) {
      expect(await (await app.visit(flaskUser())).json()).toEqual({});
      expect(await (await app.visit(flaskUser(cookies.flashes))).json()).toEqual(admin);
    }
  });

  test("though the first handler only failed afterwards: nothing was taken then", async () => {
    const app = flaskHeir();
    const page = app.sessions.handler((): Response => {
      throw new Error("Ours");
    });
    expect(await errorOf(() => page(requestWith(flaskUser().cookie)))).toBeInstanceOf(Error);
    app.advance(60);
    expect(await (await app.visit(flaskUser())).json()).toEqual(admin);
  });
});

const END: readonly (readonly [string, (session: Session, app: App) => unknown])[] = [
  ["destroy()", (session) => session.destroy()],
  ["signIn()", (session) => session.signIn("admin")],
  ["another's signIn()", (session) => session.signIn("bob")],
  ["regenerate()", (session) => session.regenerate()],
  ["endOthers()", (session, { sessions }) => sessions.endOthers(session)],
];

describe.each(END)("after %s", (_, end) => {
  test("of the adopted session no copy is adopted, at once and anywhere", async () => {
    const store = memoryStore({ now: () => MADE });
    const clock = createClock(MADE);
    const [app, other] = [flaskHeir({ clock, store }), flaskHeir({ clock, store })];
    const browser = flaskUser();
    await app.visit(browser);
    await app.visit(browser, (session) => end(session, app));
    for (const seconds of [0, 59, 1, DAY]) {
      clock.advance(seconds);
      for (const { visit } of [app, other]) {
        expect(await (await visit(flaskUser())).json()).toEqual({});
      }
    }
  });

  test("by the request that came with Flask's cookie no copy is adopted either", async () => {
    const app = flaskHeir();
    await app.visit(flaskUser(), (session) => end(session, app));
    expect(await app.look(flaskUser().cookie)).toEqual({});
  });

  test("by a request of the same page, too", async () => {
    const app = flaskHeir();
    const [page, frame] = [flaskUser(), flaskUser()];
    await app.visit(page);
    await app.visit(frame, (session) => end(session, app));
    expect(await app.look(flaskUser().cookie)).toEqual({});
  });
});

test("a visitor's session that loses its last key is not adopted again", async () => {
  const app = flaskHeir({ adopt: flaskCookie({ secretKey: FLASK_KEY, now: () => MADE }) });
  const browser = flaskUser();
  await app.visit(browser);
  await app.visit(browser, (session) => session.pop("username"));
  expect([browser.cookie, await app.look(flaskUser().cookie)]).toEqual(["", {}]);
});
