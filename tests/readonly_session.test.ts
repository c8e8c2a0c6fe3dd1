import { describe, expect, test } from "bun:test";
import { ReadonlySession } from "../session/readonly_session.ts";
import { Session } from "../session/session.ts";
import { createApp } from "./support/app.ts";
import { DAY } from "./support/clock.ts";
import { errorOf } from "./support/errors.ts";
import { start } from "./support/faulty_store.ts";
import { flaskHeir, flaskUser } from "./support/flask.ts";
import { requestWith } from "./support/requests.ts";

/** What changes a session, or would commit it. */
const CHANGES = [
  ..."set delete pop setDefault update clear flash takeFlashes".split(" "),
  ..."signIn confirm regenerate destroy isModified".split(" "),
];

describe("read()", () => {
  test("gives what open() does, and no way to change it", async () => {
    const { app, browser } = await start();
    const request = requestWith(browser.cookie);
    const [session, opened] = [await app.sessions.read(request), await app.sessions.open(request)];
    expect(session).toBeInstanceOf(ReadonlySession);
    expect(session).not.toBeInstanceOf(Session);
    const members = ["id", "ref", "isNew", "expiresAt", "endsAt", "permanent", "subject"] as const;
    for (const name of [...members, "authenticatedAt", "size", "flashes"] as const) {
      expect(session[name]).toEqual(opened[name]);
    }
    expect(session.toJSON()).toEqual(opened.toJSON());
    expect([session.get("count"), session.get("other", 5), session.has("cart")]).toEqual([
      0,
      5,
      true,
    ]);
    expect([[...session.keys()], [...session]]).toEqual([[...opened.keys()], [...opened]]);
    for (const name of CHANGES) expect(name in session).toBe(false);
    expect(() => Object.assign(session, { permanent: true })).toThrow(TypeError);
    expect(() => Object.assign(session, { username: "root" })).toThrow(TypeError);
    // @ts-expect-error It can't be changed, nor committed.
    const error = await errorOf(() => app.sessions.commit(session, new Response()));
    expect(error).toBeInstanceOf(TypeError);
  });

  test("shows the cookie and the store, without this request's changes, and is asked anew", async () => {
    const { app, browser } = await start();
    const request = requestWith(browser.cookie);
    const opened = await app.sessions.open(request);
    opened.set("count", 1);
    opened.destroy();
    expect((await app.sessions.read(request)).get("count")).toBe(0);
    await app.visit(browser.copy(), (session) => session.set("count", 2));
    expect((await app.sessions.read(request)).get("count")).toBe(2);
    await app.visit(browser.copy(), (session) => session.destroy());
    expect((await app.sessions.read(request)).isNew).toBe(true);
  });

  test("keeps what is changed inside of a value to itself", async () => {
    const { app, browser } = await start();
    const session = await app.sessions.read(requestWith(browser.cookie));
    Reflect.apply(Array.prototype.push, session.get("cart"), ["milk"]);
    expect((await app.sessions.read(requestWith(browser.cookie))).get("cart")).toEqual(["tea"]);
  });

  test("says whether the browser should come by somewhere that commits", async () => {
    const { app, browser } = await start();
    const isDue = async (): Promise<boolean> =>
      (await app.sessions.read(requestWith(browser.cookie))).refreshDue;
    expect(await isDue()).toBe(false);
    app.advance(3.6 * DAY);
    expect(await isDue()).toBe(true);
    await app.visit(browser);
    expect(await isDue()).toBe(false);
    const copy = browser.copy();
    await app.visit(copy, (session) => session.set("count", 1));
    expect(await isDue()).toBe(true);
    expect((await app.sessions.read(requestWith())).refreshDue).toBe(false);
  });

  test("writes nothing to the store, and no session of another system is taken by it", async () => {
    const { app, store, browser } = await start({ dataIn: "store" });
    app.advance(5 * DAY);
    await app.sessions.read(requestWith(browser.cookie));
    expect(store.written).toEqual([]);
    const heir = flaskHeir();
    for (let count = 0; count < 2; count++) {
      const session = await heir.sessions.read(requestWith(flaskUser().cookie));
      expect([session.subject, session.isNew, session.refreshDue]).toEqual(["admin", true, true]);
      heir.advance(DAY);
    }
  });

  test("rejects where the store fails, with an event", async () => {
    const store = { get: () => Promise.reject(new Error("down")), replace: () => true };
    const { cookie } = (await start()).browser;
    const app = createApp({ store });
    const error = await errorOf(() => app.sessions.read(requestWith(cookie)));
    expect(error).toMatchObject({ code: "ERR_SESSION_STORE" });
    expect(app.events).toMatchObject([{ type: "unavailable", error }]);
  });
});
