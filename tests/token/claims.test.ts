import { describe, expect, test } from "bun:test";
import type { State } from "../../session/state.ts";
import {
  readClaims,
  readDeflated,
  shortenData,
  writeClaims,
  writeData,
} from "../../session/token/claims.ts";
import { START } from "../support/clock.ts";
import { AUDIENCE, CLAIMS, ID, stateOf } from "../support/tokens.ts";

const SECONDS = START / 1000;
const KEY = "sub:key";
const LOGIN = {
  subject: "ann",
  key: KEY,
  generation: "new",
  authenticatedAt: SECONDS - 5,
  methods: undefined,
};

const parseClaims: (text: string) => Record<string, unknown> = JSON.parse;

function deflated(json: string): string {
  return Buffer.from(Bun.deflateSync(Buffer.from(json), { windowBits: -15 })).toString("base64url");
}

/** The state of these claims beside good ones; undefined where they are refused. */
function stateWith(claims: Record<string, unknown>): State | undefined {
  return readClaims({ ...CLAIMS, ...claims }, KEY)?.state;
}

describe("the claims, to the letter", () => {
  test.each<[string, Partial<State>, string]>([
    ["the fewest", {}, `"ver":1700000000000`],
    [
      "of a subject before its first endAll",
      { login: { ...LOGIN, generation: undefined } },
      `"ver":1700000000000,"sub":"ann","auth_time":1699999995`,
    ],
    [
      "of a subject with a generation",
      { login: LOGIN },
      `"ver":1700000000000,"sub":"ann","gen":"new","auth_time":1699999995`,
    ],
    [
      "of a subject, and how it authenticated (RFC 8176)",
      { login: { ...LOGIN, methods: ["pwd", "otp"] } },
      `"ver":1700000000000,"sub":"ann","gen":"new","auth_time":1699999995,"amr":["pwd","otp"]`,
    ],
    [
      "of a subject whom another system signed in",
      { login: { ...LOGIN, generation: undefined, authenticatedAt: undefined } },
      `"ver":1700000000000,"sub":"ann"`,
    ],
    [
      "permanent, and flashes",
      { permanent: true, flashes: [{ category: "error", message: "No" }] },
      `"ver":1700000000000,"permanent":true,"flashes":[["error","No"]]`,
    ],
    [
      "claims of a later edition, behind ours",
      { unknown: { acr: "high", act: { sub: "root" } } },
      `"ver":1700000000000,"acr":"high","act":{"sub":"root"}`,
    ],
  ])("%s", (_, change, rest) => {
    const state = stateOf({}, change);
    const times = `"iat":1700000000,"exp":1700604800,"max":1702592000`;
    const claims = `{"aud":"${AUDIENCE}","sid":"${ID}",${times},${rest}`;
    expect(writeClaims(state, AUDIENCE, undefined)).toBe(`${claims}}`);
    expect(writeClaims(state, AUDIENCE, `"_w"`)).toBe(`${claims},"data":"_w"}`);
  });

  test("the data is an object of tagged JSON, whatever its keys are called", () => {
    const data = { a: "1", [`"\0`]: `{"$date":0}`, ["__proto__"]: "[]", aud: `"x"` };
    const text = writeData(stateOf(data).data);
    expect(text).toBe(`{"a":1,"\\"\\u0000":{"$date":0},"__proto__":[],"aud":"x"}`);
    expect(writeData(new Map())).toBe("{}");
  });

  test("what is written is read as it was", () => {
    const unknown = { acr: ["pwd"], ["__proto__"]: { admin: true } };
    const flashes = [
      { category: "message", message: "Hi" },
      { category: "", message: "" },
    ];
    const login = { ...LOGIN, methods: ["pwd"] };
    const change = { login, permanent: true, flashes, unknown };
    const state = stateOf({ name: `"ann"`, when: `{"$date":0}` }, change);
    const text = writeClaims(state, AUDIENCE, writeData(state.data));
    expect(readClaims(parseClaims(text), KEY)?.state).toEqual(state);
    expect(Reflect.get({}, "admin")).toBeUndefined();
  });
});

describe("claims that are refused", () => {
  test.each<[string, Record<string, unknown>]>([
    ["no sid", { sid: undefined }],
    ["an empty sid", { sid: "" }],
    ["a short sid", { sid: "AAECAwQFBgcICQoLDA0" }],
    ["a sid with spare bits", { sid: "AAECAwQFBgcICQoLDA0OD0" }],
    ["a UUID as sid", { sid: "00010203-0405-0607-0809-0a0b0c0d0e0f" }],
    ["a sid with other letters", { sid: "sub:AwQFBgcICQoLDA0ODw" }],
    ["a number as sid", { sid: 1 }],
    ["a list with a sid in it", { sid: [ID] }],
    ["a number as sub", { sub: 1, auth_time: 1 }],
    ["null as sub", { sub: null, auth_time: 1 }],
    ["a number as gen", { sub: "ann", auth_time: 1, gen: 1 }],
    ["null as gen", { sub: "ann", auth_time: 1, gen: null }],
    ["text as amr", { sub: "ann", auth_time: 1, amr: "pwd" }],
    ["a number in amr", { sub: "ann", auth_time: 1, amr: ["pwd", 1] }],
    ["null as amr", { sub: "ann", auth_time: 1, amr: null }],
    ["text as flashes", { flashes: "Hi" }],
    ["an object as flashes", { flashes: { message: "Hi" } }],
    ["null as flashes", { flashes: null }],
    ["flashes that are no pairs", { flashes: [["message"]] }],
    ["flashes of other types", { flashes: [["message", 1]] }],
    ["flashes that are objects", { flashes: [{ category: "message", message: "Hi" }] }],
    ["one of two flashes that is none", { flashes: [["message", "Hi"], null] }],
  ])("%s", (_, claims) => {
    expect(stateWith(claims)).toBeUndefined();
  });

  const times = ["iat", "exp", "max", "ver", "auth_time"];
  const values: [string, unknown][] = [
    ["is missing", undefined],
    ["is text", String(SECONDS)],
    ["is null", null],
    ["is a list", [SECONDS]],
    ["is true", true],
    ["is negative", -1],
    ["is infinite", Infinity],
  ];
  const cases = times
    .flatMap((name) => values.map(([what, value]) => [name, what, value] as const))
    .filter(([name, what]) => name !== "auth_time" || what !== "is missing");
  test.each(cases)("C9 whose %s %s", (name, _, value) => {
    const login = { sub: "ann", auth_time: SECONDS };
    expect(stateWith(login)).toBeDefined();
    expect(stateWith({ ...login, [name]: value })).toBeUndefined();
  });
});

describe("claims that are taken", () => {
  test("gen, auth_time and amr mean nothing without a subject", () => {
    expect(stateWith({ gen: "new", auth_time: "never", amr: 1 })).toEqual(stateWith({}));
  });

  test("a subject without auth_time, whom another system signed in", () => {
    const login = { subject: "ann", key: KEY, generation: undefined, authenticatedAt: undefined };
    expect(stateWith({ sub: "ann" })?.login).toEqual({ ...login, methods: undefined });
  });

  test.each([false, 1, "true", null])("permanent is true alone: %p is not", (permanent) => {
    expect(stateWith({ permanent })?.permanent).toBe(false);
  });

  test("the audience is not looked at, and the data is handed on", () => {
    const claims = { ...CLAIMS, aud: "other" };
    expect(readClaims({ ...claims, data: "deflated" }, KEY)).toMatchObject({ data: "deflated" });
    expect(readClaims({ ...claims, data: undefined }, KEY)).toMatchObject({ data: undefined });
    expect(readClaims({ ...claims, data: [] }, KEY)?.state.data).toEqual(new Map());
  });
});

describe("data of 128 characters and more", () => {
  const long = JSON.stringify({ long: "tea and milk ".repeat(20) });

  test("is deflated, and any reader of RFC 1951 inflates it", async () => {
    const data: unknown = JSON.parse(await shortenData(long));
    const bytes = Bun.inflateSync(Buffer.from(String(data), "base64url"), { windowBits: -15 });
    expect(new TextDecoder().decode(bytes)).toBe(long);
    const values = await readDeflated(String(data));
    expect([...(values ?? [])]).toEqual([["long", JSON.stringify("tea and milk ".repeat(20))]]);
  });

  test.each<[number, "string" | "object"]>([
    [64 * 1024, "string"],
    [64 * 1024 + 1, "object"],
  ])("of %d bytes, which readers inflate up to 65,536, becomes a %s", async (size, type) => {
    const json = JSON.stringify({ spaces: " ".repeat(size - `{"spaces":""}`.length) });
    const data: unknown = JSON.parse(await shortenData(json));
    expect(typeof data).toBe(type);
    if (typeof data === "string") expect(await readDeflated(data)).toBeDefined();
  });

  test("counts its bytes, not its characters", async () => {
    const json = JSON.stringify({ spaces: "ä".repeat(40_000) });
    expect(await shortenData(json)).toBe(json);
  });

  test("is left as it is where that is shorter", async () => {
    const random = Buffer.from(crypto.getRandomValues(new Uint8Array(150))).toString("base64");
    const json = JSON.stringify({ random });
    expect(await shortenData(json)).toBe(json);
  });

  test("is left as it is below that", async () => {
    const json = JSON.stringify({ short: "a".repeat(127 - `{"short":""}`.length) });
    expect([json.length, await shortenData(json)]).toEqual([127, json]);
    const longer = json.replace("a", "aa");
    expect(await shortenData(longer)).not.toBe(longer);
  });

  test.each<[string, string, boolean]>([
    ["64 kB", `{"a":"${"a".repeat(64 * 1024 - 8)}"}`, true],
    ["more than 64 kB", `{"a":"${"a".repeat(64 * 1024 - 7)}"}`, false],
    ["3 MB", `{"a":"${"a".repeat(3_000_000)}"}`, false],
    ["an object", "{}", true],
    ["a list", "[]", false],
    ["null", "null", false],
    ["text", "admin", false],
  ])("that becomes %s is read: %3$p", async (_, json, isRead) => {
    expect((await readDeflated(deflated(json))) !== undefined).toBe(isRead);
  });

  test.each(["", "admin", "!", `${deflated("{}")}=`, deflated("{}").slice(0, -1)])(
    "%j is no deflated data",
    async (text) => {
      expect(await readDeflated(text)).toBeUndefined();
    },
  );
});
