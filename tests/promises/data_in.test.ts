import { describe, expect, test } from "bun:test";
import { memoryStore, type Store } from "../../session/mod.ts";
import { type App, type Browser, createApp } from "../support/app.ts";
import { DAY } from "../support/clock.ts";
import { claimsOf } from "../support/jws.ts";
import { requestWith } from "../support/requests.ts";
import { type Act, browserWith, hold, keep, signedIn } from "./support.ts";

const IN_STORE = { dataIn: "store" } as const;

/** Two instances that share a store, before and after the option was switched. */
function switched(from: "cookie" | "store", store: Store = memoryStore()): [App, App] {
  const before = createApp({ store, dataIn: from });
  const dataIn = from === "cookie" ? "store" : "cookie";
  return [before, createApp({ store, dataIn, now: before.now })];
}

const SIGNED = ["aud", "sid", "iat", "exp", "max", "ver", "sub", "auth_time"];

describe(`dataIn "store"`, () => {
  test("leaves the claims alone in the cookie, and the data may be large", async () => {
    const app = createApp(IN_STORE);
    const browser = await signedIn(app, "ann");
    expect(Object.keys(claimsOf(browser.cookie))).toEqual(SIGNED);
    const long = "a secret ".repeat(10_000);
    await app.visit(browser, (session) => session.set("long", long));
    expect(Object.keys(claimsOf(browser.cookie))).toEqual(SIGNED);
    expect(await app.look(browser.cookie)).toEqual({ username: "ann", long });
  });

  test("shows every copy of the cookie what is there now", async () => {
    const app = createApp(IN_STORE);
    const browser = await browserWith(app, { role: "admin", balance: 5 });
    const copy = browser.copy();
    await app.visit(browser, (session) => session.set("balance", 0));
    app.advance(DAY);
    expect(await app.look(copy.cookie)).toEqual({ role: "admin", balance: 0 });
    await app.visit(copy, (session) => session.set("a", 1));
    expect(await app.look(browser.cookie)).toEqual({ role: "admin", balance: 0, a: 1 });
  });

  test("a store that forgot the session has ended it", async () => {
    const { cookie } = await signedIn(createApp(IN_STORE), "ann");
    for (const dataIn of ["store", "cookie"] as const) {
      const app = createApp({ dataIn });
      const session = await app.sessions.open(requestWith(cookie));
      expect([session.isNew, session.subject]).toEqual([true, undefined]);
      expect(app.events.map(({ type }) => type)).toEqual(["ended"]);
    }
  });

  test("a store that went back to an older record has ended the newer cookie", async () => {
    const store = memoryStore();
    const app = createApp({ ...IN_STORE, store });
    const browser = await browserWith(app, { secret: 1 });
    const session = await app.sessions.open(requestWith(browser.cookie));
    const [before = ""] = await store.get([session.id]);
    await app.visit(browser, (session) => [session.pop("secret"), session.set("a", 1)]);
    const [after] = await store.get([session.id]);
    expect(await store.replace(session.id, after, before, 60)).toBe(true);
    expect(await app.look(browser.cookie)).toEqual({});
    expect(await app.look(browser.copies[0])).toEqual({ secret: 1 });
  });

  test("keeps the data under a new id and in a cookie that is signed again", async () => {
    const app = createApp(IN_STORE);
    const browser = await browserWith(app, { a: 1 });
    await app.visit(browser, (session) => session.regenerate());
    const [old] = browser.copies;
    expect([await app.look(old), await app.look(browser.cookie)]).toEqual([{}, { a: 1 }]);
    app.advance(4 * DAY);
    await app.visit(browser);
    app.advance(6 * DAY);
    expect(await app.look(browser.cookie)).toEqual({ a: 1 });
    expect(browser.copies).toHaveLength(3);
  });
});

const ACTS: readonly (readonly [string, Act])[] = [
  ["a read", (session) => session.get("a")],
  ["a change", (session) => session.set("b", 2)],
  ["regenerate()", (session) => session.regenerate()],
  ["signIn()", (session) => session.signIn("ann")],
];

describe.each(["cookie", "store"] as const)("the data in the %s, then switched", (from) => {
  test.each(ACTS)("%s keeps everybody signed in, and the data", async (_, act) => {
    for (const isChanged of [false, true]) {
      const [before, after] = switched(from);
      const browser = await signedIn(before, "ann");
      if (isChanged) await before.visit(browser, (session) => session.set("a", 1));
      // Then half of the window is gone, so the cookie is signed again though it is only read.
      for (const app of [after, before, after]) {
        before.advance(4 * DAY);
        await app.visit(browser, act);
        for (const instance of [before, after]) {
          const session = await instance.sessions.open(requestWith(browser.cookie));
          expect(session.subject).toBe("ann");
          expect(session.toJSON()).toMatchObject({ username: "ann", ...(isChanged && { a: 1 }) });
        }
      }
    }
  });

  test("endings and changes hold for the copies of either kind", async () => {
    const [before, after] = switched(from);
    const browser = await browserWith(before, { a: 1, secret: "x" });
    await after.visit(browser, (session) => session.set("b", 2));
    await before.visit(browser, (session) => session.pop("secret"));
    await after.visit(browser, (session) => session.set("c", 3));
    expect(browser.copies).toHaveLength(4);
    for (const copy of browser.copies) {
      expect([await before.look(copy), await after.look(copy)]).toEqual([
        { a: 1, b: 2, c: 3 },
        { a: 1, b: 2, c: 3 },
      ]);
    }
    await after.visit(browser, (session) => session.destroy());
    for (const copy of browser.copies) {
      expect([await before.look(copy), await after.look(copy)]).toEqual([{}, {}]);
    }
  });

  test("requests on instances of either kind lose nothing", async () => {
    const [before, after] = switched(from);
    const browser = await browserWith(before, { a: 1 });
    const held = [
      await hold(before, browser.cookie, (session) => session.set("b", 2)),
      await hold(after, browser.cookie, (session) => session.set("c", 3)),
    ];
    keep(browser, ...(await Promise.all(held.map((finish) => finish()))));
    for (const copy of browser.copies) {
      expect(await before.look(copy)).toEqual({ a: 1, b: 2, c: 3 });
      expect(await after.look(copy)).toEqual({ a: 1, b: 2, c: 3 });
    }
  });
});

async function large(): Promise<{ app: App; browser: Browser; long: string }> {
  const [before, app] = switched("store");
  const long = Buffer.from(crypto.getRandomValues(new Uint8Array(6000))).toString("base64");
  const browser = await browserWith(before, { long });
  before.advance(4 * DAY);
  return { app, browser, long };
}

describe("data in the store that does not fit into a cookie", () => {
  test("can still be read, and its cookie stays as it is", async () => {
    const { app, browser, long } = await large();
    const answer = await app.visit(browser);
    expect([answer.status, answer.headers.getSetCookie()]).toEqual([200, []]);
    expect(await answer.json()).toEqual({ long });
  });

  test("can be made smaller, and goes into the cookie", async () => {
    const { app, browser } = await large();
    await app.visit(browser, (session) => session.set("long", "short"));
    expect(claimsOf(browser.cookie)["data"]).toEqual({ long: "short" });
  });
});
