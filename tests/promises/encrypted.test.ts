import { describe, expect, test } from "bun:test";
import { memoryStore, type SessionOptions, type Store } from "../../session/mod.ts";
import { type App, type Browser, createApp } from "../support/app.ts";
import { requestWith } from "../support/requests.ts";
import { OTHER_SECRET, SECRET } from "../support/secrets.ts";
import { browserWith, signedIn } from "./support.ts";

/** A value to look for, in the app's data. */
const NEEDLE = "the quiet needle";

/** The texts that base64 may have for the needle: one for each place of its first byte in a group. */
const PHASES: readonly string[] = [0, 1, 2].flatMap((phase) => {
  const bytes = Buffer.from("\0".repeat(phase) + NEEDLE);
  // The first group and the last depend on what is around.
  return [bytes.toString("base64url").slice(4, -4), bytes.toString("base64").slice(4, -4)];
});

function shows(text: string): boolean {
  return text.includes(NEEDLE) || PHASES.some((phase) => text.includes(phase));
}

/** A store that shows all that it was ever given. */
function watchedStore(): Store & { readonly texts: string[] } {
  const store = memoryStore();
  const texts: string[] = [];
  return {
    texts,
    get: (keys) => store.get(keys),
    replace(key, previous, next, ttl) {
      texts.push(next);
      return store.replace(key, previous, next, ttl);
    },
  };
}

/** Instances with one clock and one store, each with its own options. */
function instances(...options: readonly Partial<SessionOptions>[]): App[] {
  const store = memoryStore();
  const first = createApp({ store, ...options[0] });
  const others = options.slice(1).map((own) => createApp({ store, now: first.now, ...own }));
  return [first, ...others];
}

function isEncrypted({ cookie }: Browser): boolean {
  return cookie.split(".").length === 5;
}

test("the way to look for data finds it in a signed cookie", async () => {
  for (const username of ["a", "ab", "abc"]) {
    const browser = await browserWith(createApp(), { username, text: NEEDLE });
    expect(shows(browser.cookie)).toBe(true);
  }
});

describe("encrypt: true", () => {
  test("shows the data neither in the cookie nor in the store", async () => {
    const store = watchedStore();
    const app = createApp({ store, encrypt: true });
    const browser = await signedIn(app, "ann");
    await app.visit(browser, (session) => session.set("text", NEEDLE));
    const copy = browser.copy();
    await app.visit(browser, (session) => [session.set("more", 1), session.flash(NEEDLE)]);
    expect(await app.look(copy.cookie)).toEqual({ username: "ann", text: NEEDLE, more: 1 });
    expect(
      store.texts.some((text) => / record \d+ eyJ[\w-]+\.\.[\w-]+\.[\w-]+\.[\w-]+$/.test(text)),
    ).toBe(true);
    for (const text of [...browser.copies, ...store.texts]) {
      expect(isEncrypted(browser)).toBe(true);
      expect(shows(text)).toBe(false);
    }
  });

  test("keeps every promise of the store: an older copy shows the newest state", async () => {
    const app = createApp({ encrypt: true });
    const browser = await browserWith(app, { role: "admin", balance: 5 });
    const copy = browser.copy();
    await app.visit(browser, (session) => session.pop("role"));
    expect(await app.look(copy.cookie)).toEqual({ balance: 5 });
    await app.visit(copy, (session) => session.set("balance", 6));
    expect(await app.look(browser.cookie)).toEqual({ balance: 6 });
    await app.visit(browser, (session) => session.destroy());
    expect(await app.look(copy.cookie)).toEqual({});
  });

  test("reads a session that changed at once, without decrypting its record", async () => {
    const app = createApp({ encrypt: true });
    const browser = await browserWith(app, { a: 1 });
    await app.visit(browser, (session) => session.set("a", 2));
    const session = app.sessions.open(requestWith(browser.cookie));
    expect(session).not.toBeInstanceOf(Promise);
    expect((await session).get("a")).toBe(2);
  });

  test(`works with dataIn "store"`, async () => {
    const store = watchedStore();
    const app = createApp({ store, encrypt: true, dataIn: "store" });
    const browser = await browserWith(app, { text: NEEDLE, long: "a".repeat(10_000) });
    expect(await app.look(browser.cookie)).toMatchObject({ text: NEEDLE });
    await app.visit(browser, (session) => session.set("more", 1));
    expect(await app.look(browser.cookie)).toMatchObject({ text: NEEDLE, more: 1 });
    expect(store.texts.some(shows)).toBe(false);
  });

  test("a record is no cookie", async () => {
    const store = watchedStore();
    const app = createApp({ store, encrypt: true });
    const browser = await browserWith(app, { a: 1 });
    await app.visit(browser, (session) => session.set("a", 2));
    const [record = ""] = store.texts.slice(-1);
    const name = browser.cookie.slice(0, browser.cookie.indexOf("="));
    expect(await app.look(`${name}=${record.split(" ").at(-1)}`)).toEqual({});
    expect(app.events.at(-1)).toEqual({ type: "rejected", reason: "wrong-purpose" });
  });

  test("an encrypted record can't be given another version", async () => {
    const store = memoryStore();
    const app = createApp({ store, encrypt: true });
    const browser = await browserWith(app, { a: 1 });
    const copy = browser.copy();
    await app.visit(browser, (session) => session.set("a", 2));
    const { id } = await app.sessions.open(requestWith(browser.cookie));
    const [text = ""] = await store.get([id]);
    const later = text.replace(/ (\d+) /, (_, version) => ` ${Number(version) + 1000} `);
    expect(await store.replace(id, text, later, 60)).toBe(true);
    expect(Promise.resolve(app.look(copy.cookie))).rejects.toThrow("not one of ours");
  });
});

describe("switched on", () => {
  test("it signs nobody out: a signed cookie is encrypted on its next response", async () => {
    const [before, after] = instances({}, { encrypt: true });
    if (before === undefined || after === undefined) throw new Error("Two");
    const browser = await signedIn(before, "ann");
    expect(isEncrypted(browser)).toBe(false);
    expect(await after.look(browser.cookie)).toEqual({ username: "ann" });
    await after.visit(browser);
    expect(isEncrypted(browser)).toBe(true);
    expect(after.events.map(({ type }) => type)).toEqual(["rotated"]);
    const { cookie } = browser;
    await after.visit(browser);
    expect(browser.cookie).toBe(cookie);
  });

  test("with fallbacks too, which decrypt", async () => {
    const [old, before, after] = instances(
      { secretKey: OTHER_SECRET },
      { secretKey: OTHER_SECRET, encrypt: true },
      { secretKey: SECRET, secretKeyFallbacks: OTHER_SECRET, encrypt: true },
    );
    for (const app of [old, before]) {
      if (old === undefined || app === undefined || after === undefined) throw new Error("Three");
      const browser = await signedIn(app, "ann");
      await app.visit(browser, (session) => session.set("a", 1));
      expect(await after.look(browser.cookie)).toEqual({ username: "ann", a: 1 });
      const { cookie } = browser;
      old.advance(61);
      await after.visit(browser);
      expect(browser.cookie).not.toBe(cookie);
      expect(isEncrypted(browser)).toBe(true);
    }
  });

  test("it reads records from before, and others read its own", async () => {
    const [plain, encrypting] = instances({}, { encrypt: true });
    if (plain === undefined || encrypting === undefined) throw new Error("Two");
    const browser = await browserWith(plain, { a: 1 });
    const copy = browser.copy();
    await plain.visit(browser, (session) => session.set("a", 2));
    expect(await encrypting.look(copy.cookie)).toEqual({ a: 2 });
    await encrypting.visit(browser, (session) => session.set("a", 3));
    expect(await plain.look(copy.cookie)).toEqual({ a: 3 });
    await plain.visit(browser, (session) => session.set("a", 4));
    expect(await encrypting.look(copy.cookie)).toEqual({ a: 4 });
  });

  test("and off by rolling the key", async () => {
    const [before, after] = instances(
      { secretKey: OTHER_SECRET, encrypt: true },
      { secretKey: SECRET, secretKeyFallbacks: OTHER_SECRET },
    );
    if (before === undefined || after === undefined) throw new Error("Two");
    const browser = await signedIn(before, "ann");
    const copy = browser.copy();
    await before.visit(browser, (session) => session.set("a", 1));
    expect(await after.look(copy.cookie)).toEqual({ username: "ann", a: 1 });
    before.advance(61);
    await after.visit(browser);
    expect(isEncrypted(browser)).toBe(false);
    expect(await after.look(browser.cookie)).toEqual({ username: "ann", a: 1 });
  });

  test("a record that no key opens is a failed store, and signs nobody in", async () => {
    const store = memoryStore();
    const app = createApp({ store, encrypt: true });
    const browser = await browserWith(app, { a: 1 });
    const copy = browser.copy();
    await app.visit(browser, (session) => session.set("a", 2));
    const { id } = await app.sessions.open(requestWith(browser.cookie));
    const [text = ""] = await store.get([id]);
    const spoiled = [
      text.replace(/eyJ[\w-]+/, (header) => `${header.slice(0, -4)}AAAA`),
      `${text.slice(0, -4)}AAAA`,
    ];
    let previous = text;
    for (const next of spoiled) {
      expect(await store.replace(id, previous, next, 60)).toBe(true);
      previous = next;
      expect(Promise.resolve(app.look(copy.cookie))).rejects.toThrow("not one of ours");
    }
  });
});

describe("JWS to JWE over three instances", () => {
  const SESSIONS = 1000;

  test.each<[string, readonly Partial<SessionOptions>[]]>([
    ["with one key", [{}, { encrypt: true }]],
    [
      "with a new key",
      [
        { secretKey: OTHER_SECRET },
        { secretKey: OTHER_SECRET, secretKeyFallbacks: SECRET },
        { secretKey: SECRET, secretKeyFallbacks: OTHER_SECRET, encrypt: true },
        { secretKey: SECRET, encrypt: true },
      ],
    ],
  ])(
    "%s: 1,000 sessions, none lost, and then no byte of the data in a cookie",
    async (_, steps) => {
      const store = watchedStore();
      const clock = createApp();
      const make = (step = 0): App =>
        createApp({ store, now: clock.now, storeTimeout: 10_000, ...steps[step] });
      const apps = [make(), make(), make()];
      const browsers = await Promise.all(
        Array.from({ length: SESSIONS }, (_unused, index) =>
          browserWith(apps[index % 3] ?? make(), { index, text: NEEDLE }),
        ),
      );
      let visits = 0;
      /** Each browser goes to some instance, and some change their session there. */
      async function visitAll(): Promise<void> {
        for (const [index, browser] of browsers.entries()) {
          const app = apps[(index + visits++) % 3] ?? make();
          await app.visit(browser, (session) => {
            expect(session.get("index")).toBe(index);
            expect(session.get("text")).toBe(NEEDLE);
            if (index % 4 === 0) session.set("visits", visits);
          });
        }
      }
      for (let step = 1; step < steps.length; step++) {
        for (let instance = 0; instance < 3; instance++) {
          apps[instance] = make(step);
          clock.advance(61);
          await visitAll();
        }
      }
      clock.advance(61);
      await visitAll();
      for (const browser of browsers) {
        expect(isEncrypted(browser)).toBe(true);
        expect(shows(browser.cookie)).toBe(false);
      }
      const before = store.texts.length;
      await visitAll();
      expect(store.texts.slice(before).some(shows)).toBe(false);
      expect(store.texts.length - before).toBe(SESSIONS / 4);
    },
    60_000,
  );
});
