import { describe, expect, test } from "bun:test";
import type { SessionEvent } from "../../session/mod.ts";
import { type App, createApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { untyped } from "../support/errors.ts";
import { forge, signText } from "../support/jws.ts";
import { cookieOf, requestWith, show } from "../support/requests.ts";
import { OTHER_SECRET, SECRET } from "../support/secrets.ts";
import { AUDIENCE as NAME, CLAIMS, HEADER, ID } from "../support/tokens.ts";

const text = forge({ header: HEADER, payload: CLAIMS });

/** A token with these members in its header and these claims, signed with our key. */
function signed(header: object, claims: object): string {
  const changed = { header: { ...HEADER, ...header }, payload: { ...CLAIMS, ...claims } };
  return signText(forge(changed), SECRET);
}

describe("a cookie of no use is ignored and left alone", () => {
  test.each<[string, string]>([
    ["malformed", ""],
    ["malformed", "alice"],
    ["malformed", `"${signText(text, SECRET)}"`],
    ["forged", signText(text, OTHER_SECRET)],
    ["unknown-key", signed({ kid: "AAAAAAAA" }, {})],
    ["wrong-purpose", signed({}, { aud: "x" })],
    ["expired", signed({}, { exp: 1 })],
    ["expired", signed({}, { max: 1 })],
    ["early", signed({}, { iat: 1e10 })],
  ])("C13 %s: %p", async (reason, token) => {
    const { sessions, events } = createApp();
    const page = sessions.handler(show);
    const response = await page(requestWith(`${NAME}=${token}`));
    const visitor = await page(requestWith());
    expect(await response.text()).toBe(await visitor.text());
    expect([...response.headers]).toEqual([...visitor.headers]);
    expect(response.status).toBe(200);
    expect(events).toEqual(untyped([{ type: "rejected", reason }]));
    const end = sessions.handler((request, session) => {
      session.destroy();
      return show(request, session);
    });
    const ended = await end(requestWith(`${NAME}=${token}`));
    expect(ended.headers.getSetCookie()).toEqual([]);
  });

  test("D3 a write beside it begins a session with an id of its own", async () => {
    const { visit, look, sessions } = createApp();
    const browser = new Browser();
    browser.cookie = `${NAME}=${signText(text, OTHER_SECRET)}`;
    await visit(browser, (session) => session.set("count", 1));
    expect(await look(browser.cookie)).toEqual({ count: 1 });
    expect((await sessions.open(requestWith(browser.cookie))).id).not.toBe(ID);
  });

  test("B9 a token that comes in another way is nothing", async () => {
    const { visit, sessions } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.set("username", "ann"));
    const [, token = ""] = browser.cookie.split("=");
    const request = new Request(`http://localhost/?${NAME}=${token}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, [NAME]: token, "x-session": token },
      body: new URLSearchParams({ [NAME]: token }),
    });
    expect((await sessions.open(request)).isNew).toBe(true);
  });
});

/** The cookies that a browser may have been given, by what became of them. */
type Cookies = Record<"older" | "newer" | "mallory" | "ended" | "moved", string>;

/** Two cookies of one session, one of another session, and two that ended. */
async function given(): Promise<{ app: App; cookies: Cookies }> {
  const app = createApp();
  const [ann, mallory] = [new Browser(), new Browser()];
  const [ended, moved] = [new Browser(), new Browser()];
  await app.visit(ann, (session) => session.set("count", 1));
  const older = ann.cookie;
  await app.visit(ann, (session) => session.set("count", 2));
  await app.visit(mallory, (session) => session.set("count", 9));
  await app.visit(ended, (session) => session.set("count", 5));
  await app.visit(moved, (session) => session.set("count", 6));
  await app.visit(ended.copy(), (session) => session.destroy());
  await app.visit(moved.copy(), (session) => session.regenerate());
  app.events.length = 0;
  const others = { mallory: mallory.cookie, ended: ended.cookie, moved: moved.cookie };
  return { app, cookies: { older, newer: ann.cookie, ...others } };
}

describe("B2 several cookies of our name", () => {
  const junk = `${NAME}=x`;

  test.each<[string, string[], unknown, SessionEvent["type"][]]>([
    ["one that is no token, and ours", [junk, "newer"], 2, []],
    ["ours, and one that is no token", ["newer", `${NAME}=a.b.c`], 2, []],
    ["the older and the newer one", ["older", "newer"], 2, []],
    ["the newer and the older one", ["newer", "older"], 2, []],
    ["the same one twice", ["newer", "newer"], 2, []],
    ["two sessions", ["newer", "mallory"], undefined, ["ambiguous"]],
    ["two sessions, the other first", ["mallory", "newer"], undefined, ["ambiguous"]],
    ["two sessions and an old one", ["older", "mallory", "newer"], undefined, ["ambiguous"]],
    ["two that are no tokens", [junk, `${NAME}=y`], undefined, ["rejected"]],
    ["one that ended, and ours", ["ended", "newer"], 2, []],
    ["ours, and one that ended", ["newer", "ended"], 2, []],
    ["ours, one that ended and one that moved", ["moved", "newer", "ended"], 2, []],
    ["two sessions and one that ended", ["ended", "newer", "mallory"], undefined, ["ambiguous"]],
    ["one that ended, and one that is no token", [junk, "ended"], undefined, ["ended"]],
    ["one that moved, and one that is no token", ["moved", junk], undefined, ["superseded"]],
    ["one that ended, twice", ["ended", "ended"], undefined, ["ended"]],
    ["four with ours among them", [junk, junk, junk, "newer"], 2, []],
    ["five with ours among them", [junk, junk, junk, junk, "newer"], undefined, ["ambiguous"]],
    ["five times ours", Array(5).fill("newer"), undefined, ["ambiguous"]],
  ])("%s", async (_, picked, count, types) => {
    const { app, cookies } = await given();
    const values = new Map(Object.entries(cookies));
    const header = picked.map((one) => values.get(one) ?? one).join("; ");
    const session = await app.sessions.open(requestWith(header));
    expect(session.get("count")).toEqual(count);
    expect(app.events.map(({ type }) => type)).toEqual(types);
    const response = await app.sessions.commit(session, new Response());
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test("of one session give its newest state, which may be the store's", async () => {
    const { app, cookies } = await given();
    const browser = new Browser();
    browser.cookie = cookies.newer;
    await app.visit(browser, (session) => session.set("count", 3));
    const header = `${cookies.older}; ${cookies.newer}`;
    const session = await app.sessions.open(requestWith(header));
    expect(session.get("count")).toBe(3);
    // The browser is told.
    const response = await app.sessions.commit(session, new Response());
    expect(await app.look(cookieOf(response))).toEqual({ count: 3 });
  });

  test("of which none was taken are left alone, and a write begins a session", async () => {
    const { app, cookies } = await given();
    const header = `${cookies.newer}; ${cookies.mallory}`;
    const session = await app.sessions.open(requestWith(header));
    session.set("count", 7);
    const response = await app.sessions.commit(session, new Response());
    expect(await app.look(cookieOf(response))).toEqual({ count: 7 });
    expect(await app.look(cookies.newer)).toEqual({ count: 2 });
    expect(await app.look(cookies.mallory)).toEqual({ count: 9 });
  });

  test("B5 in two header fields are two", async () => {
    const { app, cookies } = await given();
    using server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: app.sessions.handler(show) });
    const { promise, resolve } = Promise.withResolvers<string>();
    let received = "";
    const lines = ["GET / HTTP/1.1", "Host: a", "Connection: close"];
    const fields = [`Cookie: ${NAME}=x`, `Cookie: ${cookies.newer}`];
    await Bun.connect({
      hostname: "127.0.0.1",
      port: server.port ?? 0,
      socket: {
        open: (socket) => void socket.write([...lines, ...fields, "", ""].join("\r\n")),
        data: (_, data) => void (received += data.toString()),
        close: () => resolve(received),
      },
    });
    expect(await promise).toEndWith(`{"count":2}`);
  });
});
