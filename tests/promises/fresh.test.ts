import { describe, expect, test } from "bun:test";
import type { Session } from "../../session/mod.ts";
import { type App, Browser, createApp } from "../support/app.ts";
import { errorOf, untyped } from "../support/errors.ts";
import { claimsOf } from "../support/jws.ts";
import { requestWith } from "../support/requests.ts";
import { browserWith, describeEverywhere, hold, keep, signedIn, typesOf } from "./support.ts";

/** In seconds. */
const WINDOW = 300;

/** Whether a copy of a cookie is as good as a password just typed. */
async function isFresh({ sessions }: App, cookie: string): Promise<boolean> {
  return (await sessions.read(requestWith(cookie))).isFresh(WINDOW);
}

describeEverywhere("confirm()", (site) => {
  test("makes the session fresh under a new id, and no copy from before", async () => {
    const { first, second } = site;
    const browser = await signedIn(first, "ann");
    first.advance(WINDOW);
    const thief = browser.cookie;
    expect(await isFresh(second, browser.cookie)).toBe(false);
    const before = await first.sessions.open(requestWith(browser.cookie));
    await second.visit(browser, (session) => {
      session.confirm();
      expect([session.isFresh(1), session.id === before.id]).toEqual([true, false]);
    });
    const after = await first.sessions.open(requestWith(browser.cookie));
    expect([after.subject, after.toJSON()]).toEqual(["ann", { username: "ann" }]);
    expect(after.authenticatedAt).toEqual(new Date(first.now()));
    expect(after.endsAt).toEqual(before.endsAt);
    for (const app of [first, second]) {
      expect([await isFresh(app, browser.cookie), await isFresh(app, thief)]).toEqual([
        true,
        false,
      ]);
      expect(await app.look(thief)).toEqual({});
    }
  });

  test("makes nothing fresh that a request under way holds, and takes its change in", async () => {
    const { first, second } = site;
    const browser = await signedIn(first, "ann");
    first.advance(WINDOW);
    const late = await hold(second, browser.cookie, (session) => {
      session.set("late", 1);
      expect(session.isFresh(WINDOW)).toBe(false);
    });
    const confirmed = await hold(first, browser.cookie, (session) => session.confirm());
    const copy = keep(new Browser(), await late());
    keep(browser, await confirmed());
    expect(await first.look(browser.cookie)).toEqual({ username: "ann", late: 1 });
    expect([await isFresh(first, copy), await isFresh(second, browser.cookie)]).toEqual([
      false,
      true,
    ]);
  });

  test("of a session that ended meanwhile begins none", async () => {
    const { first, second } = site;
    const browser = await signedIn(first, "ann");
    const late = await hold(second, browser.cookie, (session) => session.confirm());
    await first.visit(browser.copy(), (session) => session.destroy());
    expect((await late()).headers.getSetCookie()).toEqual([]);
    expect(typesOf(second)).toEqual(["dropped"]);
  });
});

describe("a session", () => {
  test.each([
    [0, true],
    [WINDOW - 0.001, true],
    [WINDOW, false],
    [-30, true],
    [-60, true],
    [-60.001, false],
  ])("is fresh %p s after its login: %p", async (seconds, expected) => {
    const app = createApp();
    const { cookie } = await signedIn(app, "ann");
    app.advance(seconds);
    expect(await isFresh(app, cookie)).toBe(expected);
  });

  test.each([0, -1, NaN])("is never fresh for %p s", async (seconds) => {
    const app = createApp();
    const { cookie } = await signedIn(app, "ann");
    expect((await app.sessions.read(requestWith(cookie))).isFresh(seconds)).toBe(false);
  });

  test("without a subject is never fresh, and cannot be confirmed", async () => {
    const app = createApp();
    const { cookie } = await browserWith(app, { a: 1 });
    const session = await app.sessions.open(requestWith(cookie));
    const error = await errorOf(() => session.confirm());
    expect(error).toMatchObject({ code: "ERR_SESSION_SUBJECT" });
    expect([session.isFresh(WINDOW), session.isModified]).toEqual([false, false]);
  });

  test("that ends in the same request is not fresh", async () => {
    const app = createApp();
    const browser = await signedIn(app, "ann");
    await app.visit(browser, (session) => {
      session.confirm();
      session.destroy();
      expect([session.isFresh(WINDOW), session.authenticatedAt]).toEqual([false, undefined]);
    });
    expect(browser.cookie).toBe("");
  });

  test("gets no fresher by a change, a new id, or being signed again", async () => {
    const app = createApp();
    const browser = await signedIn(app, "ann");
    const { auth_time } = claimsOf(browser.cookie);
    for (const act of [
      (session: Session) => session.set("a", 1),
      (session: Session) => session.regenerate(),
      (session: Session) => app.sessions.endOthers(session),
      () => app.advance(4 * 24 * 60 * 60),
    ]) {
      app.advance(60);
      await app.visit(browser, act);
      expect(claimsOf(browser.cookie)["auth_time"]).toBe(auth_time);
    }
  });

  test("without a store is confirmed in its own browser, and no copy is fresh", async () => {
    const app = createApp({ store: null });
    const browser = await signedIn(app, "ann");
    app.advance(WINDOW);
    const thief = browser.cookie;
    await app.visit(browser, (session) => session.confirm());
    expect([await isFresh(app, browser.cookie), await isFresh(app, thief)]).toEqual([true, false]);
  });
});

describe("amr", () => {
  test("is what signIn() and confirm() were given, whatever becomes of that list", async () => {
    const app = createApp();
    const browser = new Browser();
    for (const act of ["signIn", "confirm"] as const) {
      const methods = ["pwd"];
      await app.visit(browser, (session) => {
        if (act === "signIn") session.signIn("ann", { methods });
        else session.confirm({ methods });
        methods.push("otp");
      });
      expect(claimsOf(browser.cookie)["amr"]).toEqual(["pwd"]);
    }
  });

  test("says how the user signed in, then how they were confirmed", async () => {
    const app = createApp();
    const browser = new Browser();
    await app.visit(browser, (session) => session.signIn("ann", { methods: ["pwd"] }));
    expect(claimsOf(browser.cookie)["amr"]).toEqual(["pwd"]);
    await app.visit(browser, (session) => session.regenerate());
    expect(claimsOf(browser.cookie)["amr"]).toEqual(["pwd"]);
    await app.visit(browser, (session) => session.confirm({ methods: ["otp", "hwk"] }));
    expect(claimsOf(browser.cookie)["amr"]).toEqual(["otp", "hwk"]);
    await app.visit(browser, (session) => session.confirm());
    expect(claimsOf(browser.cookie)).not.toHaveProperty("amr");
  });

  test.each<[unknown]>([[[]], ["pwd"], [[""]], [[1]], [["\uD800"]], [null], [{}]])(
    "is not made of %p",
    async (methods) => {
      const app = createApp();
      const { cookie } = await signedIn(app, "ann");
      const session = await app.sessions.open(requestWith(cookie));
      const errors = [
        await errorOf(() => session.signIn("ann", untyped({ methods }))),
        await errorOf(() => session.confirm(untyped({ methods }))),
      ];
      for (const error of errors) expect(error).toMatchObject({ code: "ERR_SESSION_VALUE" });
      expect(session.isModified).toBe(false);
    },
  );
});
