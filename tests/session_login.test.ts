import { describe, expect, test } from "bun:test";
import { type Session, SessionValueError } from "../session/mod.ts";
import { type App, createApp } from "./support/app.ts";
import { Browser } from "./support/browser.ts";
import { DAY, START } from "./support/clock.ts";
import { errorOf, untyped } from "./support/errors.ts";
import { requestWith } from "./support/requests.ts";

function timeOf(seconds: number): Date {
  return new Date(START + seconds * 1000);
}

/** A browser whose session holds this. */
async function browserOf(app: App, act: (session: Session) => unknown): Promise<Browser> {
  const browser = new Browser();
  await app.visit(browser, act);
  return browser;
}

async function open(app: App, browser: Browser): Promise<Session> {
  return app.sessions.open(requestWith(browser.cookie));
}

describe("signIn", () => {
  test("gives a new id, a subject and the time of the login, and keeps a visitor's data", async () => {
    const app = createApp();
    const browser = await browserOf(app, (session) => {
      session.set("theme", "dark");
      session.flash("Hi");
      session.permanent = true;
    });
    const { id } = await open(app, browser);
    app.advance(60);
    await app.visit(browser, (session) => {
      expect([session.subject, session.authenticatedAt]).toEqual([undefined, undefined]);
      session.signIn("ann");
      expect([session.subject, session.authenticatedAt]).toEqual(["ann", timeOf(60)]);
      expect(session.id).not.toBe(id);
      expect(session.isNew).toBe(false);
    });
    app.advance(60);
    const session = await open(app, browser);
    expect(session.id).not.toBe(id);
    expect([session.subject, session.authenticatedAt]).toEqual(["ann", timeOf(60)]);
    expect(session.toJSON()).toEqual({ theme: "dark" });
    expect([session.flashes.length, session.permanent]).toEqual([1, true]);
  });

  test("says the id that the browser then has", async () => {
    const app = createApp();
    const ids: string[] = [];
    const browser = await browserOf(app, (session) => {
      ids.push(session.id);
      session.signIn("ann");
      ids.push(session.id, session.id);
    });
    const [visitor, first, again] = ids;
    expect(visitor).not.toBe(first ?? "");
    expect([first, again]).toEqual([again, (await open(app, browser)).id]);
  });

  test("of the same subject keeps its data, of another one clears what it finds", async () => {
    const app = createApp();
    const browser = await browserOf(app, (session) => {
      session.signIn("ann");
      session.set("cart", ["tea"]);
      session.flash("Hi");
      session.permanent = true;
    });
    await app.visit(browser, (session) => session.signIn("ann"));
    expect((await open(app, browser)).toJSON()).toEqual({ cart: ["tea"] });
    await app.visit(browser, (session) => {
      session.set("card", "4111");
      session.signIn("bob");
      session.set("username", "bob");
      expect(session.toJSON()).toEqual({ username: "bob" });
    });
    const session = await open(app, browser);
    expect([session.subject, session.toJSON()]).toEqual(["bob", { username: "bob" }]);
    expect([session.flashes, session.permanent]).toEqual([[], false]);
  });

  test("twice in one request: the second subject gets nothing of the first one's", async () => {
    const app = createApp();
    const browser = await browserOf(app, (session) => session.set("theme", "dark"));
    await app.visit(browser, (session) => {
      session.signIn("ann");
      session.set("username", "ann");
      session.signIn("bob");
    });
    const session = await open(app, browser);
    expect([session.subject, session.toJSON()]).toEqual(["bob", {}]);
  });

  test.each(["", "half \ud800", 5, undefined, null])("refuses %p as a subject", async (subject) => {
    const { sessions } = createApp();
    const session = await sessions.open(requestWith());
    const error = await errorOf(() => session.signIn(untyped(subject)));
    expect(error).toBeInstanceOf(SessionValueError);
    expect([session.subject, session.isModified]).toEqual([undefined, false]);
    const ended = await errorOf(() => sessions.endAll(untyped(subject)));
    expect(ended).toBeInstanceOf(SessionValueError);
  });

  test.each(["ann", " ", "ann@example.org", "ä\u0000\n", "u".repeat(1000), "__proto__"])(
    "takes %j",
    async (subject) => {
      const app = createApp();
      const browser = await browserOf(app, (session) => session.signIn(subject));
      expect((await open(app, browser)).subject).toBe(subject);
    },
  );
});

describe("the times of a session", () => {
  test("are told while it is used: from its start, and from its login", async () => {
    const app = createApp();
    const browser = await browserOf(app, (session) => {
      session.set("theme", "dark");
      expect([session.expiresAt, session.endsAt]).toEqual([timeOf(7 * DAY), timeOf(30 * DAY)]);
    });
    app.advance(DAY);
    await app.visit(browser, (session) => {
      expect([session.expiresAt, session.endsAt]).toEqual([timeOf(7 * DAY), timeOf(30 * DAY)]);
      session.signIn("ann");
      expect([session.expiresAt, session.endsAt]).toEqual([timeOf(8 * DAY), timeOf(31 * DAY)]);
    });
    const session = await open(app, browser);
    expect([session.expiresAt, session.endsAt]).toEqual([timeOf(8 * DAY), timeOf(31 * DAY)]);
  });

  test("move with use, by the window that the session began with, and not its end", async () => {
    const app = createApp();
    const browser = await browserOf(app, (session) => session.set("count", 0));
    app.advance(2 * DAY);
    await app.visit(browser, (session) => session.set("count", 1));
    const session = await open(app, browser);
    expect([session.expiresAt, session.endsAt]).toEqual([timeOf(9 * DAY), timeOf(30 * DAY)]);
  });
});

describe("regenerate", () => {
  test("gives the same data a new id, and the end does not move", async () => {
    const app = createApp();
    const browser = await browserOf(app, (session) => {
      session.signIn("ann");
      session.set("theme", "dark");
      session.flash("Hi");
    });
    const before = await open(app, browser);
    app.advance(DAY);
    await app.visit(browser, (session) => session.regenerate());
    const after = await open(app, browser);
    expect(after.id).not.toBe(before.id);
    expect([after.subject, after.toJSON()]).toEqual(["ann", { theme: "dark" }]);
    expect(after.flashes).toHaveLength(1);
    expect(after.endsAt).toEqual(before.endsAt);
    expect(after.authenticatedAt).toEqual(timeOf(0));
  });

  test("of a session that holds nothing makes no cookie", async () => {
    const app = createApp();
    const browser = await browserOf(app, (session) => session.regenerate());
    expect(browser.cookie).toBe("");
  });
});

describe("destroy", () => {
  test("ends the session with its data, its flashes and its subject", async () => {
    const app = createApp();
    const browser = await browserOf(app, (session) => {
      session.signIn("ann");
      session.set("theme", "dark");
      session.permanent = true;
      session.flash("Hi");
    });
    const copy = browser.cookie;
    await app.visit(browser, (session) => {
      session.flash("Bye");
      session.destroy();
      expect([session.size, session.subject, session.flashes]).toEqual([0, undefined, []]);
      expect([session.permanent, session.authenticatedAt]).toEqual([false, undefined]);
      session.flash("You have been logged out");
    });
    const next = await open(app, browser);
    expect([next.toJSON(), next.subject, next.permanent]).toEqual([{}, undefined, false]);
    expect(next.flashes.map(({ message }) => message)).toEqual(["You have been logged out"]);
    expect(await app.look(copy)).toEqual({});
  });

  test("and what is set afterwards begins a session with a new id and times of its own", async () => {
    const app = createApp();
    const browser = await browserOf(app, (session) => session.set("theme", "dark"));
    const before = await open(app, browser);
    app.advance(DAY);
    let id = "";
    await app.visit(browser, (session) => {
      session.destroy();
      session.set("theme", "light");
      ({ id } = session);
      expect(session.endsAt).toEqual(timeOf(31 * DAY));
    });
    const after = await open(app, browser);
    expect(after.id).toBe(id);
    expect(after.id).not.toBe(before.id);
    expect([after.toJSON(), after.endsAt]).toEqual([{ theme: "light" }, timeOf(31 * DAY)]);
  });

  test("of a visitor's session that never was does nothing", async () => {
    const app = createApp();
    const response = await app.visit(new Browser(), (session) => session.destroy());
    expect(response.headers.getSetCookie()).toEqual([]);
  });
});

describe("a session that loses its last key", () => {
  test.each<[string, boolean, (session: Session) => unknown, boolean]>([
    ["without a subject ends", false, (session) => session.pop("theme"), false],
    ["with a subject goes on", true, (session) => session.pop("theme"), true],
    ["with a subject goes on, cleared", true, (session) => session.clear(), true],
    ["with a subject ends by destroy", true, (session) => session.destroy(), false],
    [
      "with a flash that waits goes on",
      false,
      (session) => [session.clear(), session.flash("Bye")],
      true,
    ],
  ])("%s", async (_, isSignedIn, act, goesOn) => {
    const app = createApp();
    const browser = await browserOf(app, (session) => {
      if (isSignedIn) session.signIn("ann");
      session.set("theme", "dark");
    });
    const { id } = await open(app, browser);
    const copy = browser.cookie;
    await app.visit(browser, act);
    expect(browser.cookie !== "").toBe(goesOn);
    const session = await open(app, browser);
    expect([session.id === id, session.toJSON()]).toEqual([goesOn, {}]);
    expect(await app.look(copy)).toEqual({});
  });

  test("or its last flash, ends", async () => {
    const app = createApp();
    const browser = await browserOf(app, (session) => session.flash("Hi"));
    expect(browser.cookie).not.toBe("");
    await app.visit(browser, (session) => session.takeFlashes());
    expect(browser.cookie).toBe("");
  });
});

test("ref is the start of the id", async () => {
  const session = await createApp().sessions.open(requestWith());
  expect(session.ref).toBe(session.id.slice(0, 12));
  expect(session.ref).toHaveLength(12);
});

describe("after the commit", () => {
  test.each<[string, (session: Session) => unknown]>([
    [`set "cart"`, (session) => session.set("cart", 1)],
    [`update the session`, (session) => session.update({ cart: 1 })],
    [`set "theme"`, (session) => session.setDefault("theme", 1)],
    [`delete "cart"`, (session) => session.delete("cart")],
    [`pop "cart"`, (session) => session.pop("cart")],
    [`clear the session`, (session) => session.clear()],
    [`flash a message`, (session) => session.flash("Hi", "error")],
    [`set permanent`, (session) => void (session.permanent = true)],
    [`sign a user in`, (session) => session.signIn("ann")],
    [`regenerate the session`, (session) => session.regenerate()],
    [`destroy the session`, (session) => session.destroy()],
  ])("%s throws, and once an event tells of it", async (change, act) => {
    const { sessions, events } = createApp();
    const session = await sessions.open(requestWith());
    session.set("theme", "dark");
    await sessions.commit(session, new Response());
    for (let count = 0; count < 2; count++) {
      const error = await errorOf(() => act(session));
      expect(error).toMatchObject({ code: "ERR_SESSION_COMMITTED" });
      expect(String(error)).toContain(`Cannot ${change}: the response was already made`);
    }
    expect(events).toEqual([{ type: "late-write", id: session.id }]);
    expect([session.toJSON(), session.subject]).toEqual([{ theme: "dark" }, undefined]);
  });

  test("reading goes on", async () => {
    const { sessions, events } = createApp();
    const session = await sessions.open(requestWith());
    session.set("theme", "dark");
    await sessions.commit(session, new Response());
    expect([session.get("theme"), session.has("theme"), session.size]).toEqual(["dark", true, 1]);
    expect([session.permanent, session.flashes, [...session]]).toEqual([
      false,
      [],
      [["theme", "dark"]],
    ]);
    expect(events).toEqual([]);
  });

  test("takeFlashes gives what waits and takes nothing, and an event tells of it", async () => {
    const app = createApp();
    const browser = await browserOf(app, (session) => session.flash("Hi"));
    const session = await open(app, browser);
    browser.take(await app.sessions.commit(session, new Response()));
    expect(session.takeFlashes("error")).toEqual([]);
    expect(app.events).toEqual([]);
    const hi = [{ category: "message", message: "Hi" }];
    expect([session.takeFlashes(), session.takeFlashes()]).toEqual([hi, hi]);
    expect(app.events).toEqual([{ type: "late-write", id: session.id }]);
    expect((await open(app, browser)).flashes).toEqual(hi);
  });
});
