import { describe, expect, test } from "bun:test";
import type { Session } from "../../session/mod.ts";
import { Browser, createApp } from "../support/app.ts";
import { DAY } from "../support/clock.ts";
import { requestWith } from "../support/requests.ts";
import { browserWith, describeEverywhere, keep, overlap, typesOf } from "./support.ts";

describeEverywhere("what is popped stays popped, what is changed stays changed", (site) => {
  test("in every copy of an older cookie, on every instance, as long as it can open", async () => {
    const { first, second } = site;
    const browser = await browserWith(first, { kept: 1, secret: "x", count: 1 });
    await first.visit(browser, (session) => session.set("more", 1));
    const older = [...browser.copies];
    await first.visit(browser, (session) => [session.pop("secret"), session.set("count", 2)]);
    const expected = { kept: 1, more: 1, count: 2 };
    for (const seconds of [0, 61, DAY, 6 * DAY - 62]) {
      first.advance(seconds);
      for (const copy of older) {
        expect(await first.look(copy)).toEqual(expected);
        expect(await second.look(copy)).toEqual(expected);
      }
    }
    first.advance(1);
    for (const copy of older) expect(await second.look(copy)).toEqual({});
  });

  test("where an older copy is used, which gets the newest state and keeps what it adds", async () => {
    const { first, second } = site;
    const browser = await browserWith(first, { kept: 1, secret: "x" });
    const copier = browser.copy();
    const reader = browser.copy();
    await first.visit(browser, (session) => session.pop("secret"));
    first.advance(DAY);
    const answer = await second.visit(reader);
    expect(answer.headers.getSetCookie()).toHaveLength(1);
    expect((await second.visit(reader)).headers.getSetCookie()).toEqual([]);
    expect(await first.look(reader.cookie)).toEqual({ kept: 1 });
    await second.visit(copier, (session) => session.set("more", 1));
    for (const { cookie } of [browser, copier, reader]) {
      expect(await first.look(cookie)).toEqual({ kept: 1, more: 1 });
    }
  });
});

describe("a request that was under way as a key was popped", () => {
  test("loses a change inside its value, with an event, and keeps what it set", async () => {
    const app = createApp();
    const values = { cart: ["tea"], wishes: ["cake"], theme: "dark" };
    const { cookie } = await browserWith(app, values);
    const [, answer] = await overlap(
      app,
      cookie,
      (session) => [session.pop("cart"), session.pop("wishes")],
      (session) => {
        push(session, "cart", "milk");
        session.set("wishes", ["bread"]);
      },
    );
    expect(typesOf(app)).toEqual(["dropped"]);
    expect(await app.look(keep(new Browser(), answer ?? new Response()))).toEqual({
      theme: "dark",
      wishes: ["bread"],
    });
  });

  test("shows it no longer in the answers of either", async () => {
    const app = createApp();
    const { cookie } = await browserWith(app, { secret: "x", theme: "dark" });
    const answers = await overlap(
      app,
      cookie,
      (session) => session.pop("secret"),
      (session) => session.set("theme", "light"),
    );
    for (const answer of answers) {
      expect(await app.look(keep(new Browser(), answer))).toEqual({ theme: "light" });
    }
  });
});

test("a change inside a value that another request replaced is dropped, and an equal one is not", async () => {
  const app = createApp();
  const { cookie } = await browserWith(app, { cart: ["tea"], wishes: ["cake"] });
  await overlap(
    app,
    cookie,
    (session) => [session.set("cart", ["coffee"]), push(session, "wishes", "bread")],
    (session) => [push(session, "cart", "milk"), push(session, "wishes", "bread")],
  );
  expect(await app.look(cookie)).toEqual({ cart: ["coffee"], wishes: ["cake", "bread"] });
  expect(typesOf(app)).toEqual(["dropped"]);
});

test("a flash that was taken waits in no older copy", async () => {
  const app = createApp();
  const browser = await browserWith(app, { a: 1 });
  await app.visit(browser, (session) => session.flash("Saved"));
  const copy = browser.copy();
  await app.visit(browser, (session) => expect(session.takeFlashes()).toHaveLength(1));
  const session = await app.sessions.open(requestWith(copy.cookie));
  expect(session.flashes).toEqual([]);
});

/** Changes a value inside, without setting its key. */
function push(session: Session, key: string, item: string): void {
  Reflect.apply(Array.prototype.push, session.get(key), [item]);
}
