import { expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import { memoryStore, type Session, SessionTooLargeError } from "../../session/mod.ts";
import { type App, Browser, createApp } from "../support/app.ts";
import { cookieOf, requestWith } from "../support/requests.ts";
import { browserWith, TIME_LIMIT } from "./support.ts";

setDefaultTimeout(TIME_LIMIT);

const NAME = "__Host-Http-session";
const parse: (text: string) => unknown = JSON.parse;

/** Any JSON value, with any keys, `__proto__` and `$date` too. */
const json: fc.Arbitrary<unknown> = fc.json({ maxDepth: 3 }).map(parse);
const key: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("__proto__", "constructor", "$flashes", "$subject", "$", "$$", "sid", ""),
);

test("any JSON value under any key is read back equal, through a cookie and another process", async () => {
  const pairs = fc.uniqueArray(fc.tuple(key, json), { selector: ([key]) => key, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(pairs, async (pairs) => {
      const { sessions } = createApp();
      const session = await sessions.open(requestWith());
      for (const [key, value] of pairs) session.set(key, value);
      let response: Response;
      try {
        response = await sessions.commit(session, new Response());
      } catch (error) {
        expect(error).toBeInstanceOf(SessionTooLargeError);
        return;
      }
      const next = await createApp().sessions.open(requestWith(cookieOf(response)));
      expect(next.size).toBe(pairs.length);
      for (const [key, value] of pairs) {
        expect(next.get(key)).toStrictEqual(value);
        expect(JSON.stringify(next.get(key))).toBe(JSON.stringify(value));
      }
    }),
    { numRuns: 200 },
  );
});

test("a session that is set to what it holds gives no Set-Cookie", async () => {
  await fc.assert(
    fc.asyncProperty(fc.dictionary(key, json, { maxKeys: 4 }), async (values) => {
      const { sessions } = createApp();
      const session = await sessions.open(requestWith());
      session.update({ ...values, always: 1 });
      const response = await Promise.resolve(sessions.commit(session, new Response())).catch(
        () => undefined,
      );
      if (response === undefined) return;
      const next = await sessions.open(requestWith(cookieOf(response)));
      next.update(structuredClone(values));
      expect(next.isModified).toBe(false);
      const second = await sessions.commit(next, new Response());
      expect(second.headers.getSetCookie()).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test("any change of one character of a cookie's token gives a new, empty session", async () => {
  const app = createApp();
  const { cookie } = await browserWith(app, { username: "ann", list: [1, { a: "b" }] });
  const at = fc.integer({ min: NAME.length + 1, max: cookie.length - 1 });
  const character = fc.oneof(
    fc.constantFrom(...Array.from("ABCXYZabcxyz0189-_.=+/ \t%\"';,")),
    fc.integer({ min: 0x21, max: 0xff }).map((code) => String.fromCharCode(code)),
  );
  await fc.assert(
    fc.asyncProperty(at, character, async (at, character) => {
      const mutated = cookie.slice(0, at) + character + cookie.slice(at + 1);
      // A blank at the end is trimmed, and leaves a shorter token.
      fc.pre(mutated !== cookie);
      const session = await app.sessions.open(requestWith(mutated));
      expect([session.isNew, session.size]).toEqual([true, 0]);
    }),
    { numRuns: 2000 },
  );
  expect(await app.look(cookie)).toMatchObject({ username: "ann" });
});

test("so does every character that is changed in its lowest bit", async () => {
  const app = createApp();
  const { cookie } = await browserWith(app, { username: "ann" });
  for (let at = NAME.length + 1; at < cookie.length; at++) {
    const character = String.fromCharCode(cookie.charCodeAt(at) ^ 1);
    const mutated = cookie.slice(0, at) + character + cookie.slice(at + 1);
    expect((await app.sessions.open(requestWith(mutated))).isNew).toBe(true);
  }
});

test("no Cookie header makes open() throw, or gives anybody a session", async () => {
  const { sessions } = createApp();
  const piece = fc.oneof(
    fc.constantFrom(NAME, "=", ";", "; ", ",", `"`, ".", "e30", "%", "$Version=1", "__proto__"),
    fc.string({
      unit: fc.integer({ min: 1, max: 0xff }).map((code) => String.fromCharCode(code)),
      maxLength: 20,
    }),
    fc.base64String({ maxLength: 200 }),
  );
  const header = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(""));
  await fc.assert(
    fc.asyncProperty(header, async (header) => {
      // Such a header does not come from the network: HTTP has no line breaks in a field.
      const request = requestWith(header.replaceAll(/[\r\n\0]/g, " "));
      const session = await sessions.open(request);
      expect([session.isNew, session.size]).toEqual([true, 0]);
      const response = await sessions.commit(session, new Response());
      expect(response.headers.getSetCookie()).toEqual([]);
    }),
    { numRuns: 2000 },
  );
});

const ACTS = ["set", "pop", "clear", "regenerate", "signIn", "destroy"] as const;

/** One request: with one of the cookies that were ever given, to one of two instances. */
interface Step {
  readonly cookie: number;
  readonly instance: number;
  readonly act: (typeof ACTS)[number];
  readonly key: string;
}

const step: fc.Arbitrary<Step> = fc.record({
  cookie: fc.nat(),
  instance: fc.nat({ max: 1 }),
  act: fc.constantFrom("set", "set", "pop", ...ACTS),
  key: fc.constantFrom("a", "b", "c"),
});

/** What a session has to be, by the promises. */
interface Line {
  readonly data: Map<string, number>;
  isEnded: boolean;
  isSignedIn: boolean;
  next: Line | undefined;
}

function begin(data: ReadonlyMap<string, number>, isSignedIn: boolean): Line {
  return { data: new Map(data), isEnded: false, isSignedIn, next: undefined };
}

/** Gives the line whose cookie the answer sets; undefined for none. */
function model(line: Line, { act, key }: Step, value: number): Line | undefined {
  if (line.isEnded) {
    if (act === "signIn") return begin(new Map(), true);
    if (act !== "destroy") return undefined;
    let last = line;
    while (last.next !== undefined) last = last.next;
    last.isEnded = true;
    return undefined;
  }
  if (act === "set") line.data.set(key, value);
  if (act === "pop") line.data.delete(key);
  if (act === "clear") line.data.clear();
  if (act === "destroy" || (line.data.size === 0 && !line.isSignedIn)) {
    line.isEnded = true;
    return undefined;
  }
  if (act !== "regenerate" && act !== "signIn") return line;
  line.isEnded = true;
  return (line.next = begin(line.data, line.isSignedIn || act === "signIn"));
}

function perform(session: Session, { act, key }: Step, value: number): void {
  if (act === "set") session.set(key, value);
  else if (act === "pop") session.pop(key);
  else if (act === "signIn") session.signIn("ann");
  else session[act]();
}

/** Sends the requests one after the other, and looks at every cookie after each. */
async function replay(apps: readonly [App, App], steps: readonly Step[]): Promise<void> {
  const first = begin(new Map([["a", 0]]), false);
  const cookies: { readonly text: string; readonly line: Line }[] = [];
  cookies.push({ text: (await browserWith(apps[0], { a: 0 })).cookie, line: first });
  for (const [index, step] of steps.entries()) {
    const cookie = cookies[step.cookie % cookies.length];
    const app = apps[step.instance];
    if (cookie === undefined || app === undefined) throw new RangeError("There is no such cookie");
    const browser = new Browser();
    browser.cookie = cookie.text;
    await app.visit(browser, (session) => perform(session, step, index + 1));
    const line = model(cookie.line, step, index + 1);
    if (line !== undefined) cookies.push({ text: browser.cookie, line });
    for (const { text, line } of cookies) {
      const expected = line.isEnded ? {} : Object.fromEntries(line.data);
      for (const { look } of apps) expect(await look(text)).toEqual(expected);
    }
  }
}

test("whatever was done with whichever copy, every copy shows the newest state or nothing", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), fc.boolean(), async (steps, isMixed) => {
      const store = memoryStore();
      const one = createApp({ store });
      const dataIn = isMixed ? "store" : "cookie";
      await replay([one, createApp({ store, dataIn, now: one.now })], steps);
    }),
    { numRuns: 100 },
  );
});
