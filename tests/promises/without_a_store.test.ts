import { expect, test } from "bun:test";
import { createSessions, SessionOptionsError } from "../../session/mod.ts";
import { createApp } from "../support/app.ts";
import { DAY } from "../support/clock.ts";
import { errorOf } from "../support/errors.ts";
import { requestWith } from "../support/requests.ts";
import { SECRET } from "../support/secrets.ts";
import { type Act, browserWith, hold, keep, overlap, signedIn } from "./support.ts";

const OPTIONS = { store: null } as const;

test("reads and writes go by the cookie alone", async () => {
  const app = createApp(OPTIONS);
  const browser = await browserWith(app, { a: 1 });
  await app.visit(browser, (session) => session.set("b", 2));
  expect(await app.look(browser.cookie)).toEqual({ a: 1, b: 2 });
  expect(await app.look(browser.copies[0])).toEqual({ a: 1 });
});

test.each<[string, Act, Record<string, unknown>, boolean]>([
  ["a pop", (session) => session.pop("b"), { a: 1 }, true],
  ["regenerate()", (session) => session.regenerate(), { a: 1, b: 2 }, false],
  ["signIn()", (session) => session.signIn("ann"), { a: 1, b: 2 }, false],
  ["destroy()", (session) => session.destroy(), {}, false],
])("%s changes this browser only: a copy holds what it held", async (_, act, values, keepsId) => {
  const app = createApp(OPTIONS);
  const browser = await browserWith(app, { a: 1, b: 2 });
  const copy = browser.cookie;
  const before = await app.sessions.open(requestWith(copy));
  await app.visit(browser, act);
  const after = await app.sessions.open(requestWith(browser.cookie));
  expect(after.toJSON()).toEqual(values);
  expect(after.id === before.id).toBe(keepsId);
  expect(await app.look(copy)).toEqual({ a: 1, b: 2 });
});

test("of parallel changes the last answer wins", async () => {
  const app = createApp(OPTIONS);
  const browser = await browserWith(app, { a: 1 });
  const answers = await overlap(
    app,
    browser.cookie,
    (session) => session.set("one", 1),
    (session) => session.set("two", 2),
  );
  expect(await app.look(keep(browser, ...answers))).toEqual({ a: 1, two: 2 });
});

test("a slow request still gets its cookie", async () => {
  const app = createApp(OPTIONS);
  const browser = await browserWith(app, { a: 1 });
  const slow = await hold(app, browser.cookie, (session) => session.set("b", 2));
  app.advance(DAY);
  expect(await app.look(keep(browser, await slow()))).toEqual({ a: 1, b: 2 });
});

test("endAll() and endOthers() throw, and say why", async () => {
  const app = createApp(OPTIONS);
  const { cookie } = await signedIn(app, "ann");
  const session = await app.sessions.open(requestWith(cookie));
  const errors = [
    await errorOf(() => app.sessions.endAll("ann")),
    await errorOf(() => app.sessions.endOthers(session)),
  ];
  for (const error of errors) {
    expect(error).toBeInstanceOf(SessionOptionsError);
    expect(String(error)).toContain("there is no store");
  }
  expect(session.isModified).toBe(false);
});

test(`dataIn "store" throws at once`, () => {
  const options = { secretKey: SECRET, store: null, dataIn: "store" } as const;
  expect(() => createSessions(options)).toThrow(SessionOptionsError);
});

test("a logout deletes the browser's cookie", async () => {
  const app = createApp(OPTIONS);
  const browser = await signedIn(app, "ann");
  await app.visit(browser, (session) => session.destroy());
  expect(browser.cookie).toBe("");
});
