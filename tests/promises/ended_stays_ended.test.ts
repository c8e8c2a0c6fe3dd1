import { describe, expect, test } from "bun:test";
import { memoryStore, type Session } from "../../session/mod.ts";
import { token, type TokenKind } from "../../session/testing/mod.ts";
import { type App, Browser, createApp } from "../support/app.ts";
import { DAY } from "../support/clock.ts";
import { requestWith } from "../support/requests.ts";
import { SECRET } from "../support/secrets.ts";
import {
  type Act,
  browserWith,
  describeEverywhere,
  hold,
  keep,
  overlap,
  typesOf,
} from "./support.ts";

const NAME = "__Host-Http-session";
const DELETION = `${NAME}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; Secure; SameSite=Lax`;

const ENDS: readonly (readonly [string, Act])[] = [
  ["destroy()", (session) => session.destroy()],
  ["clear()", (session) => session.clear()],
  ["the pop of its last keys", (session) => ["a", "b"].map((key) => session.pop(key))],
];

function destroy(session: Session): void {
  session.destroy();
}

describeEverywhere("what is ended stays ended", (site) => {
  test.each(ENDS)("%s deletes the cookie, and no copy opens again", async (_, end) => {
    const { first, second } = site;
    const browser = await browserWith(first, { a: 1 });
    await first.visit(browser, (session) => session.set("b", 2));
    const { copies } = browser;
    expect(copies).toHaveLength(2);
    for (const copy of copies) expect(await second.look(copy)).toEqual({ a: 1, b: 2 });
    const answer = await first.visit(browser, end);
    expect(answer.headers.getSetCookie()).toEqual([DELETION]);
    for (const app of [first, second]) {
      for (const copy of copies) expect(await app.look(copy)).toEqual({});
    }
  });

  test("nor where an instance has started again", async () => {
    const { first, harness } = site;
    const browser = await browserWith(first, { a: 1 });
    await first.visit(browser, destroy);
    const store = (await harness.reopen?.()) ?? harness.store;
    const restarted = createApp({ store, now: first.now });
    expect(await restarted.look(browser.copies[0])).toEqual({});
    expect(typesOf(restarted)).toEqual(["ended"]);
  });

  test("a request under way brings nothing back, and its change is an event", async () => {
    const { first, second } = site;
    const browser = await browserWith(first, { a: 1 });
    const late = await hold(second, browser.cookie, (session) => session.set("b", 2));
    await first.visit(browser, destroy);
    expect((await late()).headers.getSetCookie()).toEqual([]);
    expect(typesOf(second)).toEqual(["dropped"]);
    expect(await first.look(browser.copies[0])).toEqual({});
  });

  test.each([0, 10, 20])(
    "a logout that races 20 writers and comes after %i wins",
    async (place) => {
      await raceLogout(site.first, site.second, 20, place);
    },
  );
});

/** A logout among writers of two instances: no cookie that any of them gave opens a session. */
async function raceLogout(first: App, second: App, writers: number, place: number): Promise<void> {
  const browser = await browserWith(first, { a: 1 });
  const held = [];
  for (let index = 0; index < writers; index++) {
    const app = index % 2 === 0 ? first : second;
    held.push(await hold(app, browser.cookie, (session) => session.set(`key${index}`, index)));
  }
  held.splice(place, 0, await hold(first, browser.cookie, destroy));
  keep(browser, ...(await Promise.all(held.map((finish) => finish()))));
  for (const copy of browser.copies) {
    expect(await first.look(copy)).toEqual({});
    expect(await second.look(copy)).toEqual({});
  }
}

test("a logout that races 200 writers in one process wins", async () => {
  const app = createApp({ storeTimeout: 10_000 });
  await raceLogout(app, app, 200, 20);
});

test("no spelling of an ended session's cookie opens a session", async () => {
  const store = memoryStore();
  const app = createApp({ store });
  const { cookie } = await browserWith(app, { a: 1 });
  const spelled = spellings(cookie);
  const found = [];
  for (const spelling of spelled) found.push((await app.look(spelling))["a"]);
  // Some are the very cookie, beside others.
  expect(found.filter((value) => value === 1).length).toBeWithin(5, 20);
  await app.visit(Object.assign(new Browser(), { cookie }), destroy);
  // The first instance knows the token by its text, the other one verifies it anew.
  const instances = [app, createApp({ store })];
  for (const { look } of instances) {
    for (const spelling of spelled) expect(await look(spelling)).toEqual({});
  }
});

describe("an ended session's cookie", () => {
  test("sets no cookie for 60 s, since its request may overlap a login; then begins anew", async () => {
    const app = createApp();
    const browser = await browserWith(app, { a: 1 });
    const copy = browser.copy();
    await app.visit(browser, destroy);
    app.advance(59.999);
    const early = await app.visit(copy, (session) => session.set("b", 2));
    expect(early.headers.getSetCookie()).toEqual([]);
    expect(typesOf(app)).toEqual(["ended", "dropped"]);
    app.advance(0.001);
    const [ended = ""] = copy.copies;
    await app.visit(copy, (session) => session.set("b", 2));
    expect(await app.look(copy.cookie)).toEqual({ b: 2 });
    expect(await app.look(ended)).toEqual({});
  });

  test("is deleted by destroy(), even where another request was first", async () => {
    const app = createApp();
    const { cookie } = await browserWith(app, { a: 1 });
    const answers = await overlap(app, cookie, destroy, destroy);
    expect(answers.map(({ headers }) => headers.getSetCookie())).toEqual([[DELETION], [DELETION]]);
  });

  test("is left alone by a request that changed nothing, which drops nothing", async () => {
    const app = createApp();
    const { cookie } = await browserWith(app, { a: 1 });
    app.advance(5 * DAY);
    const [, late] = await overlap(app, cookie, destroy, (session) => session.get("a"));
    expect(late?.headers.getSetCookie()).toEqual([]);
    expect(app.events).toEqual([]);
  });
});

describe("destroy()", () => {
  test("drops the waiting flashes; what is set and flashed afterwards begins a session", async () => {
    const app = createApp();
    const browser = new Browser();
    await app.visit(browser, (session) => [session.signIn("ann"), session.flash("Unseen")]);
    const before = await app.sessions.open(requestWith(browser.cookie));
    await app.visit(browser, (session) => {
      session.flash("Never");
      session.permanent = true;
      session.destroy();
      expect([session.size, session.subject, session.permanent]).toEqual([0, undefined, false]);
      expect(session.flashes).toEqual([]);
      session.set("count", 1);
      session.flash("Goodbye");
    });
    const next = await app.sessions.open(requestWith(browser.cookie));
    expect(next.toJSON()).toEqual({ count: 1 });
    expect(next.flashes).toEqual([{ category: "message", message: "Goodbye" }]);
    expect([next.subject, next.id === before.id]).toEqual([undefined, false]);
    expect(await app.look(browser.copies[0])).toEqual({});
  });

  test("of a session with nothing but flashes leaves nothing", async () => {
    const app = createApp();
    const browser = new Browser();
    await app.visit(browser, (session) => session.flash("Unseen"));
    await app.visit(browser, destroy);
    expect(browser.cookie).toBe("");
  });
});

describe("the last key", () => {
  test("popped while a flash waits ends the session as the flash is taken, and no sooner", async () => {
    const app = createApp();
    const browser = await browserWith(app, { username: "ann" });
    await app.visit(browser, (session) => [session.pop("username"), session.flash("Goodbye")]);
    const { cookie } = browser;
    await app.visit(browser, (session) => {
      expect(session.isNew).toBe(false);
      expect(session.takeFlashes()).toHaveLength(1);
    });
    expect(browser.cookie).toBe("");
    expect((await app.sessions.open(requestWith(cookie))).isNew).toBe(true);
  });

  test("popped ends nothing where another request set one meanwhile", async () => {
    const app = createApp();
    const { cookie } = await browserWith(app, { a: 1 });
    const [, last] = await overlap(
      app,
      cookie,
      (session) => session.set("b", 2),
      (session) => session.clear(),
    );
    expect(await app.look(keep(new Browser(), last ?? new Response()))).toEqual({ b: 2 });
  });
});

describe("a visitor", () => {
  test.each<[string, Act]>([
    ["destroy()", destroy],
    ["clear()", (session) => session.clear()],
    ["set() and pop()", (session) => [session.set("a", 1), session.pop("a")]],
    ["flash() and takeFlashes()", (session) => [session.flash("Hi"), session.takeFlashes()]],
    ["regenerate()", (session) => session.regenerate()],
    ["permanent", (session) => (session.permanent = true)],
  ])("gets no cookie by %s", async (_, act) => {
    const answer = await createApp().visit(new Browser(), act);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  test("leaves nothing in the store, without a cookie or with one that is not good", async () => {
    const calls: string[] = [];
    const inner = memoryStore();
    const app = createApp({
      store: {
        get: (keys) => (calls.push("get"), inner.get(keys)),
        replace: (...change) => (calls.push("replace"), inner.replace(...change)),
      },
    });
    const cookies = ["", `${NAME}=x`, `${NAME}=`, NAME, "other=1"];
    const kinds: TokenKind[] = ["malformed", "unknown-key", "wrong-purpose", "expired", "forged"];
    const options = { secretKey: SECRET, now: app.now };
    for (const kind of kinds) {
      cookies.push(`${NAME}=${await token({ data: { a: 1 } }, { ...options, kind })}`);
    }
    const acts: Act[] = [
      (session) => session.get("a"),
      (session) => session.pop("a"),
      (session) => session.takeFlashes(),
      (session) => session.regenerate(),
      (session) => session.clear(),
      destroy,
      (session) => session.set("a", 1),
    ];
    for (const cookie of cookies) {
      for (const act of acts) {
        const session = await app.sessions.open(requestWith(cookie));
        expect(session.isNew).toBe(true);
        act(session);
        await app.sessions.commit(session, new Response());
      }
    }
    expect(calls).toEqual([]);
  });
});

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=";

/** A cookie as it is, and in every other spelling that a parser or a decoder could take for it. */
function spellings(cookie: string): string[] {
  const [name = "", value = ""] = cookie.split(/=(.*)/s);
  const [header = "", payload = "", signature = ""] = value.split(".");
  const values = [
    ...Array.from(LETTERS, (letter) => value.slice(0, -1) + letter),
    ...Array.from(signature, (_, i) =>
      [" ", "=", "%", "\t", "."].map(
        (mark) => `${header}.${payload}.${signature.slice(0, i)}${mark}${signature.slice(i)}`,
      ),
    ).flat(),
    ...["=", "==", ".", "%3D", "~"].map((end) => value + end),
    `${header}=.${payload}.${signature}`,
    `${header}.${payload}=.${signature}`,
    value.replaceAll("-", "+").replaceAll("_", "/"),
    value.replaceAll(".", "%2E"),
    `%65${value.slice(1)}`,
    `"${value}"`,
    ` ${value}`,
    `${value}\t`,
  ];
  return [
    ...values.map((spelled) => `${name}=${spelled}`),
    `  ${name} = ${value} `,
    `other=1; ${cookie}; last=2`,
    `;;${cookie};;`,
    `${cookie}; ${cookie}`,
    `${cookie}; ${name}=x`,
    `${name}=x; ${cookie}`,
    `${cookie}, ${cookie}`,
    `${name.toLowerCase()}=${value}`,
    `${name.toUpperCase()}=${value}`,
    `$Version=1; ${cookie}; $Path=/`,
    `session=${value}`,
    `=${cookie}`,
  ];
}
