/**
 * docs/tokens.md is true: its example, its tables, and its programs, each of which takes and refuses
 * the tokens that the library takes and refuses.
 */
import { beforeAll, describe, expect, test } from "bun:test";
import { constants, deflateRawSync, type ZlibOptions } from "node:zlib";
import { join } from "node:path";
import {
  createSessions,
  type Rejection,
  type SessionEvent,
  SessionOptionsError,
} from "../../session/mod.ts";
import { token } from "../../session/testing/mod.ts";
import { encode } from "../../session/token/json.ts";
import { importKeys } from "../../session/token/keys.ts";
import { DAY } from "../support/clock.ts";
import { claimsOf, forge, signText } from "../support/jws.ts";
import { ROOT } from "../support/program.ts";
import { LANGUAGES, missingFor, runProgram, type Verdict } from "./programs.ts";

const page = await Bun.file(join(ROOT, "docs/tokens.md")).text();
/** The page's key, which the library refuses, and one that it takes. */
const [, PRINTED_KEY = ""] = /with the key `([^`]+)`/.exec(page) ?? [];
const SECRET_KEY = "Xd8_rT3kLw0ZpV6nQyB1hMsJ7cGfA-5é";
const KID = await kidOf(SECRET_KEY);
const OURS = { alg: "HS256", typ: "session+jwt", kid: KID };
const HEADER = JSON.stringify(OURS);
const AUDIENCE = "__Host-Http-session";

/** The page's first block of that language which starts so. */
function blockOf(language: string, start = ""): string {
  const blocks = page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"));
  const texts = Array.from(blocks, ([, text = ""]) => text);
  return texts.find((text) => text.startsWith(start)) ?? "";
}

async function kidOf(secret: string): Promise<string> {
  const [kid = ""] = (await importKeys([new TextEncoder().encode(secret)])).keys();
  return kid;
}

/** The first column of the page's table whose first heading is that. */
function columnOf(heading: string): string[] {
  const table = new RegExp(`^\\| ${heading} .*\\n\\|.*\\n((?:\\|.*\\n)+)`, "m").exec(page);
  return Array.from((table?.[1] ?? "").matchAll(/^\| `([^`]+)`/gm), ([, cell = ""]) => cell);
}

/** Why the library rejects a token; undefined where it takes it. */
async function reasonOf(text: string): Promise<Rejection | undefined> {
  const events: SessionEvent[] = [];
  const onEvent = (event: SessionEvent): void => void events.push(event);
  const sessions = createSessions({ secretKey: SECRET_KEY, onEvent });
  const headers = { cookie: `${AUDIENCE}=${text}` };
  await sessions.open(new Request("https://localhost/", { headers }));
  const [event] = events;
  return event?.type === "rejected" ? event.reason : undefined;
}

const now = Math.floor(Date.now() / 1000);
const GOOD = {
  aud: AUDIENCE,
  sid: "2hSkKYdzHeQGDlRPJYc3iA",
  iat: now,
  exp: now + 3600,
  max: now + 7200,
  ver: now * 1000,
  data: {},
};
const GOOD_JSON = JSON.stringify(GOOD);

/** A token that is signed with the key: of good claims with these, or of a payload as it is. */
function signed(claims: object | string, header: object | string = HEADER): string {
  const payload = typeof claims === "string" ? claims : { ...GOOD, ...claims };
  return signText(forge({ header, payload }), SECRET_KEY);
}

/** A token whose payload is spelled in another way, and signed so. */
function respelled(change: (payload: string) => string): string {
  // Bytes that need two characters and a third with spare bits at the end.
  const bytes = Buffer.from(GOOD_JSON.padEnd(Math.ceil(GOOD_JSON.length / 3) * 3 + 2));
  const [header = ""] = signed({}).split(".");
  return signText(`${header}.${change(bytes.toString("base64url"))}`, SECRET_KEY);
}

/** The text with the next character of the alphabet at its end: only spare bits change. */
function withSpareBits(text: string): string {
  return text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) + 1);
}

function deflated(text: string, options: ZlibOptions = {}): string {
  return deflateRawSync(text, options).toString("base64url");
}

function ofKind(kind: Rejection): Promise<string> {
  return token({ data: { username: "admin" } }, { secretKey: SECRET_KEY, kind });
}

type Refusal = readonly [what: string, reason: Rejection, text: string];

/** One for each rule, or two. */
const refusals: readonly Refusal[] = [
  ["has another session's signature", "forged", await ofKind("forged")],
  ["is signed with another key", "unknown-key", await ofKind("unknown-key")],
  ["names another key", "unknown-key", signed({}, { ...OURS, kid: "AAAAAAAA" })],
  ["has a member zip in its header", "wrong-purpose", signed({}, { ...OURS, zip: "DEF" })],
  ["is of another type", "wrong-purpose", signed({}, { ...OURS, typ: "JWT" })],
  ["is padded", "malformed", await ofKind("malformed")],
  ["has spare bits in its signature", "malformed", withSpareBits(signed({}))],
  ["has spare bits in its payload", "malformed", respelled(withSpareBits)],
  ["is another cookie's", "wrong-purpose", await ofKind("wrong-purpose")],
  ["has no aud", "wrong-purpose", signed({ aud: undefined })],
  ["has no sid", "malformed", signed({ sid: undefined })],
  ["has no exp", "malformed", signed({ exp: undefined })],
  ["has a text as its exp", "malformed", signed({ exp: String(GOOD.exp) })],
  ["has a number as its sub", "malformed", signed({ sub: 1, auth_time: now })],
  ["has a list as its data", "malformed", signed({ data: [] })],
  ["is expired", "expired", await ofKind("expired")],
  ["ends now by its max", "expired", signed({ max: now })],
  ["is five minutes early", "early", signed({ iat: now + 300 })],
];

/** More, for programs that start quickly, parse strictly, and inflate. */
const furtherRefusals: readonly Refusal[] = [
  [
    "has its header in another order",
    "unknown-key",
    signed({}, { kid: KID, alg: OURS.alg, typ: OURS.typ }),
  ],
  ["has white space in its header", "unknown-key", signed({}, HEADER.replace(",", ", "))],
  ["has a member crit in its header", "wrong-purpose", signed({}, { ...OURS, crit: ["exp"] })],
  ["has a key in its header", "wrong-purpose", signed({}, { ...OURS, jwk: { kty: "oct" } })],
  ["is of another algorithm", "wrong-purpose", signed({}, { ...OURS, alg: "HS512" })],
  ["asks for no signature", "wrong-purpose", signed({}, { ...OURS, alg: "none" })],
  ["has a padded payload", "malformed", respelled((payload) => `${payload}=`)],
  ["has a space in its payload", "malformed", respelled((payload) => `${payload} `)],
  ["has a fourth part", "malformed", `${signed({})}.`],
  ["has two parts", "malformed", forge({ header: HEADER, payload: GOOD })],
  ["is a cookie's with a path", "wrong-purpose", signed({ aud: `${AUDIENCE}; Path=/app` })],
  ["has a list as its aud", "wrong-purpose", signed({ aud: [AUDIENCE] })],
  ["has a short sid", "malformed", signed({ sid: "AAAA" })],
  ["has a list as its sid", "malformed", signed({ sid: [GOOD.sid] })],
  ["has no iat", "malformed", signed({ iat: undefined })],
  ["has no max", "malformed", signed({ max: undefined })],
  ["has no ver", "malformed", signed({ ver: undefined })],
  ["has a boolean as its iat", "malformed", signed({ iat: true })],
  ["has a negative iat", "malformed", signed({ iat: -1 })],
  ["has an infinite max", "malformed", signed(GOOD_JSON.replace(/"max":\d+/, '"max":1e999'))],
  ["has a list as its payload", "malformed", signed("[]")],
  ["ends now by its exp", "expired", signed({ exp: now })],
  ["is early", "early", await ofKind("early")],
  ["starts with a byte order mark", "malformed", signed(`\u{FEFF}${GOOD_JSON}`)],
  ["has NaN in its data", "malformed", signed(GOOD_JSON.replace("{}", '{"a":NaN}'))],
  ["has data that is not deflated", "malformed", signed({ data: "AAAA" })],
  [
    "has data whose deflate does not end",
    "malformed",
    signed({ data: deflated("{}", { finishFlush: constants.Z_SYNC_FLUSH }) }),
  ],
  ["has a list deflated as its data", "malformed", signed({ data: deflated("[]") })],
  [
    "inflates to more than 64 KiB",
    "malformed",
    signed({ data: deflated(JSON.stringify({ a: "a".repeat(64 * 1024) })) }),
  ],
];

const accepted: readonly (readonly [what: string, text: string])[] = [
  ["is a visitor's", signed({})],
  ["leaves its data to the store", signed({ data: undefined })],
  ["comes from a clock that is 30 s ahead", signed({ iat: now + 30 })],
  ["has a claim of a later version", signed({ acr: "high" })],
];

/** What the token with every claim but `adopted` says, but for its random `gen`. */
const FULL = {
  aud: AUDIENCE,
  sid: GOOD.sid,
  iat: now,
  exp: now + 7 * DAY,
  max: now + 30 * DAY,
  ver: now * 1000,
  sub: "user-1",
  auth_time: now,
  amr: ["pwd"],
  permanent: true,
  flashes: [["weather", "It rains"]],
  data: { at: { $date: 0 } },
};

/** A token with every claim but `adopted`, as a browser gets it, and its id. */
async function createFull(): Promise<{ readonly text: string; readonly sid: string }> {
  const sessions = createSessions({ secretKey: SECRET_KEY, now: () => now * 1000 });
  await sessions.endAll("user-1");
  const session = await sessions.open(new Request("https://localhost/"));
  session.signIn("user-1", { methods: ["pwd"] });
  session.permanent = true;
  session.flash("It rains", "weather");
  session.set("at", new Date(0));
  return { text: tokenOf(await sessions.commit(session, new Response())), sid: session.id };
}

/** The token of a session that was another system's: such a subject has no generation. */
async function createAdopted(): Promise<string> {
  const sessions = createSessions({
    secretKey: SECRET_KEY,
    now: () => now * 1000,
    adopt: () => ({ data: {}, subject: "user-1", credential: "old" }),
  });
  const session = await sessions.open(new Request("https://localhost/"));
  return tokenOf(await sessions.commit(session, new Response()));
}

function tokenOf(response: Response): string {
  return /=([^;]+)/.exec(response.headers.get("set-cookie") ?? "")?.[1] ?? "";
}

const full = await createFull();
const adopted = await createAdopted();
const longData = { text: "madeleine ".repeat(50) };
const long = await token({ data: longData }, { secretKey: SECRET_KEY });

/** The claims that a program printed. */
function claimsIn(verdict: Verdict | undefined): Readonly<Record<string, unknown>> {
  const claims: unknown = JSON.parse(verdict?.output ?? "");
  if (typeof claims === "object" && claims !== null) return { ...claims };
  throw new TypeError("Cannot read the claims: they are not an object");
}

describe("docs/tokens.md", () => {
  test("shows a token of its key, with its header and its claims", async () => {
    const shown = blockOf("text", "eyJ").replaceAll("\n", "");
    const { sid: id, iat, sub: subject } = claimsOf(shown);
    if (typeof id !== "string" || typeof iat !== "number" || typeof subject !== "string") {
      throw new TypeError("The token on the page has no sid, iat or sub");
    }
    const data = { username: "admin", seen: new Date(0) };
    const options = { secretKey: SECRET_KEY, now: () => iat * 1000 };
    const [, payload = ""] = (await token({ data, id, subject }, options)).split(".");
    const header = JSON.stringify({ ...OURS, kid: await kidOf(PRINTED_KEY) });
    expect(blockOf("text", '{"alg"')).toBe(`${header}\n`);
    const text = `${Buffer.from(header).toString("base64url")}.${payload}`;
    expect(signText(text, PRINTED_KEY)).toBe(shown);
    expect(JSON.stringify(claimsOf(shown), null, 2)).toBe(blockOf("json").trim());
  });

  test("shows a key that nobody can use", () => {
    expect(() => createSessions({ secretKey: PRINTED_KEY })).toThrow(SessionOptionsError);
  });

  test("shows the aud of a cookie with a path and a domain", async () => {
    const cookie = { path: "/app", domain: ".Example.COM" };
    const { aud } = claimsOf(await token({}, { secretKey: SECRET_KEY, cookie }));
    expect(blockOf("text", AUDIENCE)).toBe(`${AUDIENCE}\n${String(aud)}\n`);
  });

  test("shows every tag as the library writes it", () => {
    const values: readonly unknown[] = [
      new Date(0),
      new Uint8Array([255]),
      new Map([["a", 1]]),
      new Set(["a", 1]),
      -12n,
      new URL("https://example.org"),
      Number.NaN,
      [undefined],
      { $date: 0 },
    ];
    const texts = values.map((value) => encode(value, "value").replace(/^\[(.*)\]$/, "$1"));
    expect(columnOf("in `data`")).toEqual(texts);
  });

  test("names the reasons for which tokens are refused, each of which is tried", () => {
    const [list = ""] = /^1\. .*?\n\n/ms.exec(page) ?? [];
    const groups = list.matchAll(/\(((?:`[a-z-]+`(?:, )?)+)\)/g);
    const names = Array.from(groups, ([, group = ""]) => group.match(/[a-z-]+/g) ?? []).flat();
    const reasons = [...refusals, ...furtherRefusals].map(([, reason]) => reason);
    expect([...new Set(names)].toSorted()).toEqual([...new Set<string>(reasons)].toSorted());
  });
});

describe("the library", () => {
  test.each([...refusals, ...furtherRefusals])(
    "refuses a token that %s: %s",
    async (_what, reason, text) => {
      expect(await reasonOf(text)).toBe(reason);
    },
  );

  test.each(accepted)("takes a token that %s", async (_what, text) => {
    expect(await reasonOf(text)).toBeUndefined();
  });
});

for (const language of LANGUAGES) {
  const { name } = language;
  const missing = missingFor(language);
  if (missing.length > 0) {
    console.log(`Skipped: the program of docs/tokens.md in ${name}, for ${missing.join(" and ")}`);
  }

  describe.skipIf(missing.length > 0)(`docs/tokens.md in ${name}`, () => {
    const refused = name === "sh" ? refusals : [...refusals, ...furtherRefusals];
    const texts = [
      full.text,
      adopted,
      long,
      ...[...accepted, ...refused].map((row) => row.at(-1) ?? ""),
    ];
    const verdicts = new Map<string, Verdict>();

    beforeAll(async () => {
      const all = await runProgram(language, blockOf(name), { SECRET_KEY }, texts);
      for (const [index, verdict] of all.entries()) verdicts.set(texts[index] ?? "", verdict);
    }, 120_000);

    test("prints the claims of the page's table, all of them, in order and no others", () => {
      const verdict = verdicts.get(full.text);
      expect(verdict?.isTaken).toBe(true);
      const { gen, ...others } = claimsIn(verdict);
      expect(others).toEqual({ ...FULL, sid: full.sid });
      expect(gen).toMatch(/^[\w-]{22}$/);
      const claims = columnOf("claim").filter((claim) => claim !== "adopted");
      expect(Object.keys(claimsIn(verdict))).toEqual(claims);
    });

    test("prints the claims of a session that was adopted, in the table's order", () => {
      const verdict = verdicts.get(adopted);
      expect(verdict?.isTaken).toBe(true);
      const missing = new Set(["gen", "auth_time", "amr", "permanent", "flashes"]);
      const claims = columnOf("claim").filter((claim) => !missing.has(claim));
      expect(Object.keys(claimsIn(verdict))).toEqual(claims);
    });

    test("inflates data, unless it is the shell", () => {
      const verdict = verdicts.get(long);
      expect(verdict?.isTaken).toBe(true);
      const data = name === "sh" ? claimsOf(long)["data"] : longData;
      expect(claimsIn(verdict)["data"]).toEqual(data);
    });

    test.each(accepted)("takes a token that %s", (_what, text) => {
      expect(verdicts.get(text)).toMatchObject({ isTaken: true });
    });

    test.each(refused)("refuses a token that %s: %s", (_what, _reason, text) => {
      expect(verdicts.get(text)).toEqual({ isTaken: false, output: "" });
    });
  });
}
