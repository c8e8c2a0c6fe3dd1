import { describe, expect, test } from "bun:test";
import { memoryStore, type Session } from "../../session/mod.ts";
import { cookieOf, createApp, Jar, requestWith } from "../support/helpers.ts";

type Act = (session: Session) => unknown;

function asBob(session: Session): void {
  session.subject = "bob";
  session.set("username", "bob");
}

function asBobWithNewId(session: Session): void {
  session.regenerate();
  asBob(session);
}

const LOGINS: readonly (readonly [string, Act])[] = [
  ["with a new id", asBobWithNewId],
  ["under the same id", asBob],
];

describe.each(["cookie", "store"] as const)("another subject's login, data in the %s", (dataIn) => {
  /** Ann's session, in which two requests overlap; gives what is there afterwards, and the app. */
  async function overlap(first: Act, second: Act) {
    const app = createApp({ dataIn, store: memoryStore() });
    const jar = new Jar();
    await app.visit(jar, (session) => {
      session.subject = "ann";
      session.update({ username: "ann", theme: "dark" });
    });
    const one = await app.sessions.open(requestWith(jar.cookie));
    const two = await app.sessions.open(requestWith(jar.cookie));
    first(one);
    second(two);
    const answers = [
      cookieOf(await app.sessions.commit(one, new Response())),
      cookieOf(await app.sessions.commit(two, new Response())),
    ];
    return { app, before: jar.cookie, answers };
  }

  test.each(LOGINS)(
    "%s keeps nothing that the first user's request left beside it",
    async (_, login) => {
      const { app, answers } = await overlap((session) => {
        session.set("card", "4111");
        session.flash("Card saved");
      }, login);
      const session = await app.sessions.open(requestWith(answers[1]));
      expect(session.toJSON()).toEqual({ username: "bob" });
      expect([session.subject, session.flashes]).toEqual(["bob", []]);
    },
  );

  test.each<[string, Act]>([
    ["sets", (session) => session.set("email", "ann@example.org")],
    ["removes", (session) => session.pop("theme")],
    ["leaves a message", (session) => session.flash("Saved")],
    ["gets a new id", (session) => session.regenerate()],
  ])("under the same id takes nothing that the first user's request then %s", async (_, act) => {
    const { app, answers } = await overlap(asBob, act);
    expect(answers[1]).toBeUndefined();
    const session = await app.sessions.open(requestWith(answers[0]));
    expect(session.toJSON()).toEqual({ username: "bob" });
    expect([session.subject, session.flashes]).toEqual(["bob", []]);
    expect(app.events.map(({ type }) => type)).toEqual(["dropped"]);
  });

  test("under the same id ends where the first user's request then logs out", async () => {
    const { app, answers } = await overlap(asBob, (session) => session.destroy());
    expect(await app.look(answers[0])).toEqual({});
  });

  test("and the first user's own, of which the later one counts", async () => {
    const { app, answers } = await overlap(asBob, (session) => {
      session.regenerate();
      session.subject = "ann";
      session.set("cart", ["tea"]);
    });
    const session = await app.sessions.open(requestWith(answers[1]));
    // Bob's login removed what was Ann's before.
    expect([session.subject, session.toJSON()]).toEqual(["ann", { cart: ["tea"] }]);
  });

  test("keeps a visitor's data, from whatever request it is", async () => {
    const app = createApp({ dataIn, store: memoryStore() });
    const jar = new Jar();
    await app.visit(jar, (session) => session.set("theme", "dark"));
    const one = await app.sessions.open(requestWith(jar.cookie));
    const two = await app.sessions.open(requestWith(jar.cookie));
    one.set("cart", ["tea"]);
    asBob(two);
    await app.sessions.commit(one, new Response());
    const login = await app.sessions.commit(two, new Response());
    expect(await app.look(cookieOf(login))).toEqual({
      theme: "dark",
      cart: ["tea"],
      username: "bob",
    });
  });
});
