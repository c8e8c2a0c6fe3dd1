/** What a new generation ended stays ended, whatever is tried again. */
import { expect, test } from "bun:test";
import { type App, Browser, createApp } from "./support/app.ts";
import { interrupted } from "./support/faulty_store.ts";
import { requestWith } from "./support/requests.ts";

async function isSignedIn({ sessions }: App, { cookie }: Browser): Promise<boolean> {
  return (await sessions.open(requestWith(cookie))).subject !== undefined;
}

test.each<[string, (app: App, browser: Browser) => Promise<unknown>]>([
  [
    "endOthers()",
    ({ sessions, visit }, browser) =>
      visit(browser, (session) => (session.signIn("ann"), sessions.endOthers(session))),
  ],
  ["endAll()", ({ sessions }) => sessions.endAll("ann")],
])("%s that is tried again undoes no endAll() between", async (_, run) => {
  const between = new Browser();
  const store = interrupted(async (write) => {
    if (write > 0) return true;
    await app.visit(between, (session) => session.signIn("ann"));
    expect(await isSignedIn(app, between)).toBe(true);
    await app.sessions.endAll("ann");
    expect(await isSignedIn(app, between)).toBe(false);
    return false;
  });
  const app = createApp({ store, storeTimeout: 10_000 });
  await run(app, new Browser());
  expect(await isSignedIn(app, between)).toBe(false);
});
