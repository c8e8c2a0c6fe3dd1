import { describe, expect, test } from "bun:test";
import type { Session } from "../../session/mod.ts";
import { type App, Browser, createApp } from "../support/app.ts";
import { errorOf } from "../support/errors.ts";
import { requestWith } from "../support/requests.ts";
import { type Act, hold, keep, signedIn } from "./support.ts";

/** The page that every login answers with, as the same user had set it before. */
function asAnn(session: Session): void {
  session.signIn("ann");
  session.set("username", "ann");
  session.permanent = true;
}

describe("a login of the user who is signed in already holds all that it sets", () => {
  test.each<[string, (app: App, browser: Browser) => unknown]>([
    ["endAll()", (app) => app.sessions.endAll("ann")],
    ["a logout", (app, { cookie }) => app.visit(browserOf(cookie), (session) => session.destroy())],
    ["the same login", (app, { cookie }) => app.visit(browserOf(cookie), asAnn)],
    ["endOthers()", (app, { cookie }) => app.visit(browserOf(cookie), endOthersOf(app))],
  ])("after %s ended its session, before it or while it runs", async (_, end) => {
    for (const isBefore of [true, false]) {
      const app = createApp();
      const browser = new Browser();
      await app.visit(browser, asAnn);
      const login = isBefore ? undefined : await hold(app, browser.cookie, asAnn);
      await end(app, browser);
      if (login === undefined) await app.visit(browser, asAnn);
      else keep(browser, await login());
      const session = await app.sessions.open(requestWith(browser.cookie));
      expect(session.toJSON()).toEqual({ username: "ann" });
      expect([session.subject, session.permanent]).toEqual(["ann", true]);
    }
  });

  test("in a request that ended it itself", async () => {
    const app = createApp();
    const browser = new Browser();
    await app.visit(browser, asAnn);
    await app.visit(browser, (session) => session.set("cart", ["tea"]));
    await app.visit(browser, async (session) => {
      await app.sessions.endAll("ann");
      asAnn(session);
    });
    expect(await app.look(browser.cookie)).toEqual({ username: "ann" });
    await app.visit(browser, (session) => (session.clear(), asAnn(session)));
    expect(await app.look(browser.cookie)).toEqual({ username: "ann" });
  });

  test("and no more than that: what it only read or cleared does not come back", async () => {
    const app = createApp();
    const browser = new Browser();
    await app.visit(browser, (session) => [asAnn(session), session.set("cart", ["tea"])]);
    const login = await hold(app, browser.cookie, (session) => {
      session.set("cart", ["tea"]);
      session.get("cart");
      session.clear();
      session.signIn("ann");
    });
    await app.sessions.endAll("ann");
    keep(browser, await login());
    const session = await app.sessions.open(requestWith(browser.cookie));
    expect([session.subject, session.size, session.permanent]).toEqual(["ann", 0, false]);
  });
});

function browserOf(cookie: string): Browser {
  const browser = new Browser();
  browser.cookie = cookie;
  return browser;
}

function endOthersOf({ sessions }: App): Act {
  return (session) => sessions.endOthers(session);
}

test("endOthers() for two subjects in one request is an error: a session moves once", async () => {
  const app = createApp();
  const browser = await signedIn(app, "ann");
  await app.visit(browser, async (session) => {
    app.sessions.endOthers(session);
    session.signIn("bob");
    const error = await errorOf(() => app.sessions.endOthers(session));
    expect(error).toMatchObject({ code: "ERR_SESSION_SUBJECT" });
  });
});
