import { describe, expect, test } from "bun:test";
import { jwtVerify } from "jose";
import type { State } from "../../session/state.ts";
import { writeClaims } from "../../session/token/claims.ts";
import type { Rejection } from "../../session/token/format.ts";
import { tokenLength } from "../../session/token/format.ts";
import { generationKey, randomId, type Tokens } from "../../session/token/token.ts";
import { createClock, DAY, START } from "../support/clock.ts";
import { claimsOf, forge, KID, OTHER_KID, signText } from "../support/jws.ts";
import { OTHER_SECRET, SECRET } from "../support/secrets.ts";
import {
  AUDIENCE,
  CLAIMS,
  HEADER,
  ID,
  outcomeOf,
  signState,
  stateOf,
  tokensOf,
} from "../support/tokens.ts";

const SECONDS = START / 1000;

/** The session that other tokens of the same key read. */
async function read(token: string, tokens: Tokens = tokensOf()): Promise<State> {
  const result = await tokens.verify(token);
  if (typeof result === "string") throw new Error(`The token is ${result}`);
  return result.state;
}

describe("a token, to the letter", () => {
  test("is a compact JWS with its claims in their order", async () => {
    const token = await signState(tokensOf(), stateOf({ username: `"admin"` }));
    const [header = "", payload = ""] = token.split(".");
    expect(atob(header)).toBe(`{"alg":"HS256","typ":"session+jwt","kid":"${KID}"}`);
    expect(atob(payload)).toBe(
      `{"aud":"__Host-Http-session","sid":"AAECAwQFBgcICQoLDA0ODw","iat":1700000000,"exp":1700604800,"max":1702592000,"ver":1700000000000,"data":{"username":"admin"}}`,
    );
    expect(token).toBe(
      "eyJhbGciOiJIUzI1NiIsInR5cCI6InNlc3Npb24rand0Iiwia2lkIjoiOVMzNW1hQnEifQ.eyJhdWQiOiJfX0hvc3QtSHR0cC1zZXNzaW9uIiwic2lkIjoiQUFFQ0F3UUZCZ2NJQ1FvTERBME9EdyIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwNjA0ODAwLCJtYXgiOjE3MDI1OTIwMDAsInZlciI6MTcwMDAwMDAwMDAwMCwiZGF0YSI6eyJ1c2VybmFtZSI6ImFkbWluIn19.484eBcMl_fGJhad79Q2cALgs5R4pQ7oAbmi0ssmFSYs",
    );
    expect(token).toBe(signText(`${header}.${payload}`, SECRET));
  });

  test("has no data of the user's beside the claims", async () => {
    const data = { aud: `"other"`, exp: "1", sub: `"root"`, permanent: "true", flashes: "[]" };
    const token = await signState(tokensOf(), stateOf(data));
    const claims = { aud: "other", exp: 1, sub: "root", permanent: true, flashes: [] };
    expect(claimsOf(token)).toEqual({ ...CLAIMS, data: claims });
    expect(await read(token)).toEqual(stateOf(data));
  });

  test("A6 has no character but those of base64url and dots, whatever the data", async () => {
    const odd = JSON.stringify(`;,"\\ \u0000\r\nä\u{1f36a}\ud800`);
    const token = await signState(tokensOf(), stateOf({ odd, [`;=\u0000`]: odd }));
    expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(await outcomeOf(token)).toBe("taken");
  });

  test("is as long as it was foretold, whatever is in it", async () => {
    for (const text of ["", "a", "ab", "abc", "ä\u{1f36a}", "a".repeat(3000)]) {
      const state = stateOf({ text: JSON.stringify(text) });
      const claims = writeClaims(state, AUDIENCE, undefined);
      const token = await tokensOf().sign(claims, state, false);
      expect(tokenLength(claims, "HS256")).toBe(token.length);
    }
  });
});

describe("jose alone verifies a token", () => {
  const key = new TextEncoder().encode(SECRET);
  const options = {
    algorithms: ["HS256"],
    typ: "session+jwt",
    audience: AUDIENCE,
    maxTokenAge: 7 * DAY,
    requiredClaims: ["sid", "iat", "exp", "max", "ver"],
    currentDate: new Date(START),
  };

  test("with its type, audience and maximum age", async () => {
    const token = await signState(tokensOf(), stateOf({ username: `"admin"` }));
    const { payload, protectedHeader } = await jwtVerify(token, key, options);
    expect(payload).toEqual({ ...CLAIMS });
    expect(protectedHeader).toEqual({ alg: "HS256", typ: "session+jwt", kid: KID });
  });

  test.each([
    ["another type", { typ: "JWT" }],
    ["another audience", { audience: "other" }],
    ["a time after its end", { currentDate: new Date(START + 8 * DAY * 1000) }],
    ["another algorithm", { algorithms: ["HS512"] }],
  ])("and not with %s", async (_, other) => {
    const token = await signState(tokensOf(), stateOf({ username: `"admin"` }));
    expect(async () => jwtVerify(token, key, { ...options, ...other })).toThrow();
  });
});

describe("C14 the payload is data", () => {
  test("a key __proto__ is a key like others", async () => {
    const payload = JSON.stringify(CLAIMS).replace("username", "__proto__");
    const { data } = await read(signText(forge({ header: HEADER, payload }), SECRET));
    expect([...data]).toEqual([["__proto__", `"admin"`]]);
    expect(Reflect.get({}, "admin")).toBeUndefined();
  });

  test.each<[string, string]>([
    ["nesting of 1,000 levels", `${"[".repeat(1000)}${"]".repeat(1000)}`],
    ["lone surrogates", `"\\ud800"`],
    ["the same key twice", `1,"a":2`],
  ])("%s is no error", async (_, text) => {
    const payload = JSON.stringify(CLAIMS).replace(`"admin"`, text);
    expect(await outcomeOf(signText(forge({ header: HEADER, payload }), SECRET))).toBe("taken");
  });
});

describe("the keys of the ring", () => {
  test("G1 the current one signs, whatever fallbacks there are", async () => {
    const tokens = tokensOf({ secrets: [SECRET, OTHER_SECRET] });
    const token = await signState(tokens, stateOf());
    expect(await outcomeOf(token)).toBe("taken");
    expect(await outcomeOf(token, tokensOf({ secrets: [OTHER_SECRET] }))).toBe("unknown-key");
  });

  test("C6 a kid selects exactly one", async () => {
    const tokens = tokensOf({ secrets: [SECRET, OTHER_SECRET] });
    const ours = forge({ header: HEADER, payload: CLAIMS });
    const others = forge({ header: { ...HEADER, kid: OTHER_KID }, payload: CLAIMS });
    expect(await tokens.verify(signText(ours, SECRET))).toMatchObject({ isCurrentKey: true });
    const fallback = await tokens.verify(signText(others, OTHER_SECRET));
    expect(fallback).toMatchObject({ isCurrentKey: false });
    expect(await outcomeOf(signText(others, SECRET), tokens)).toBe("forged");
    expect(await outcomeOf(signText(ours, OTHER_SECRET), tokens)).toBe("forged");
  });

  test("G3 one that was taken out verifies nothing more", async () => {
    const token = await signState(tokensOf({ secrets: [OTHER_SECRET] }), stateOf());
    const during = tokensOf({ secrets: [SECRET, OTHER_SECRET] });
    expect(await outcomeOf(token, during)).toBe("taken");
    expect(await outcomeOf(token)).toBe("unknown-key");
  });
});

describe("a token that was verified before", () => {
  test("is read at once, without a promise, and gives the same session", async () => {
    const tokens = tokensOf();
    const token = await signState(tokensOf(), stateOf({ username: `"admin"` }));
    const first = tokens.verify(token);
    expect(first).toBeInstanceOf(Promise);
    const again = tokens.verify(token);
    expect(again).toBeInstanceOf(Promise);
    await Promise.all([first, again]);
    const known = tokens.verify(token);
    expect(known).not.toBeInstanceOf(Promise);
    expect(known).toEqual(await first);
  });

  test("is read at once where it was signed here", async () => {
    const tokens = tokensOf();
    const key = await generationKey(AUDIENCE, "ann");
    const methods = ["pwd"];
    const login = { subject: "ann", key, generation: "g", authenticatedAt: SECONDS, methods };
    const flashes = [{ category: "message", message: "Hi" }];
    const state = stateOf({ name: `"ann"`, cart: "[1,2]" }, { login, flashes, permanent: true });
    const token = await signState(tokens, state);
    const known = tokens.verify(token);
    expect(known).not.toBeInstanceOf(Promise);
    expect(known).toEqual(await tokensOf().verify(token));
    expect(await read(token)).toEqual(state);
  });

  test("without its data is read at once as others read it", async () => {
    const tokens = tokensOf();
    const state = stateOf({ large: JSON.stringify("a".repeat(10_000)) });
    const token = await tokens.sign(writeClaims(state, AUDIENCE, undefined), state, false);
    const known = tokens.verify(token);
    expect(known).not.toBeInstanceOf(Promise);
    expect(known).toMatchObject({ hasData: false, state: { data: new Map() } });
    expect(known).toEqual(await tokensOf().verify(token));
  });

  test("expires all the same", async () => {
    const clock = createClock();
    const tokens = tokensOf({ now: clock.now });
    const token = await signState(tokens, stateOf());
    clock.advance(7 * DAY - 1);
    expect(await outcomeOf(token, tokens)).toBe("taken");
    clock.advance(1);
    expect(await outcomeOf(token, tokens)).toBe("expired");
  });
});

describe("time", () => {
  test.each<[string, number, Rejection | "taken"]>([
    ["as it is signed", 0, "taken"],
    ["a millisecond before its end", 7 * DAY - 0.001, "taken"],
    ["at its end", 7 * DAY, "expired"],
    ["long after its end", 365 * DAY, "expired"],
    ["C10 with a clock that is 60 s behind", -60, "taken"],
    ["C10 with a clock that is more than 60 s behind", -60.001, "early"],
    ["C10 with a clock that is a day behind", -DAY, "early"],
  ])("a token is read %s: %3$s", async (_, seconds, expected) => {
    const token = await signState(tokensOf(), stateOf());
    const now = (): number => START + seconds * 1000;
    expect(await outcomeOf(token, tokensOf({ now }))).toBe(expected);
  });

  test.each<[number, Rejection | "taken"]>([
    [30 * DAY - 0.001, "taken"],
    [30 * DAY, "expired"],
  ])("D7 max ends a token whose exp says more, after %d s: %s", async (seconds, expected) => {
    const payload = { ...CLAIMS, exp: SECONDS + 300 * DAY };
    const token = signText(forge({ header: HEADER, payload }), SECRET);
    const now = (): number => START + seconds * 1000;
    expect(await outcomeOf(token, tokensOf({ now }))).toBe(expected);
  });
});

test("D1 a new id is 128 random bits in base64url", () => {
  const ids = new Set(Array.from({ length: 1000 }, randomId));
  expect(ids.size).toBe(1000);
  for (const id of ids) expect(id).toMatch(/^[\w-]{21}[AQgw]$/);
});

describe("the key of a subject's generation", () => {
  test("is as long for every subject, in the alphabet of the store's keys", async () => {
    for (const subject of ["a", "ann@example.org", "\u0000ä", "u".repeat(10_000)]) {
      expect(await generationKey(AUDIENCE, subject)).toMatch(/^sub:[\w-]{43}$/);
    }
  });

  test("is another one for another subject, or for another cookie", async () => {
    const pairs: readonly (readonly [audience: string, subject: string])[] = [
      ["session", "ann"],
      ["session", "bob"],
      ["other", "ann"],
      ["session; Path=/app", "ann"],
      ["sessionann", ""],
      [`session","ann`, ""],
    ];
    const keys = await Promise.all(pairs.map(async (pair) => generationKey(...pair)));
    expect(new Set(keys).size).toBe(pairs.length);
    expect(await generationKey("session", "ann")).toBe(keys[0] ?? "");
  });

  test("is what a token's subject stands for", async () => {
    const unsaid = { generation: undefined, methods: undefined };
    const login = { subject: "ann", key: "", authenticatedAt: SECONDS, ...unsaid };
    const token = await signState(tokensOf(), stateOf({}, { login }));
    expect((await read(token)).login?.key).toBe(await generationKey(AUDIENCE, "ann"));
  });
});

test("C8 a token of one cookie is nothing to another one", async () => {
  const token = await signState(tokensOf({ audience: "session" }), stateOf(), "session");
  expect(await outcomeOf(token, tokensOf({ audience: "session" }))).toBe("taken");
  expect(await outcomeOf(token)).toBe("wrong-purpose");
  expect(claimsOf(token)["sid"]).toBe(ID);
});
