import { describe, expect, test } from "bun:test";
import { SessionTooLargeError } from "../session/errors.ts";
import type { Session } from "../session/mod.ts";
import { type App, Browser, createApp } from "./support/app.ts";
import { errorOf } from "./support/errors.ts";
import { opened, start } from "./support/faulty_store.ts";
import { cookieOf, requestWith } from "./support/requests.ts";

/** What deflating makes no shorter. */
function random(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Buffer.from(bytes).toString("base64").slice(0, length);
}

describe("the size of a cookie", () => {
  test("is 4,096 bytes at most, name and value together", async () => {
    const [sent, refused] = [new Set<number>(), new Set<number>()];
    const value = random(3000);
    for (const name of ["a", "ab", "abc", "abcd"]) {
      const { sessions } = createApp({ cookie: { name } });
      for (let length = 2750; length < 2850; length++) {
        const session = await sessions.open(requestWith());
        session.set("random", value.slice(0, length));
        const error = await errorOf(async () => {
          const cookie = cookieOf(await sessions.commit(session, new Response())) ?? "";
          sent.add(cookie.length - "=".length);
        });
        if (error instanceof SessionTooLargeError) refused.add(error.bytes);
      }
    }
    expect([Math.max(...sent), Math.min(...refused)]).toEqual([4096, 4097]);
  });

  test("over it is an error with the bytes of each key, the largest first, and nothing written", async () => {
    const { app, store, browser } = await start();
    const session = await opened(app, browser);
    session.set("ä", random(5000));
    const error = await errorOf(() => app.sessions.commit(session, new Response()));
    expect(error).toBeInstanceOf(SessionTooLargeError);
    expect(error).toMatchObject({
      code: "ERR_SESSION_TOO_LARGE",
      limit: 4096,
      keys: [
        { key: "ä", bytes: 5002 },
        { key: "cart", bytes: 7 },
        { key: "username", bytes: 5 },
        { key: "count", bytes: 1 },
      ],
    });
    expect(String(error)).toContain("Cannot send the session cookie: ");
    expect(String(error)).toContain(`"ä" 5002, "cart" 7, "username" 5`);
    expect(store.written).toEqual([]);
    expect(app.events).toMatchObject([{ type: "too-large", id: session.id }]);
  });

  test("drops the oldest flashes first, with an event, and their record with them", async () => {
    const { app, browser } = await start();
    const flashes = Array.from({ length: 8 }, (_, index) => `${index} ${random(500)}`);
    await app.visit(browser, (session) => {
      for (const message of flashes) session.flash(message);
    });
    expect(app.events.filter(({ type }) => type === "dropped")).toHaveLength(1);
    // The newer cookie and, for the older one, the record.
    for (const copy of browser.copies) {
      const session = await app.sessions.open(requestWith(copy));
      const messages = session.flashes.map(({ message }) => message);
      expect(messages.length).toBeWithin(4, 7);
      expect(messages).toEqual(flashes.slice(-messages.length));
      expect(session.get("count")).toBe(0);
    }
  });

  test("is an error where not even the flash that was just set fits", async () => {
    const app = createApp();
    for (const browser of [new Browser(), (await start()).browser]) {
      const error = await errorOf(() =>
        app.visit(browser, (session) => session.flash("x".repeat(5000))),
      );
      expect(error).toBeInstanceOf(SessionTooLargeError);
    }
    const response = await app.visit(new Browser(), (session) => session.flash("x".repeat(1000)));
    expect(response.headers.getSetCookie()).toHaveLength(1);
  });

  test("goes without the flash that waited where the request's own change needs the room", async () => {
    const { app, browser } = await start();
    await app.visit(browser, (session) => session.flash(random(1500)));
    await app.visit(browser, (session) => session.set("random", random(2300)));
    const session = await app.sessions.open(requestWith(browser.cookie));
    expect([session.has("random"), session.flashes]).toEqual([true, []]);
  });

  test("from 3,072 bytes on is an event, once a session", async () => {
    const { app, browser } = await start();
    await app.visit(browser, (session) => session.set("random", random(2300)));
    await app.visit(browser, (session) => session.set("count", 1));
    expect(app.events.map(({ type }) => type)).toEqual(["near-limit"]);
  });
});

test.each<[string, (session: Session, app: App) => void]>([
  ["a change", () => {}],
  ["signIn()", (session) => session.signIn("ann")],
  ["endOthers()", (session, { sessions }) => sessions.endOthers(session)],
])("a record over 1 MiB is an error of %s, and nothing is written", async (_, act) => {
  const { app, store, browser } = await start({ dataIn: "store" });
  const session = await opened(app, browser);
  act(session, app);
  session.update({ large: "x".repeat(500 * 1024), larger: "x".repeat(600 * 1024) });
  const error = await errorOf(() => app.sessions.commit(session, new Response()));
  expect(error).toBeInstanceOf(SessionTooLargeError);
  expect(error).toMatchObject({
    limit: 1024 * 1024,
    keys: [{ key: "larger" }, { key: "large" }, {}, {}, {}],
  });
  expect(store.written).toEqual([]);
  expect(await app.look(browser.cookie)).toMatchObject({ username: "ann" });
});
