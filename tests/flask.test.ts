import { describe, expect, test } from "bun:test";
import { runInNewContext } from "node:vm";
import * as fc from "fast-check";
import { SessionOptionsError } from "../session/errors.ts";
import {
  type FlaskAdoptOptions,
  type FlaskData,
  flaskCookie,
  readFlaskCookie,
} from "../session/flask.ts";
import cookies from "./fixtures/flask/cookies.json" with { type: "json" };
import { untyped } from "./support/errors.ts";

const DAY = 24 * 60 * 60;
const NOW = Date.parse("2026-01-05T10:00:00Z");
const options = { secretKey: "flask-fixture-key", now: () => NOW };
const admin = { username: "admin" };
const encoder = new TextEncoder();

/** Bytes of another realm, as a Buffer is one in Jest. */
const FOREIGN_KEY = untyped(
  runInNewContext("Uint8Array.from(bytes)", { bytes: encoder.encode("schlüssel") }),
);

function ahead(seconds: number): () => number {
  return () => NOW + seconds * 1000;
}

test("reads a cookie byte for byte as Flask wrote it", async () => {
  const cookie = "eyJ1c2VybmFtZSI6ImFkbWluIn0.aVuLoA.5ZU6CbbhVShn_upc4h6RV-TaPvE";
  expect(cookies.simple).toBe(cookie);
  expect(await readFlaskCookie(cookie, options)).toEqual(admin);
});

describe("what Flask writes", () => {
  const written: [keyof typeof cookies, FlaskData][] = [
    ["compressed", { a: "x".repeat(500) }],
    ["tuple", { v: [1, ["a", null], []] }],
    ["bytes", { v: Uint8Array.from([0, 255, 32, 104, 105]), none: new Uint8Array() }],
    ["markup", { v: "<b>hi</b>" }],
    ["uuid", { v: "0b8a2f4e-6c1d-4e3f-9a7b-5d2c8e1f0a96" }],
    ["datetime", { v: new Date("2026-01-05T10:00:07Z") }],
    ["naive_datetime", { v: new Date("2000-02-29T23:59:59Z") }],
    [
      "datetimes_before_100",
      { v: ["0001-01-01", "0049-07-14", "0099-05-01"].map((day) => new Date(day)) },
    ],
    ["last_datetime", { v: new Date("9999-12-31T23:59:59Z") }],
    [
      "look_alikes",
      {
        t: { " t": [1] },
        t__: { " t__": 2 },
        b: { " b": encoder.encode("hi") },
        di: { " di": { " di": { " di__": 3 } } },
        d: { " d": "no date" },
        two: { " t": [1], " b": "aGk=" },
        unknown: { " x": 4 },
        no_space: { t: [5] },
      },
    ],
    ["look_alike_root", { " t": "x" }],
    ["unicode", { Zoë: '名前 🍪 \u2028 "\\', lone: "\ud800" }],
    ["utf8", { Zoë: "名前 🍪" }],
    [
      "nested",
      {
        cart: [{ tea: { price: [350, "EUR"], tags: [], blob: Uint8Array.from([1]) } }, [[1]], {}],
      },
    ],
    [
      "numbers",
      {
        id: 2n ** 63n - 1n,
        negative: -(2n ** 53n),
        safe: 2 ** 53 - 1,
        huge: 10n ** 30n,
        float: 1e300,
        third: 0.1,
      },
    ],
    ["fits", { a: "x".repeat(64 * 1024 - 8) }],
    ["no_date", { v: null }],
    ["no_uuid", { v: { " u": 5 } }],
  ];
  test.each(written)("%s", async (name, data) => {
    expect(await readFlaskCookie(cookies[name], options)).toStrictEqual(data);
  });

  test("leaves out Flask's own keys, but only its own", async () => {
    expect(await readFlaskCookie(cookies.permanent, options)).toStrictEqual(admin);
    expect(await readFlaskCookie(cookies.flashes, options)).toStrictEqual(admin);
    expect(await readFlaskCookie(cookies.only_permanent, options)).toStrictEqual({});
    expect(await readFlaskCookie(cookies.own_names_inside, options)).toStrictEqual({
      v: { _permanent: true, _flashes: [], k: 1 },
    });
  });

  test.each(["proto", "proto_by_tag"] as const)("%s changes no prototype", async (name) => {
    const data = await readFlaskCookie(cookies[name], options);
    const inner = data?.["v"];
    for (const value of [data, inner]) {
      expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    }
    expect(Object.getOwnPropertyDescriptor(inner, "__proto__")?.value).toEqual({ admin: true });
    expect(Reflect.get({}, "admin")).toBeUndefined();
  });
});

describe("keys", () => {
  test("are the UTF-8 bytes of a string, or bytes", async () => {
    for (const [cookie, secretKey] of [
      [cookies.unicode_key, "schlüssel"],
      [cookies.unicode_key, encoder.encode("schlüssel")],
      [cookies.unicode_key, FOREIGN_KEY],
      [cookies.bytes_key, Uint8Array.from([0, 255, ...encoder.encode(" key")])],
    ] as const) {
      expect(await readFlaskCookie(cookie, { ...options, secretKey })).toEqual(admin);
      expect(await readFlaskCookie(cookies.simple, { ...options, secretKey })).toBeUndefined();
    }
  });

  test("may be any of the fallbacks", async () => {
    for (const secretKeyFallbacks of [["older", options.secretKey, "oldest"], options.secretKey]) {
      const rotated = { ...options, secretKey: "newer", secretKeyFallbacks };
      expect(await readFlaskCookie(cookies.simple, rotated)).toEqual(admin);
      expect(await readFlaskCookie(cookies.wrong_key, rotated)).toBeUndefined();
    }
  });

  test("are copied when they are given", async () => {
    const secretKey = encoder.encode(options.secretKey);
    const adopt = flaskCookie({ ...options, secretKey });
    secretKey.fill(0);
    expect(await adopt(headersWith(`session=${cookies.simple}`))).toMatchObject({ data: admin });
  });
});

describe("age", () => {
  test("is at most 31 days, and never negative", async () => {
    expect(await readFlaskCookie(cookies.oldest, options)).toEqual(admin);
    expect(await readFlaskCookie(cookies.expired, options)).toBeUndefined();
    expect(await readFlaskCookie(cookies.future, options)).toBeUndefined();
    expect(await readFlaskCookie(cookies.future, { ...options, now: ahead(1) })).toEqual(admin);
  });

  test.each([
    [0, 0, admin],
    [0, 0.999, admin],
    [0, 1, undefined],
    [60, 60, admin],
    [60, 61, undefined],
    [60, -0.001, undefined],
    [60, NaN, undefined],
    [400 * DAY, 400 * DAY, admin],
  ])("maxAge %p after %p seconds", async (maxAge, seconds, data) => {
    const later = { ...options, maxAge, now: ahead(seconds) };
    expect(await readFlaskCookie(cookies.simple, later)).toEqual(data);
  });
});

describe("what is no session of this app is undefined", () => {
  test.each([
    "wrong_salt",
    "wrong_key",
    "tampered",
    "sha256",
    "no_time",
    "list",
    "tuple_root",
    "bytes_root",
    "null",
    "no_json",
    "nan",
    "no_utf8",
    "no_base64",
    "no_zlib",
    "cut_zlib",
    "no_bytes",
    "deep",
    "too_large",
    "bomb",
  ] as const)("%s", async (name) => {
    expect(await readFlaskCookie(cookies[name], options)).toBeUndefined();
  });

  test.each([
    ["", "nothing"],
    [`${cookies.simple} `, "white space"],
    [`${cookies.simple}\n`, "a line feed"],
    [`${cookies.simple}=`, "padding"],
    [`"${cookies.simple}"`, "quotes"],
    [`.${cookies.simple}`, "a compression mark that was not signed"],
    [cookies.compressed.slice(1), "the compression mark taken away"],
    [`x.${cookies.simple}`, "a fourth part"],
    [".".repeat(100_000), "dots"],
    ["A".repeat(100_000), "one long part"],
  ])("%#: %s", async (value) => {
    expect(await readFlaskCookie(value, options)).toBeUndefined();
  });

  test("a signature has one spelling", async () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const start = cookies.simple.slice(0, -1);
    const accepted = [];
    for (const last of alphabet) {
      if ((await readFlaskCookie(start + last, options)) !== undefined) accepted.push(last);
    }
    expect(start + accepted.join()).toBe(cookies.simple);
  });

  test("a cookie with any one character changed", async () => {
    const change = fc
      .constantFrom(cookies.simple, cookies.compressed, cookies.tuple)
      .chain((cookie) =>
        fc.tuple(
          fc.constant(cookie),
          fc.nat(cookie.length - 1),
          fc.oneof(fc.stringMatching(/^[\w.=+/ %-]$/), fc.string({ minLength: 1, maxLength: 1 })),
        ),
      );
    await fc.assert(
      fc.asyncProperty(change, async ([cookie, at, character]) => {
        fc.pre(cookie[at] !== character);
        const changed = cookie.slice(0, at) + character + cookie.slice(at + 1);
        expect(await readFlaskCookie(changed, options)).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });

  test("any other text", async () => {
    const unit = fc.constantFrom(
      ...Array.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
    );
    const part = fc.string({ unit, maxLength: 12 });
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc
        .tuple(
          fc.constantFrom("", "."),
          part,
          part,
          fc.string({ unit, minLength: 26, maxLength: 28 }),
        )
        .map(([dot, payload, time, signature]) => `${dot}${payload}.${time}.${signature}`),
    );
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        expect(await readFlaskCookie(value, options)).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });
});

function headersWith(cookie: string): Headers {
  return new Headers({ cookie });
}

describe("flaskCookie", () => {
  const adopt = flaskCookie(options);

  test("answers without a promise where no such cookie came", () => {
    expect(adopt(new Headers())).toBeUndefined();
    expect(adopt(headersWith(`sessions=${cookies.simple}; a=b`))).toBeUndefined();
  });

  test.each([
    ["alone", `session=${cookies.simple}`, admin],
    ["among others", `a=b; session=${cookies.simple}; c`, admin],
    ["without spaces", `a=b;session=${cookies.simple};c=d`, admin],
    ["with spaces and tabs", `a=b; \t session \t=\t ${cookies.simple} \t`, admin],
    ["after a forged one", `session=${cookies.wrong_key}; session=${cookies.simple}`, admin],
    ["after an expired one", `session=${cookies.expired}; session=${cookies.simple}`, admin],
    ["before another", `session=${cookies.simple}; session=${cookies.markup}`, admin],
    ["with another name before it", `xsession=${cookies.simple}`, undefined],
    ["with another word before it", `a session=${cookies.simple}`, undefined],
    ["in other letters", `Session=${cookies.simple}`, undefined],
    ["with a no-break space", `session=${cookies.simple}\u00a0`, undefined],
    ["with quotes", `session="${cookies.simple}"`, undefined],
    ["percent-encoded", `session=${cookies.simple.replaceAll(".", "%2E")}`, undefined],
    ["only forged", `session=${cookies.wrong_key}; session=`, undefined],
  ])("a cookie %s", async (_, header, data) => {
    expect((await adopt(headersWith(header)))?.data).toEqual(data);
  });

  test("gives the signature as the credential, and the cookie to delete", async () => {
    expect(await adopt(headersWith(`session=${cookies.permanent}`))).toStrictEqual({
      data: admin,
      subject: undefined,
      permanent: true,
      credential: "aF8ZdcFE8qGyHAkwVHAdaRQIQPs",
      forget: { name: "session", path: "/", domain: undefined },
    });
    const attributes = { name: "sid", path: "/app", domain: "example.com" };
    const other = flaskCookie({ ...options, ...attributes });
    expect(await other(headersWith(`sid=${cookies.simple}`))).toMatchObject({
      permanent: false,
      credential: "5ZU6CbbhVShn_upc4h6RV-TaPvE",
      forget: attributes,
    });
  });

  test("says who is signed in as subject does, of the data before parse", async () => {
    const signedIn = flaskCookie({
      ...options,
      parse: () => ({ kept: 1 }),
      subject: ({ username }) => (typeof username === "string" ? username : undefined),
    });
    expect(await signedIn(headersWith(`session=${cookies.flashes}`))).toMatchObject({
      data: { kept: 1 },
      subject: "admin",
    });
    expect((await signedIn(headersWith(`session=${cookies.markup}`)))?.subject).toBeUndefined();
  });

  test("reads the cookie of the name that the app gave it, with any letters a token may have", async () => {
    const named = flaskCookie({ ...options, name: "$x.+*+" });
    const header = `session=${cookies.markup}; $x.+*+=${cookies.simple}`;
    expect(await named(headersWith(header))).toMatchObject({ data: admin });
  });

  test("passes maxAge on", async () => {
    const strict = flaskCookie({ ...options, maxAge: 60, now: ahead(61) });
    expect(await strict(headersWith(`session=${cookies.simple}`))).toBeUndefined();
  });

  test("gives what parse makes of the data", async () => {
    const typed = flaskCookie({
      ...options,
      parse: ({ username }) => (typeof username === "string" ? { name: username } : undefined),
    });
    const adopted = await typed(headersWith(`session=${cookies.simple}`));
    const data: { name: string } | undefined = adopted?.data;
    expect(data).toEqual({ name: "admin" });
    expect(await typed(headersWith(`session=${cookies.markup}`))).toBeUndefined();
    expect(await typed(headersWith(`session=${cookies.wrong_key}`))).toBeUndefined();
  });

  test("looks through 8 MB of blanks, which takes for ever where the cost is not linear", () => {
    const blanks = " \t".repeat(2_000_000);
    expect(adopt(headersWith(`session=${blanks}a${blanks}b`))).toBeUndefined();
  });
});

describe("a wrong option throws at once", () => {
  test.each<[string, FlaskAdoptOptions]>([
    ["no key", { secretKey: undefined }],
    ["an empty key", { secretKey: "" }],
    ["a key of no bytes", { secretKey: new Uint8Array() }],
    ["an empty fallback", { secretKey: "k", secretKeyFallbacks: ["old", ""] }],
    ["an empty bare fallback", { secretKey: "k", secretKeyFallbacks: "" }],
    ["a negative maxAge", { secretKey: "k", maxAge: -1 }],
    ["a fraction of a second", { secretKey: "k", maxAge: 0.5 }],
    ["no number", { secretKey: "k", maxAge: NaN }],
    ["a number as the key, which would be bytes of zero", { secretKey: untyped(32) }],
    ["numbers as the key", { secretKey: "k", secretKeyFallbacks: [untyped([1, 2])] }],
  ])("%s", (_, wrong) => {
    expect(() => flaskCookie(wrong)).toThrow(SessionOptionsError);
    expect(() => readFlaskCookie(cookies.simple, wrong)).toThrow(SessionOptionsError);
  });

  test.each(["", "my session", "a;b", "a=b", "sessión", untyped(5)])("the name %p", (name) => {
    expect(() => flaskCookie({ ...options, name })).toThrow(SessionOptionsError);
  });

  test.each([
    { path: "app" },
    { path: "/; Secure" },
    { domain: "https://example.com" },
    { domain: "example.com; Secure" },
    { name: "__Host-session", domain: "example.com" },
  ])("%j, of which no cookie could be deleted", (attributes) => {
    expect(() => flaskCookie({ ...options, ...attributes })).toThrow(SessionOptionsError);
  });
});

/** A session that the installed Flask makes now, as its `Set-Cookie` line; else why there is none. */
function freshSetCookie(): { line: string } | { reason: string } {
  const program = `
from importlib.metadata import version
assert int(version("flask").split(".")[0]) >= 3, "Flask is older than 3"
from flask import Flask, session
app = Flask(__name__)
app.config.update(SECRET_KEY="fresh-key", SESSION_COOKIE_NAME="app_session")
@app.get("/login")
def login():
    session.permanent = True
    session.update(username="admin", pair=(1, b"\\x00"), text="x" * 500)
    return ""
print(app.test_client().get("/login").headers["Set-Cookie"])
`;
  const python = Bun.which("python3");
  if (python === null) return { reason: "there is no python3" };
  const { exitCode, stdout, stderr } = Bun.spawnSync([python, "-c", program]);
  if (exitCode === 0) return { line: stdout.toString() };
  return { reason: stderr.toString().trim().split("\n").at(-1) ?? "python3 failed" };
}

const fresh = freshSetCookie();
if ("reason" in fresh) console.warn(`Not tested against an installed Flask: ${fresh.reason}`);

test.skipIf("reason" in fresh)("reads what an installed Flask sends now", async () => {
  const [pair = ""] = "line" in fresh ? fresh.line.split(";") : [];
  expect(pair).toStartWith("app_session=.");
  const adopt = flaskCookie({ secretKey: "fresh-key", name: "app_session" });
  const data = { username: "admin", pair: [1, Uint8Array.from([0])], text: "x".repeat(500) };
  expect(await adopt(headersWith(pair))).toMatchObject({ data, permanent: true });
});
