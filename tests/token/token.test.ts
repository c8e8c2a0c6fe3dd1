import { describe, expect, test } from "bun:test";
import { jwtVerify } from "jose";
import { FLASHES, PERMANENT, type Snapshot, snapshot, SUBJECT } from "../../session/entries.ts";
import { checkSecrets } from "../../session/token/keys.ts";
import {
  createTokens,
  type Rejection,
  subjectKey,
  type Tokens,
} from "../../session/token/token.ts";
import { createClock, DAY, OTHER_SECRET, SECRET, START } from "../support/helpers.ts";
import { claimsOf, forge, KID, OTHER_KID, signText } from "../support/jws.ts";

const AUDIENCE = "__Host-Http-session";
const ID = "AAECAwQFBgcICQoLDA0ODw";
const SECONDS = START / 1000;
const LIFETIME = 30 * DAY;
const IDLE_TIMEOUT = LIFETIME;

function createAll(
  options: { now?: () => number; secretKey?: string; fallbacks?: string[]; audience?: string } = {},
): Tokens {
  const { now = () => START, secretKey = SECRET, fallbacks = [], audience = AUDIENCE } = options;
  return createTokens({
    secrets: checkSecrets(secretKey, fallbacks),
    audience,
    lifetime: LIFETIME,
    idleTimeout: IDLE_TIMEOUT,
    now,
  });
}

function sessionOf(entries: Record<string, string>): Snapshot {
  const times = { startedAt: SECONDS, endsAt: SECONDS + 7 * DAY, version: START };
  return snapshot({ id: ID, ...times }, new Map(Object.entries(entries)));
}

/** The claims of a token that is taken; a test spoils one of them. */
const CLAIMS = {
  aud: AUDIENCE,
  sid: ID,
  iat: SECONDS,
  exp: SECONDS + 7 * DAY,
  ver: START,
  data: { username: "admin" },
};
const HEADER = { alg: "HS256", typ: "session+jwt", kid: KID };

async function outcome(token: string, tokens: Tokens = createAll()): Promise<Rejection | "taken"> {
  const result = await tokens.verify(token);
  return typeof result === "string" ? result : "taken";
}

describe("a token, to the letter", () => {
  test("is a compact JWS with its claims in their order", async () => {
    const token = await createAll().sign(sessionOf({ username: `"admin"` }));
    const [header = "", payload = ""] = token.split(".");
    expect(atob(header)).toBe(`{"alg":"HS256","typ":"session+jwt","kid":"${KID}"}`);
    expect(atob(payload)).toBe(
      `{"aud":"__Host-Http-session","sid":"AAECAwQFBgcICQoLDA0ODw","iat":1700000000,"exp":1700604800,"ver":1700000000000,"data":{"username":"admin"}}`,
    );
    expect(token).toBe(
      "eyJhbGciOiJIUzI1NiIsInR5cCI6InNlc3Npb24rand0Iiwia2lkIjoiOVMzNW1hQnEifQ.eyJhdWQiOiJfX0hvc3QtSHR0cC1zZXNzaW9uIiwic2lkIjoiQUFFQ0F3UUZCZ2NJQ1FvTERBME9EdyIsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwNjA0ODAwLCJ2ZXIiOjE3MDAwMDAwMDAwMDAsImRhdGEiOnsidXNlcm5hbWUiOiJhZG1pbiJ9fQ.gf3boX6kd81lJnjH0nsNoEN_eIrtN39GjM7pV0ESYmc",
    );
    expect(token).toBe(signText(`${header}.${payload}`, SECRET));
  });

  test("carries subject, generation, permanent and flashes as claims, and the rest as data", async () => {
    const subject = JSON.stringify(["admin", await subjectKey("admin"), "generation", SECONDS - 5]);
    const entries = {
      $$odd: "1",
      [FLASHES]: `[["message","Hi"]]`,
      [SUBJECT]: subject,
      when: `{"$date":0}`,
      [PERMANENT]: "true",
    };
    const token = await createAll().sign(sessionOf(entries));
    expect(JSON.stringify(claimsOf(token))).toBe(
      `{"aud":"${AUDIENCE}","sid":"${ID}","iat":1699999995,"exp":1700604800,"ver":1700000000000,` +
        `"sub":"admin","gen":"generation","permanent":true,"flashes":[["message","Hi"]],` +
        `"data":{"$odd":1,"when":{"$date":0}}}`,
    );
    const other = createAll();
    expect(await other.verify(token)).toMatchObject({
      isCurrentKey: true,
      text: token,
      id: ID,
      startedAt: SECONDS - 5,
      endsAt: SECONDS + 7 * DAY,
      version: START,
    });
    const read = await other.verify(token);
    const readEntries = typeof read === "string" ? new Map() : read.entries;
    expect(Object.fromEntries(readEntries)).toEqual(entries);
  });

  test("has no data of the user's beside the claims", async () => {
    const data = { aud: `"other"`, exp: "1", sub: `"root"`, permanent: "true", $$subject: "[]" };
    const token = await createAll().sign(sessionOf(data));
    const claims = { aud: "other", exp: 1, sub: "root", permanent: true, $subject: [] };
    expect(claimsOf(token)).toEqual({ ...CLAIMS, data: claims });
    const read = await createAll().verify(token);
    expect(read).toMatchObject({ id: ID, subject: undefined, endsAt: CLAIMS.exp });
  });

  test("A6 has no character but those of base64url and dots, whatever the data", async () => {
    const odd = JSON.stringify(`;,"\\ \u0000\r\nä\u{1f36a}\ud800`);
    const token = await createAll().sign(sessionOf({ odd, [`;=\u0000`]: odd }));
    expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
    expect(await outcome(token)).toBe("taken");
  });
});

describe("jose alone verifies a token", () => {
  const key = new TextEncoder().encode(SECRET);
  const options = {
    algorithms: ["HS256"],
    typ: "session+jwt",
    audience: AUDIENCE,
    maxTokenAge: LIFETIME,
    requiredClaims: ["sid", "iat", "exp", "ver"],
    currentDate: new Date(START),
  };

  test("with its type, audience and maximum age", async () => {
    const token = await createAll().sign(sessionOf({ username: `"admin"` }));
    const { payload, protectedHeader } = await jwtVerify(token, key, options);
    expect(payload).toEqual(CLAIMS);
    expect(protectedHeader).toEqual(HEADER);
  });

  test.each([
    ["another type", { typ: "JWT" }],
    ["another audience", { audience: "other" }],
    ["a time after its end", { currentDate: new Date(START + 8 * DAY * 1000) }],
    ["another algorithm", { algorithms: ["HS512"] }],
  ])("and not with %s", async (_, other) => {
    const token = await createAll().sign(sessionOf({ username: `"admin"` }));
    expect(async () => jwtVerify(token, key, { ...options, ...other })).toThrow();
  });
});

describe("C14 the payload is data", () => {
  test("a key __proto__ is a key like others", async () => {
    const token = signText(
      forge({ header: HEADER, payload: JSON.stringify(CLAIMS).replace("username", "__proto__") }),
      SECRET,
    );
    const read = await createAll().verify(token);
    expect(read).toMatchObject({ id: ID });
    const entries = typeof read === "string" ? new Map() : read.entries;
    expect([...entries]).toEqual([["__proto__", `"admin"`]]);
    expect(Reflect.get({}, "admin")).toBeUndefined();
  });

  test.each<[string, string]>([
    ["nesting of 1,000 levels", `${"[".repeat(1000)}${"]".repeat(1000)}`],
    ["lone surrogates", `"\\ud800"`],
    ["the same key twice", `1,"a":2`],
  ])("%s is no error", async (_, text) => {
    const payload = JSON.stringify(CLAIMS).replace(`"admin"`, text);
    expect(await outcome(signText(forge({ header: HEADER, payload }), SECRET))).toBe("taken");
  });
});

test("signs with the current key, whatever fallbacks there are: G1", async () => {
  const tokens = createAll({ fallbacks: [OTHER_SECRET] });
  const token = await tokens.sign(sessionOf({}));
  expect(await outcome(token, createAll())).toBe("taken");
  expect(await outcome(token, createAll({ secretKey: OTHER_SECRET }))).toBe("unknown-key");
});

test("a kid selects exactly one key: C6", async () => {
  const tokens = createAll({ fallbacks: [OTHER_SECRET] });
  const [ours, others] = [KID, OTHER_KID].map((kid) =>
    forge({ header: { ...HEADER, kid }, payload: CLAIMS }),
  );
  const current = await tokens.verify(signText(`${ours}`, SECRET));
  expect(current).toMatchObject({ isCurrentKey: true });
  const fallback = await tokens.verify(signText(`${others}`, OTHER_SECRET));
  expect(fallback).toMatchObject({ isCurrentKey: false });
  expect(await outcome(signText(`${others}`, SECRET), tokens)).toBe("forged");
  expect(await outcome(signText(`${ours}`, OTHER_SECRET), tokens)).toBe("forged");
});

test("G3 a key that was taken out of the ring verifies nothing more", async () => {
  const token = await createAll({ secretKey: OTHER_SECRET }).sign(sessionOf({}));
  expect(await outcome(token, createAll({ fallbacks: [OTHER_SECRET] }))).toBe("taken");
  expect(await outcome(token, createAll())).toBe("unknown-key");
});

describe("a token that was verified before", () => {
  test("is read at once, without a promise, and gives the same session", async () => {
    const tokens = createAll();
    const token = await createAll().sign(sessionOf({ username: `"admin"` }));
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
    const tokens = createAll();
    const token = await tokens.sign(sessionOf({ username: `"admin"`, cart: "[1,2]" }));
    const known = tokens.verify(token);
    expect(known).not.toBeInstanceOf(Promise);
    expect(known).toEqual(await createAll().verify(token));
  });

  test("expires all the same", async () => {
    const clock = createClock();
    const tokens = createAll({ now: clock.now });
    const token = await tokens.sign(sessionOf({}));
    clock.advance(7 * DAY - 1);
    expect(await outcome(token, tokens)).toBe("taken");
    clock.advance(1);
    expect(await outcome(token, tokens)).toBe("expired");
  });
});

describe("data of 128 bytes and more", () => {
  const long = JSON.stringify("tea and milk ".repeat(20));

  test("is deflated, and any reader of RFC 1951 inflates it", async () => {
    const token = await createAll().sign(sessionOf({ long }));
    const { data } = claimsOf(token);
    expect(typeof data).toBe("string");
    const inflated = Bun.inflateSync(Buffer.from(String(data), "base64url"), { windowBits: -15 });
    expect(new TextDecoder().decode(inflated)).toBe(`{"long":${long}}`);
    expect(await createAll().verify(token)).toMatchObject(sessionOf({ long }));
  });

  test.each<[number, "string" | "object"]>([
    [64 * 1024, "string"],
    [64 * 1024 + 1, "object"],
  ])("of %d bytes, which readers inflate up to 65,536, becomes a %s", async (size, type) => {
    const spaces = JSON.stringify(" ".repeat(size - `{"spaces":""}`.length));
    const tokens = createAll();
    const token = await tokens.sign(sessionOf({ spaces }));
    expect(typeof claimsOf(token)["data"]).toBe(type);
    // What is too long for a cookie is not taken by the one who signed it, either.
    expect(await outcome(token, tokens)).toBe(await outcome(token));
    expect(await outcome(token)).toBe(type === "string" ? "taken" : "malformed");
  });

  test("is left as it is where that is shorter", async () => {
    const random = Buffer.from(crypto.getRandomValues(new Uint8Array(150))).toString("base64");
    const token = await createAll().sign(sessionOf({ random: JSON.stringify(random) }));
    expect(claimsOf(token)["data"]).toEqual({ random });
  });

  test("is left as it is below 128 bytes", async () => {
    const short = JSON.stringify("a".repeat(100));
    expect(typeof claimsOf(await createAll().sign(sessionOf({ short })))["data"]).toBe("object");
  });

  test.each<[string, number, Rejection | "taken"]>([
    ["64 kB", 64 * 1024, "taken"],
    ["more than 64 kB", 64 * 1024 + 1, "malformed"],
    ["3 MB", 3_000_000, "malformed"],
  ])("that becomes %s is %3$s", async (_, length, expected) => {
    const json = `{"a":"${"a".repeat(length - 8)}"}`;
    const data = Buffer.from(Bun.deflateSync(Buffer.from(json), { windowBits: -15 })).toString(
      "base64url",
    );
    const payload = { ...CLAIMS, data };
    expect(await outcome(signText(forge({ header: HEADER, payload }), SECRET))).toBe(expected);
  });
});

describe("time", () => {
  test.each<[string, number, Rejection | "taken"]>([
    ["as it is signed", 0, "taken"],
    ["a millisecond before its end", 7 * DAY - 0.001, "taken"],
    ["at its end", 7 * DAY, "expired"],
    ["long after its end", 365 * DAY, "expired"],
    ["C10 with a clock that is 30 s behind", -30, "taken"],
    ["C10 with a clock that is more than 30 s behind", -30.001, "expired"],
    ["C10 with a clock that is a day behind", -DAY, "expired"],
  ])("a token is read %s: %3$s", async (_, seconds, expected) => {
    const token = await createAll().sign(sessionOf({}));
    expect(await outcome(token, createAll({ now: () => START + seconds * 1000 }))).toBe(expected);
  });

  test.each<[number, Rejection | "taken"]>([
    [LIFETIME - 0.001, "taken"],
    [LIFETIME, "expired"],
  ])(
    "D7 the lifetime ends a token whose exp says more, after %d s: %s",
    async (seconds, expected) => {
      const payload = { ...CLAIMS, exp: SECONDS + 10 * LIFETIME };
      const token = signText(forge({ header: HEADER, payload }), SECRET);
      expect(await outcome(token, createAll({ now: () => START + seconds * 1000 }))).toBe(expected);
    },
  );
});
