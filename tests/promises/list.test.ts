import { describe, expect, test } from "bun:test";
import { memoryStore, type SessionInfo, type Store } from "../../session/mod.ts";
import { type App, Browser, createApp } from "../support/app.ts";
import { DAY, START } from "../support/clock.ts";
import { errorOf, untyped } from "../support/errors.ts";
import { claimsOf } from "../support/jws.ts";
import { requestWith } from "../support/requests.ts";
import { type Act, describeEverywhere, hold, keep } from "./support.ts";

/** A browser that signed in, and what `list` calls its session. */
async function signIn(app: App, subject: string, label?: string): Promise<Browser> {
  const browser = new Browser();
  await app.visit(browser, (session) =>
    session.signIn(subject, label === undefined ? {} : { label }),
  );
  return browser;
}

function refOf({ cookie }: Browser): string {
  return String(claimsOf(cookie)["sid"]).slice(0, 12);
}

async function refsOf({ sessions }: App, subject: string): Promise<string[]> {
  return (await sessions.list(subject)).map(({ ref }) => ref);
}

async function isSignedIn({ sessions }: App, { cookie }: Browser): Promise<boolean> {
  return (await sessions.open(requestWith(cookie))).subject !== undefined;
}

/** The times of a session that was not used since it started, in milliseconds. */
function times(start: number): Pick<SessionInfo, "startedAt" | "seenAt" | "expiresAt"> {
  const expiresAt = new Date(start + 7 * DAY * 1000);
  return { startedAt: new Date(start), seenAt: new Date(start), expiresAt };
}

const listed = { list: true } as const;

describeEverywhere(
  "the list of a user's sessions",
  (site) => {
    test("has those of this user, newest first, with what the app calls them", async () => {
      const { first, second } = site;
      const [ann, bob] = [crypto.randomUUID(), crypto.randomUUID()];
      const phone = await signIn(first, ann, "Safari on iPhone");
      first.advance(60);
      const laptop = await signIn(second, ann);
      const other = await signIn(second, bob, "Firefox on Linux");
      const start = first.now() - 60_000;
      for (const { sessions } of [first, second]) {
        expect(await sessions.list(ann)).toEqual([
          { ref: refOf(laptop), ...times(start + 60_000) },
          { ref: refOf(phone), label: "Safari on iPhone", ...times(start) },
        ]);
        expect(await sessions.list(bob)).toEqual([
          { ref: refOf(other), label: "Firefox on Linux", ...times(start + 60_000) },
        ]);
        expect(await sessions.list(crypto.randomUUID())).toEqual([]);
      }
    });

    test("ends one of them from another one, its copies too, and leaves the rest", async () => {
      const { first, second } = site;
      const ann = crypto.randomUUID();
      const [phone, laptop] = [await signIn(first, ann), await signIn(second, ann)];
      const late = await hold(second, phone.cookie, (session) => session.set("a", 1));
      expect(await first.sessions.end(ann, refOf(phone))).toBe(true);
      expect((await late()).headers.getSetCookie()).toEqual([]);
      for (const app of [first, second]) {
        expect([await isSignedIn(app, phone), await isSignedIn(app, laptop)]).toEqual([
          false,
          true,
        ]);
        expect(await refsOf(app, ann)).toEqual([refOf(laptop)]);
        expect(await app.sessions.end(ann, refOf(phone))).toBe(false);
      }
    });

    test("ends none that is another user's, or nobody's", async () => {
      const { first, second } = site;
      const [ann, bob] = [crypto.randomUUID(), crypto.randomUUID()];
      const browser = await signIn(first, ann);
      const ref = refOf(browser);
      expect(await second.sessions.end(bob, ref)).toBe(false);
      for (const other of ["", ref.slice(1), `${ref} `, `${ref}A`, "__proto__", "constructor"]) {
        expect(await second.sessions.end(ann, other)).toBe(false);
      }
      expect(await second.sessions.end(ann, untyped(undefined))).toBe(false);
      expect(await isSignedIn(first, browser)).toBe(true);
    });

    test.each<[string, Act]>([
      ["regenerate()", (session) => session.regenerate()],
      ["confirm()", (session) => session.confirm()],
    ])("has a session under its new id, with its start and its name: %s", async (_, act) => {
      const { first, second } = site;
      const ann = crypto.randomUUID();
      const browser = await signIn(first, ann, "Firefox on Linux");
      const before = refOf(browser);
      const startedAt = new Date(first.now());
      first.advance(60);
      await second.visit(browser, act);
      const [info, ...others] = await first.sessions.list(ann);
      const seenAt = new Date(first.now());
      expect(others).toEqual([]);
      expect(info).toMatchObject({ ref: refOf(browser), label: "Firefox on Linux" });
      expect([info?.startedAt, info?.seenAt]).toEqual([startedAt, seenAt]);
      expect(await second.sessions.end(ann, before)).toBe(false);
      expect(await second.sessions.end(ann, refOf(browser))).toBe(true);
      expect(await isSignedIn(first, browser)).toBe(false);
    });

    test("has a browser that signs in again once, from its new start", async () => {
      const { first, second } = site;
      const [ann, bob] = [crypto.randomUUID(), crypto.randomUUID()];
      const browser = await signIn(first, ann, "Old");
      first.advance(60);
      await second.visit(browser, (session) => session.signIn(ann, { label: "New" }));
      const [info, ...others] = await first.sessions.list(ann);
      expect(info).toMatchObject({ label: "New", startedAt: new Date(first.now()) });
      expect(others).toEqual([]);
      await second.visit(browser, (session) => session.signIn(bob));
      expect(await refsOf(first, ann)).toEqual([]);
      expect(await refsOf(first, bob)).toEqual([refOf(browser)]);
    });

    test("loses a session that signs out, by a logout that overtook its new id as well", async () => {
      const { first, second } = site;
      const ann = crypto.randomUUID();
      const [phone, laptop] = [await signIn(first, ann), await signIn(first, ann)];
      await second.visit(phone, (session) => session.destroy());
      expect(await refsOf(first, ann)).toEqual([refOf(laptop)]);
      const logout = await hold(second, laptop.cookie, (session) => session.destroy());
      await first.visit(laptop, (session) => session.regenerate());
      await logout();
      expect(await refsOf(second, ann)).toEqual([]);
    });

    test("is empty after endAll(), and has one session after endOthers()", async () => {
      const { first, second } = site;
      const ann = crypto.randomUUID();
      for (let round = 0; round < 2; round++) {
        const browsers = [];
        for (const app of [first, second, first]) browsers.push(await signIn(app, ann));
        const [here = new Browser()] = browsers;
        await second.visit(here, (session) => second.sessions.endOthers(session));
        expect(await refsOf(first, ann)).toEqual([refOf(here)]);
        await signIn(second, ann);
        expect(await refsOf(first, ann)).toHaveLength(2);
        await first.sessions.endAll(ann);
        expect(await refsOf(second, ann)).toEqual([]);
        const again = await signIn(second, ann);
        expect(await refsOf(first, ann)).toEqual([refOf(again)]);
        await second.visit(again, (session) => session.destroy());
      }
    });

    test("says when a session was last used: when its cookie was signed", async () => {
      const { first, second } = site;
      const ann = crypto.randomUUID();
      const browser = await signIn(first, ann);
      first.advance(DAY);
      await second.visit(browser, (session) => session.get("a"));
      expect((await first.sessions.list(ann))[0]?.seenAt).toEqual(
        new Date(first.now() - DAY * 1000),
      );
      await second.visit(browser, (session) => session.set("a", 1));
      const seen = {
        seenAt: new Date(first.now()),
        expiresAt: new Date(first.now() + 7 * DAY * 1000),
      };
      expect((await first.sessions.list(ann))[0]).toMatchObject(seen);
      first.advance(4 * DAY);
      await second.visit(browser); // The cookie is signed again.
      expect((await first.sessions.list(ann))[0]?.seenAt).toEqual(new Date(first.now()));
      first.advance(7 * DAY - 1);
      expect(await refsOf(first, ann)).toEqual([refOf(browser)]);
      first.advance(1);
      expect(await refsOf(first, ann)).toEqual([]);
      expect(await second.sessions.end(ann, refOf(browser))).toBe(false);
    });

    test("has 100 sessions: the next login ends the first, and no other", async () => {
      const { first, second } = site;
      const ann = crypto.randomUUID();
      const browsers: Browser[] = [];
      for (let count = 0; count < 100; count++) {
        browsers.push(await signIn(count % 2 === 0 ? first : second, ann));
        first.advance(1);
      }
      const [oldest = new Browser(), next = new Browser()] = browsers;
      await first.visit(oldest, (session) => session.set("a", 1)); // It is used, and still the oldest.
      await first.visit(oldest, (session) => session.regenerate());
      expect(await refsOf(second, ann)).toHaveLength(100);
      expect(await isSignedIn(second, oldest)).toBe(true);
      const last = await signIn(second, ann);
      for (const app of [first, second]) {
        expect(await isSignedIn(app, oldest)).toBe(false);
        expect([await isSignedIn(app, next), await isSignedIn(app, last)]).toEqual([true, true]);
        const refs = await refsOf(app, ann);
        expect([refs.length, refs[0], refs.at(-1)]).toEqual([100, refOf(last), refOf(next)]);
      }
    });
  },
  listed,
);

describe("without the option", () => {
  test("list() and end() throw, and signIn() takes a label", async () => {
    const app = createApp();
    await app.visit(new Browser(), (session) => session.signIn("ann", { label: "Firefox" }));
    const errors = [
      await errorOf(() => app.sessions.list("ann")),
      await errorOf(() => app.sessions.end("ann", "AAAAAAAAAAAA")),
    ];
    for (const error of errors) expect(error).toMatchObject({ code: "ERR_SESSION_OPTIONS" });
  });

  test("a session comes into the list once its cookie is signed again", async () => {
    const before = createApp();
    const browser = await signIn(before, "ann");
    const app = createApp({ list: true, now: before.now });
    expect(await refsOf(app, "ann")).toEqual([]);
    before.advance(4 * DAY);
    await app.visit(browser);
    const [info] = await app.sessions.list("ann");
    expect(info).toMatchObject({ ref: refOf(browser), startedAt: new Date(START) });
  });
});

describe("a label", () => {
  test.each<[unknown]>([
    ["a".repeat(61)],
    ["😀".repeat(61)],
    ["\uD800"],
    ["Firefox\n"],
    ["Firefox\u0000"],
    ["\u202Exofirif"],
    ["Fire\u200Bfox"],
    ["Fire\u2028fox"],
    [5],
    [null],
  ])("is not %p", async (label) => {
    const app = createApp({ list: true });
    const session = await app.sessions.open(requestWith());
    const error = await errorOf(() => session.signIn("ann", untyped({ label })));
    expect(error).toMatchObject({ code: "ERR_SESSION_VALUE", path: "label" });
    expect([session.subject, session.isModified]).toEqual([undefined, false]);
  });

  test.each(["", "😀".repeat(60), `<b>"&'`, "Firefox mit Umlaut: ä", "Файерфокс", "__proto__"])(
    "may be %p, and is not in the cookie",
    async (label) => {
      const app = createApp({ list: true });
      const browser = await signIn(app, "ann", label);
      expect((await app.sessions.list("ann"))[0]?.label).toBe(label);
      expect(claimsOf(browser.cookie)).not.toContainAnyValues([label]);
      expect(claimsOf(browser.cookie)).not.toHaveProperty("label");
    },
  );
});

test.each<[unknown]>([[""], [5], [undefined], ["\uD800"]])("%p has no list", async (subject) => {
  const { sessions } = createApp({ list: true });
  const errors = [
    await errorOf(() => sessions.list(untyped(subject))),
    await errorOf(() => sessions.end(untyped(subject), "AAAAAAAAAAAA")),
  ];
  for (const error of errors) expect(error).toMatchObject({ code: "ERR_SESSION_VALUE" });
});

test("an adopted session is in the list of its subject", async () => {
  const app = createApp({
    list: true,
    adopt: () => ({ data: {}, subject: "ann", credential: "old" }),
  });
  const browser = new Browser();
  keep(browser, await app.visit(browser));
  expect(await refsOf(app, "ann")).toEqual([refOf(browser)]);
});

test("a session that moves while the list is read is in it", async () => {
  const store = memoryStore();
  const slow: Store = {
    async get(keys) {
      const values = await store.get(keys);
      if (keys.length === 1) await moveOnce();
      return values;
    },
    replace: (...change) => store.replace(...change),
  };
  const app = createApp({ list: true, store });
  const browser = await signIn(app, "ann");
  let isMoved = false;
  async function moveOnce(): Promise<void> {
    if (isMoved) return;
    isMoved = true;
    await app.visit(browser, (session) => session.regenerate());
  }
  const reader = createApp({ list: true, store: slow, now: app.now });
  expect(await refsOf(reader, "ann")).toEqual([refOf(browser)]);
  expect(isMoved).toBe(true);
});
