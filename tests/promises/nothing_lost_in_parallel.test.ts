import { describe, expect, test } from "bun:test";
import { Browser, createApp } from "../support/app.ts";
import { DAY } from "../support/clock.ts";
import { requestWith } from "../support/requests.ts";
import { type Act, browserWith, describeEverywhere, hold, keep, overlap } from "./support.ts";

describeEverywhere("nothing is lost between parallel requests", (site) => {
  test.each([
    ["in their order", false],
    ["the other way round", true],
  ])("10 pairs change different keys, and are answered %s", async (_, isReversed) => {
    const { first, second } = site;
    for (let index = 0; index < 10; index++) {
      const browser = await browserWith(first, { begun: 1, popped: 1 });
      const other = index % 2 === 0 ? first : second;
      const held = [
        await hold(first, browser.cookie, (session) => session.set("one", index)),
        await hold(other, browser.cookie, (session) => [
          session.set("other", index),
          session.pop("popped"),
        ]),
      ];
      const answers = await Promise.all(held.map((finish) => finish()));
      keep(browser, ...(isReversed ? answers.toReversed() : answers));
      // Whichever cookie the browser was left with.
      for (const copy of browser.copies) {
        expect(await second.look(copy)).toEqual({ begun: 1, one: index, other: index });
      }
    }
  });

  test("what one instance wrote and ended the other knows at once, 50 times", async () => {
    const { first, second } = site;
    const visits = Array.from({ length: 50 }, async (_, index) => {
      const browser = await browserWith(first, { begun: 1 });
      const { cookie } = browser;
      await first.visit(browser, (session) => session.set("username", `user${index}`));
      expect(await second.look(cookie)).toEqual({ begun: 1, username: `user${index}` });
      await second.visit(browser, (session) => session.destroy());
      expect(await first.look(cookie)).toEqual({});
    });
    await Promise.all(visits);
  });
});

test("200 writers of one session in one process do not starve each other", async () => {
  const app = createApp({ storeTimeout: 10_000 });
  const { cookie } = await browserWith(app, { begun: 1 });
  const held = [];
  for (let index = 0; index < 200; index++) {
    held.push(await hold(app, cookie, (session) => session.set(`key${index}`, index)));
  }
  await Promise.all(held.map((finish) => finish()));
  expect(Object.keys(await app.look(cookie))).toHaveLength(201);
});

describe("two requests that overlap", () => {
  test.each<[string, Record<string, unknown>, Act, Act, Record<string, unknown>]>([
    [
      "set one key: the last one stands",
      { count: 0 },
      (session) => session.set("count", 1),
      (session) => session.set("count", 2),
      { count: 2 },
    ],
    [
      "set and clear: what the second had not seen stands",
      { count: 0 },
      (session) => session.set("theme", "dark"),
      (session) => session.clear(),
      { theme: "dark" },
    ],
    [
      "pop and set one key: the set stands",
      { count: 0, theme: "dark" },
      (session) => session.pop("count"),
      (session) => session.set("count", 1),
      { count: 1, theme: "dark" },
    ],
    [
      "set and pop one key: the pop stands",
      { count: 0, theme: "dark" },
      (session) => session.set("count", 1),
      (session) => session.pop("count"),
      { theme: "dark" },
    ],
    [
      "pop different keys: both are gone, and the session",
      { count: 0, theme: "dark" },
      (session) => session.pop("count"),
      (session) => session.pop("theme"),
      {},
    ],
  ])("%s, in either answer and a day later", async (_, values, one, two, expected) => {
    const app = createApp();
    const browser = await browserWith(app, values);
    keep(browser, ...(await overlap(app, browser.cookie, one, two)));
    for (const seconds of [0, DAY]) {
      app.advance(seconds);
      for (const copy of browser.copies) expect(await app.look(copy)).toEqual(expected);
    }
  });

  test("flash and take flashes: what was added meanwhile waits, what was taken does not", async () => {
    const app = createApp();
    const browser = await browserWith(app, { a: 1 });
    await app.visit(browser, (session) => session.flash("Seen"));
    const answers = await overlap(
      app,
      browser.cookie,
      (session) => session.flash("Meanwhile"),
      (session) => [session.takeFlashes(), session.flash("Mine", "error")],
    );
    const session = await app.sessions.open(requestWith(keep(browser, ...answers)));
    expect(session.flashes).toEqual([
      { category: "message", message: "Meanwhile" },
      { category: "error", message: "Mine" },
    ]);
  });

  test("without a cookie make a session each: the browser keeps the last one", async () => {
    const app = createApp();
    const answers = await overlap(
      app,
      "",
      (session) => session.set("one", 1),
      (session) => session.set("two", 2),
    );
    const cookie = keep(new Browser(), ...answers);
    expect(await app.look(cookie)).toEqual({ two: 2 });
  });
});
