import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { SessionTooLargeError } from "../../session/mod.ts";
import { cookieOf, createApp, Jar, requestWith } from "../support/helpers.ts";

const NAME = "__Host-Http-session";
const parse: (text: string) => unknown = JSON.parse;

/** Any JSON value, with any keys, `__proto__` and `$date` too. */
const json: fc.Arbitrary<unknown> = fc.json({ maxDepth: 3 }).map(parse);
const key: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("__proto__", "constructor", "$flashes", "$subject", "$", "$$", "sid", ""),
);

describe("properties", () => {
  test("any JSON value under any key is read back equal, through a cookie and another process", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(key, json), { selector: ([key]) => key, maxLength: 5 }),
        async (pairs) => {
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
        },
      ),
      { numRuns: 200 },
    );
  });

  test("C3 any mutation of one character of a cookie's token is a new, empty session", async () => {
    const { sessions, visit } = createApp();
    const jar = new Jar();
    await visit(jar, (session) => session.update({ username: "ann", list: [1, { a: "b" }] }));
    const cookie = jar.cookie ?? "";
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
        const session = await sessions.open(requestWith(mutated));
        expect([session.isNew, session.size]).toEqual([true, 0]);
      }),
      { numRuns: 2000 },
    );
    expect((await sessions.open(requestWith(cookie))).get("username")).toBe("ann");
  });

  test("every character of a token, changed in its lowest bit, is a new, empty session: C3", async () => {
    const { sessions, visit } = createApp();
    const jar = new Jar();
    await visit(jar, (session) => session.set("username", "ann"));
    const cookie = jar.cookie ?? "";
    for (let at = NAME.length + 1; at < cookie.length; at++) {
      const character = String.fromCharCode(cookie.charCodeAt(at) ^ 1);
      const mutated = cookie.slice(0, at) + character + cookie.slice(at + 1);
      expect((await sessions.open(requestWith(mutated))).isNew).toBe(true);
    }
  });

  test("B3 no Cookie header can make open throw, or give anybody a session", async () => {
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
});
