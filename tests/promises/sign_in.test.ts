import { describe, expect, test } from "bun:test";
import { type Session, SessionError } from "../../session/mod.ts";
import { type App, Browser, createApp } from "../support/app.ts";
import { DAY } from "../support/clock.ts";
import { errorOf, untyped } from "../support/errors.ts";
import { requestWith } from "../support/requests.ts";
import { OTHER_SECRET } from "../support/secrets.ts";
import {
  type Act,
  browserWith,
  describeEverywhere,
  hold,
  keep,
  overlap,
  signedIn,
  typesOf,
} from "./support.ts";

/** Whose session the cookie is; undefined for nobody's. */
async function subjectOf({ sessions }: App, cookie: string | undefined): Promise<unknown> {
  return (await sessions.open(requestWith(cookie))).subject;
}

function asBob(session: Session): void {
  session.signIn("bob");
  session.set("username", "bob");
}

/** What a request may do whose session got a new id meanwhile, but for ending it. */
const LATE: readonly (readonly [string, Act])[] = [
  ["a read", (session) => session.get("cart")],
  ["set()", (session) => session.set("seen", 1)],
  ["pop()", (session) => session.pop("cart")],
  ["regenerate()", (session) => session.regenerate()],
  ["flash()", (session) => session.flash("Hi")],
];

describeEverywhere("a login", (site) => {
  test("gets a new id, and whoever planted the old one has nothing: session fixation", async () => {
    const { first, second } = site;
    const planted = await browserWith(first, { cart: "tea" });
    const victim = planted.copy();
    const before = await first.sessions.open(requestWith(planted.cookie));
    await second.visit(victim, (session) => {
      session.signIn("ann");
      expect([session.subject, session.id === before.id]).toEqual(["ann", false]);
    });
    for (const app of [first, second]) {
      expect(await app.look(planted.cookie)).toEqual({});
      expect(await app.look(victim.cookie)).toEqual({ cart: "tea" });
      expect(await subjectOf(app, victim.cookie)).toBe("ann");
    }
    expect(typesOf(first)).toEqual(["superseded"]);
  });

  test("is left alone by requests that it overlaps, though they are answered after it", async () => {
    const { first, second } = site;
    const browser = await browserWith(first, { cart: "tea" });
    first.advance(4 * DAY); // The cookie is to be signed again.
    const held = [];
    for (const [, act] of LATE) held.push(await hold(second, browser.cookie, act));
    await first.visit(browser, (session) => session.signIn("ann"));
    const { cookie } = browser;
    for (const finish of held) keep(browser, await finish());
    expect(browser.cookie).toBe(cookie);
    expect(await second.look(cookie)).toEqual({ cart: "tea" });
    expect(typesOf(second)).toEqual(["dropped", "dropped", "dropped", "dropped"]);
  });

  test("under way as the visitor fills the cart keeps what is in it", async () => {
    const { first, second } = site;
    const browser = await browserWith(first, { theme: "dark" });
    const login = await hold(second, browser.cookie, asBob);
    await first.visit(browser, (session) => session.set("cart", ["tea"]));
    const expected = { theme: "dark", cart: ["tea"], username: "bob" };
    expect(await first.look(keep(browser, await login()))).toEqual(expected);
  });

  test("under way as another one is made begins a session with its own keys alone", async () => {
    const { first, second } = site;
    const { cookie } = await browserWith(first, { theme: "dark" });
    const late = await hold(second, cookie, (session) => {
      asBob(session);
      session.pop("theme");
    });
    const ann = new Browser();
    ann.cookie = cookie;
    await first.visit(ann, (session) => [session.signIn("ann"), session.set("username", "ann")]);
    const bob = keep(new Browser(), await late());
    expect(await second.look(ann.cookie)).toEqual({ theme: "dark", username: "ann" });
    expect(await first.look(bob)).toEqual({ username: "bob" });
    expect(await subjectOf(first, bob)).toBe("bob");
  });

  test("is ended by a logout that it overtook", async () => {
    const { first, second } = site;
    const browser = await browserWith(first, { theme: "dark" });
    const logout = await hold(second, browser.cookie, (session) => session.destroy());
    await first.visit(browser, (session) => session.signIn("ann"));
    await first.visit(browser, (session) => session.regenerate());
    const { cookie } = browser;
    keep(browser, await logout());
    expect(browser.cookie).toBe("");
    expect(await first.look(cookie)).toEqual({});
    expect(await second.look(cookie)).toEqual({});
  });

  test("ends with endAll(), on every instance and under way, and no other subject's", async () => {
    const { first, second } = site;
    const [ann, bob] = [crypto.randomUUID(), crypto.randomUUID()];
    const browsers = [await signedIn(first, ann), await signedIn(second, ann)];
    const other = await signedIn(first, bob);
    for (let round = 0; round < 2; round++) {
      const late = await hold(second, browsers[0]?.cookie ?? "", (session) => session.set("a", 1));
      await first.sessions.endAll(ann);
      expect((await late()).headers.getSetCookie()).toEqual([]);
      for (const copy of browsers.flatMap(({ copies }) => copies)) {
        expect(await first.look(copy)).toEqual({});
        expect(await second.look(copy)).toEqual({});
      }
      expect(await subjectOf(second, other.cookie)).toBe(bob);
      browsers.unshift(await signedIn(second, ann));
      expect(await subjectOf(first, browsers[0]?.cookie)).toBe(ann);
    }
  });

  test("goes on alone after endOthers(), with its data under a new id", async () => {
    const { first, second } = site;
    const [ann, bob] = [crypto.randomUUID(), crypto.randomUUID()];
    const [here, there, other] = [
      await signedIn(first, ann),
      await signedIn(second, ann),
      await signedIn(second, bob),
    ];
    const copy = here.cookie;
    await first.visit(here, (session) => {
      first.sessions.endOthers(session);
      session.set("password", "changed");
    });
    for (const app of [first, second]) {
      expect(await app.look(here.cookie)).toEqual({ username: ann, password: "changed" });
      expect([await app.look(copy), await app.look(there.cookie)]).toEqual([{}, {}]);
      expect(await subjectOf(app, other.cookie)).toBe(bob);
    }
    await second.sessions.endAll(ann);
    expect(await first.look(here.cookie)).toEqual({});
  });

  test("that endOthers() or endAll() of another request ended has no more to say", async () => {
    const { first, second } = site;
    const ann = crypto.randomUUID();
    const [one, two] = [await signedIn(first, ann), await signedIn(second, ann)];
    const endOthers: Act = (session) => second.sessions.endOthers(session);
    const late = await hold(second, two.cookie, endOthers);
    await first.visit(one, (session) => first.sessions.endOthers(session));
    expect((await late()).headers.getSetCookie()).toEqual([]);
    expect(typesOf(second)).toEqual(["dropped"]);
    expect(await second.look(one.cookie)).toEqual({ username: ann });
  });
});

/** Ann's session, in which two requests overlap, and the cookies that they answer with. */
async function overlapInAnns(one: Act, two: Act): Promise<{ app: App; cookies: string[] }> {
  const app = createApp();
  const { cookie } = await signedIn(app, "ann");
  const answers = await overlap(app, cookie, one, two);
  return { app, cookies: answers.map((answer) => keep(new Browser(), answer)) };
}

describe("another subject's login", () => {
  test("clears the data and flashes of the first, and starts anew", async () => {
    const app = createApp();
    const browser = await signedIn(app, "ann");
    await app.visit(browser, (session) => [session.set("cart", ["tea"]), session.flash("Hi")]);
    const before = await app.sessions.open(requestWith(browser.cookie));
    app.advance(DAY);
    await app.visit(browser, (session) => {
      session.set("card", "4111");
      asBob(session);
    });
    const session = await app.sessions.open(requestWith(browser.cookie));
    expect([session.toJSON(), session.flashes]).toEqual([untyped({ username: "bob" }), []]);
    expect(session.authenticatedAt).toEqual(new Date(app.now()));
    expect(session.endsAt.getTime() - before.endsAt.getTime()).toBe(DAY * 1000);
  });

  test("keeps nothing that the first user's request left beside it", async () => {
    const { app, cookies } = await overlapInAnns((session) => {
      session.set("card", "4111");
      session.flash("Card saved");
    }, asBob);
    const session = await app.sessions.open(requestWith(cookies[1]));
    expect(session.toJSON()).toEqual({ username: "bob" });
    expect([session.subject, session.flashes]).toEqual(["bob", []]);
  });

  test.each<[string, Act]>([
    ["sets a key", (session) => session.set("email", "ann@example.org")],
    ["removes one", (session) => session.pop("username")],
    ["leaves a message", (session) => session.flash("Saved")],
    ["gets a new id", (session) => session.regenerate()],
  ])("takes nothing of the first user's request that then %s", async (_, act) => {
    const { app, cookies } = await overlapInAnns(asBob, act);
    expect(cookies[1]).toBe("");
    const session = await app.sessions.open(requestWith(cookies[0]));
    expect(session.toJSON()).toEqual({ username: "bob" });
    expect([session.subject, session.flashes]).toEqual(["bob", []]);
    expect(typesOf(app)).toEqual(["dropped"]);
  });

  test("and the first user's own at once make two sessions, each with its own keys", async () => {
    const { app, cookies } = await overlapInAnns(asBob, (session) => {
      session.signIn("ann");
      session.set("cart", ["tea"]);
    });
    expect(await subjectOf(app, cookies[0])).toBe("bob");
    expect(await subjectOf(app, cookies[1])).toBe("ann");
    expect(await app.look(cookies[1])).toEqual({ cart: ["tea"] });
  });
});

describe("a session with a subject", () => {
  test("keeps its data where the same subject signs in again", async () => {
    const app = createApp();
    const browser = await signedIn(app, "ann");
    await app.visit(browser, (session) => [session.set("cart", ["tea"]), session.flash("Hi")]);
    app.advance(DAY);
    await app.visit(browser, (session) => session.signIn("ann"));
    const session = await app.sessions.open(requestWith(browser.cookie));
    expect(session.toJSON()).toEqual({ username: "ann", cart: ["tea"] });
    expect([session.flashes.length, session.authenticatedAt]).toEqual([1, new Date(app.now())]);
    for (const copy of browser.copies.slice(0, -1)) expect(await app.look(copy)).toEqual({});
  });

  test("goes on without its last key", async () => {
    const app = createApp();
    const browser = await signedIn(app, "ann");
    await app.visit(browser, (session) => session.pop("username"));
    expect(await subjectOf(app, browser.cookie)).toBe("ann");
    expect(await app.look(browser.copies[0])).toEqual({});
  });

  test("begins without a key, as of a visitor who clears the cart and signs in", async () => {
    const app = createApp();
    const browser = await browserWith(app, { cart: ["tea"] });
    await app.visit(browser, (session) => [session.clear(), session.signIn("ann")]);
    expect(await subjectOf(app, browser.cookie)).toBe("ann");
  });

  test("keeps subject, login and end under a new id", async () => {
    const app = createApp();
    const browser = await signedIn(app, "ann");
    app.advance(DAY);
    const before = await app.sessions.open(requestWith(browser.cookie));
    await app.visit(browser, (session) => session.regenerate());
    const after = await app.sessions.open(requestWith(browser.cookie));
    expect([after.subject, after.id === before.id]).toEqual(["ann", false]);
    expect([after.authenticatedAt, after.endsAt]).toEqual([before.authenticatedAt, before.endsAt]);
  });

  test.each<[unknown]>([[""], [5], [undefined], ["\uD800"]])("is not of %p", async (subject) => {
    const app = createApp();
    const session = await app.sessions.open(requestWith());
    const errors = [
      await errorOf(() => session.signIn(untyped(subject))),
      await errorOf(() => app.sessions.endAll(untyped(subject))),
    ];
    for (const error of errors) expect(error).toMatchObject({ code: "ERR_SESSION_VALUE" });
    expect([session.isModified, session.subject]).toEqual([false, undefined]);
  });
});

test("endOthers() of a session without a subject throws, and changes nothing", async () => {
  const app = createApp();
  const { cookie } = await browserWith(app, { a: 1 });
  const session = await app.sessions.open(requestWith(cookie));
  const error = await errorOf(() => app.sessions.endOthers(session));
  expect(error).toBeInstanceOf(SessionError);
  expect(error).toMatchObject({ code: "ERR_SESSION_SUBJECT" });
  expect(session.isModified).toBe(false);
});

describe("a session ended by endAll()", () => {
  test("sets no cookie for 60 s, since its request may overlap a login; then begins anew", async () => {
    const app = createApp();
    const browser = await signedIn(app, "ann");
    await app.sessions.endAll("ann");
    app.advance(59.999);
    const early = await app.visit(browser, (session) => {
      expect([session.isNew, session.subject]).toEqual([true, undefined]);
      session.set("a", 1);
    });
    expect(early.headers.getSetCookie()).toEqual([]);
    app.advance(0.001);
    await app.visit(browser, (session) => session.set("a", 1));
    expect(await app.look(browser.cookie)).toEqual({ a: 1 });
    expect(await app.look(browser.copies[0])).toEqual({});
  });

  test("deletes its cookie by a logout under way, and leaves a login after it alone", async () => {
    const app = createApp();
    const browser = await signedIn(app, "ann");
    const logout = await hold(app, browser.cookie, (session) => session.destroy());
    await app.sessions.endAll("ann");
    const again = await signedIn(app, "ann");
    keep(browser, await logout());
    expect(browser.cookie).toBe("");
    expect(await subjectOf(app, again.cookie)).toBe("ann");
  });

  test("goes on by a login with its cookie, which a logout under way ends", async () => {
    const app = createApp();
    const browser = await signedIn(app, "ann");
    const logout = await hold(app, browser.cookie, (session) => session.destroy());
    await app.sessions.endAll("ann");
    await app.visit(browser, (session) => session.signIn("ann"));
    expect(await subjectOf(app, browser.cookie)).toBe("ann");
    const { cookie } = browser;
    keep(browser, await logout());
    expect([browser.cookie, await subjectOf(app, cookie)]).toEqual(["", undefined]);
  });

  test("stays ended by the second of two endAll() as by the first", async () => {
    const app = createApp();
    const { cookie } = await signedIn(app, "ann");
    await Promise.all([app.sessions.endAll("ann"), app.sessions.endAll("ann")]);
    expect(await subjectOf(app, cookie)).toBeUndefined();
  });
});

describe("a request with the cookie of before a login", () => {
  test("may sign in at once, with what it sets", async () => {
    const app = createApp();
    const browser = await browserWith(app, { theme: "dark" });
    const old = browser.copy();
    await app.visit(browser, (session) => session.signIn("ann"));
    await app.visit(old, asBob);
    expect(await app.look(old.cookie)).toEqual({ username: "bob" });
    expect(await app.look(browser.cookie)).toEqual({ theme: "dark" });
  });

  test.each(LATE)("gets no cookie for 60 s by %s", async (_, act) => {
    const app = createApp();
    const browser = await browserWith(app, { cart: "tea" });
    const old = browser.copy();
    await app.visit(browser, (session) => session.signIn("ann"));
    app.advance(59.999);
    expect((await app.visit(old, act)).headers.getSetCookie()).toEqual([]);
  });

  test("begins a session after that, and leaves the login alone", async () => {
    const app = createApp();
    const browser = await browserWith(app, { cart: "tea" });
    const old = browser.copy();
    await app.visit(browser, (session) => session.signIn("ann"));
    app.advance(60);
    await app.visit(old, (session) => session.set("new", 1));
    expect(await app.look(old.cookie)).toEqual({ new: 1 });
    expect(await app.look(browser.cookie)).toEqual({ cart: "tea" });
  });

  test("logs out of what the login began, for 60 s", async () => {
    const app = createApp();
    const browser = await browserWith(app, { cart: "tea" });
    const old = browser.copy();
    await app.visit(browser, (session) => session.signIn("ann"));
    app.advance(59.999);
    const late = old.copy();
    await app.visit(old, (session) => session.destroy());
    expect(old.cookie).toBe("");
    expect(await app.look(browser.cookie)).toEqual({});
    const again = await signedIn(app, "ann");
    const stale = again.copy();
    await app.visit(again, (session) => session.regenerate());
    app.advance(60);
    for (const browser of [late, stale]) await app.visit(browser, (session) => session.destroy());
    expect([late.cookie, stale.cookie]).toEqual(["", ""]);
    expect(await app.look(again.cookie)).toEqual({ username: "ann" });
  });
});

test("another system's login is adopted beside what is no token, and not beside one that is not good", async () => {
  const app = createApp({ adopt: () => ({ data: { username: "ann" } }) });
  expect(await app.look("__Host-Http-session=the-old-session")).toEqual({ username: "ann" });
  const { cookie } = await browserWith(createApp({ secretKey: OTHER_SECRET }), { username: "eve" });
  expect(await app.look(cookie)).toEqual({});
});
