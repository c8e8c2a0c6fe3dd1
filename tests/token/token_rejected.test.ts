import { describe, expect, test } from "bun:test";
import { FlattenedSign, EncryptJWT } from "jose";
import type { Rejection } from "../../session/token/format.ts";
import type { Tokens } from "../../session/token/token.ts";
import { DAY, START } from "../support/clock.ts";
import { forge, KID, OTHER_KID, signText } from "../support/jws.ts";
import { OTHER_SECRET, SECRET } from "../support/secrets.ts";
import { AUDIENCE, CLAIMS, HEADER, outcomeOf, tokensOf } from "../support/tokens.ts";

const SECONDS = START / 1000;
const GOOD = signText(forge({ header: HEADER, payload: CLAIMS }), SECRET);
const [GOOD_HEADER = "", GOOD_PAYLOAD = "", GOOD_SIGNATURE = ""] = GOOD.split(".");
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

function ringOf(): Tokens {
  return tokensOf({ secrets: [SECRET, OTHER_SECRET] });
}

async function outcome(token: string, tokens = ringOf()): Promise<Rejection | "taken"> {
  return outcomeOf(token, tokens);
}

test("the token that every test here spoils is taken", async () => {
  expect(await outcome(GOOD)).toBe("taken");
});

describe("C3 text that is no canonical compact JWS is malformed, before any cryptography", () => {
  test.each<[string, string]>([
    ["nothing", ""],
    ["text", "alice"],
    ["two parts", `${GOOD_HEADER}.${GOOD_PAYLOAD}`],
    ["four parts", `${GOOD}.`],
    ["a dot before it", `.${GOOD}`],
    ["C12 five parts", `${GOOD}.${GOOD_PAYLOAD}.${GOOD_SIGNATURE}`],
    ["padding", `${GOOD}=`],
    ["padding in the header", `${GOOD_HEADER}=.${GOOD_PAYLOAD}.${GOOD_SIGNATURE}`],
    ["a space behind it", `${GOOD} `],
    ["a space before it", ` ${GOOD}`],
    ["a line break", `${GOOD}\n`],
    ["a NUL", `${GOOD}\0`],
    ["a tab in the signature", `${GOOD.slice(0, -5)}\t${GOOD.slice(-5)}`],
    ["base64's plus", `${GOOD_HEADER}.${GOOD_PAYLOAD}.${"+".repeat(43)}`],
    ["base64's slash", `${GOOD_HEADER}.${GOOD_PAYLOAD}.${"/".repeat(43)}`],
    ["B4 percent-encoding", `%65${GOOD.slice(1)}`],
    ["B4 quotes", `"${GOOD}"`],
    ["a part of an impossible length", `${GOOD_HEADER}.${GOOD_PAYLOAD}.${GOOD_SIGNATURE}AA`],
    ["spare bits behind a byte", `${GOOD_HEADER}.AB.${GOOD_SIGNATURE}`],
    ["spare bits behind two bytes", `${GOOD_HEADER}.AAB.${GOOD_SIGNATURE}`],
    ["wide letters", GOOD.replace("e", "\uff45")],
    ["more than a cookie holds", `${GOOD_HEADER}.${"A".repeat(4096)}.${GOOD_SIGNATURE}`],
    ["C12 JSON", JSON.stringify({ payload: GOOD_PAYLOAD, signature: GOOD_SIGNATURE })],
    ["C15 an unsigned value", `{"username":"admin"}`],
    ["C15 a value in base64", Buffer.from(`{"username":"admin"}`).toString("base64url")],
  ])("%s", (_, token) => {
    expect(ringOf().verify(token)).toBe("malformed");
  });

  test("every other spelling of the last character of a part", async () => {
    const last = GOOD.at(-1) ?? "";
    const spellings = Array.from(ALPHABET).filter((letter) => letter !== last);
    const results = await Promise.all(
      spellings.map((letter) => outcome(GOOD.slice(0, -1) + letter)),
    );
    const value = ALPHABET.indexOf(last);
    for (const [index, letter] of spellings.entries()) {
      const hasSpareBits = ALPHABET.indexOf(letter) % 4 !== 0;
      expect(`${letter} ${results[index]}`).toBe(
        `${letter} ${hasSpareBits ? "malformed" : "forged"}`,
      );
    }
    expect(value % 4).toBe(0);
  });

  test("a character more or less anywhere", async () => {
    const tokens = ringOf();
    for (let at = 0; at <= GOOD.length; at++) {
      for (const piece of ["A", " ", "=", ".", "\n", "-", "%"]) {
        const inserted = GOOD.slice(0, at) + piece + GOOD.slice(at);
        expect(await outcome(inserted, tokens)).not.toBe("taken");
      }
      if (at < GOOD.length) {
        expect(await outcome(GOOD.slice(0, at) + GOOD.slice(at + 1), tokens)).not.toBe("taken");
      }
    }
  });
});

describe("a signature that is not ours is forged", () => {
  test.each<[string, string]>([
    ["another key's", signText(`${GOOD_HEADER}.${GOOD_PAYLOAD}`, `${SECRET}!`)],
    ["C6 another key's of the ring", signText(`${GOOD_HEADER}.${GOOD_PAYLOAD}`, OTHER_SECRET)],
    ["none", `${GOOD_HEADER}.${GOOD_PAYLOAD}.`],
    ["a short one", `${GOOD_HEADER}.${GOOD_PAYLOAD}.${GOOD_SIGNATURE.slice(0, 20)}`],
    ["zeros", `${GOOD_HEADER}.${GOOD_PAYLOAD}.${"A".repeat(43)}`],
    ["SHA-512's", signText(`${GOOD_HEADER}.${GOOD_PAYLOAD}`, SECRET, "sha512")],
    ["one over another payload", `${forge({ header: HEADER, payload: {} })}.${GOOD_SIGNATURE}`],
    ["one of the kid", signText(`${GOOD_HEADER}.${GOOD_PAYLOAD}`, KID)],
  ])("%s", async (_, token) => {
    expect(await outcome(token)).toBe("forged");
  });

  test("a whole signature of another algorithm is longer than any of ours", async () => {
    const header = { ...HEADER, alg: "HS512" };
    const token = signText(forge({ header, payload: CLAIMS }), SECRET, "sha512");
    expect(await outcome(token)).toBe("wrong-purpose");
  });
});

describe("a header that is not ours is refused, though our key signed it", () => {
  test.each<[string, Record<string, unknown>]>([
    ["C1 alg none", { alg: "none" }],
    ["C1 alg None", { alg: "None" }],
    ["C1 alg nOnE", { alg: "nOnE" }],
    ["C1 no alg", { alg: undefined }],
    ["C1 alg hs256", { alg: "hs256" }],
    ["C1 alg HS384", { alg: "HS384" }],
    ["C1 alg HS512", { alg: "HS512" }],
    ["C1 alg RS256", { alg: "RS256" }],
    ["C1 alg EdDSA", { alg: "EdDSA" }],
    ["C1 alg dir", { alg: "dir" }],
    ["C1 an empty alg", { alg: "" }],
    ["C1 a list of algs", { alg: ["HS256"] }],
    ["C7 typ JWT", { typ: "JWT" }],
    ["C7 typ in upper case", { typ: "SESSION+JWT" }],
    ["C7 typ as a media type", { typ: "application/session+jwt" }],
    ["C7 typ of a form token", { typ: "csrf+jwt" }],
    ["C7 no typ", { typ: undefined }],
    ["C4 jwk", { jwk: { kty: "oct", k: Buffer.from(SECRET).toString("base64url") } }],
    ["C4 C5 jku", { jku: "http://127.0.0.1:9/keys.json" }],
    ["C4 C5 x5u", { x5u: "http://127.0.0.1:9/certificate.pem" }],
    ["C4 x5c", { x5c: ["MIIB"] }],
    ["C4 zip", { zip: "DEF" }],
    ["C4 crit", { crit: ["b64"] }],
    ["C4 b64", { b64: true }],
    ["C4 b64 with crit", { b64: false, crit: ["b64"] }],
    ["C4 cty", { cty: "JWT" }],
    ["C4 a member of no meaning", { x: 1 }],
  ])("as wrong-purpose: %s", async (_, members) => {
    const text = forge({ header: { ...HEADER, ...members }, payload: CLAIMS });
    expect(await outcome(signText(text, SECRET))).toBe("wrong-purpose");
    expect(await outcome(`${text}.`)).toBe("wrong-purpose");
  });

  test.each<[string, unknown]>([
    ["no", undefined],
    ["an unknown", "AAAAAAAA"],
    ["an empty", ""],
    ["a prefix of ours as", KID.slice(0, 4)],
    ["our thumbprint's next letter behind the", `${KID}A`],
    ["a path as", "../../dev/null"],
    ["SQL as", "' OR 1=1 --"],
    ["a NUL in the", `${KID}\0`],
    ["a number as", 5],
    ["an array as", [KID]],
    ["an object as", { [KID]: 1 }],
    ["null as", null],
    ["__proto__ as", "__proto__"],
    ["constructor as", "constructor"],
    ["2 kB as", "k".repeat(2048)],
  ])("C6 with %s kid", async (_, kid) => {
    const text = forge({ header: { ...HEADER, kid }, payload: CLAIMS });
    for (const token of [signText(text, SECRET), signText(text, OTHER_SECRET), `${text}.`]) {
      const expected = typeof kid === "string" ? "unknown-key" : "wrong-purpose";
      expect(await outcome(token)).toBe(expected);
    }
  });

  test.each<[string, string]>([
    ["a space in it", `{"alg":"HS256", "typ":"session+jwt","kid":"${KID}"}`],
    ["another order", `{"kid":"${KID}","alg":"HS256","typ":"session+jwt"}`],
    ["an escape in it", `{"alg":"HS256","typ":"session\\u002bjwt","kid":"${KID}"}`],
    ["a member twice", `{"alg":"none","alg":"HS256","typ":"session+jwt","kid":"${KID}"}`],
    ["a byte order mark", `\ufeff{"alg":"HS256","typ":"session+jwt","kid":"${KID}"}`],
    ["no JSON", `alg=HS256`],
    ["an array", `["HS256","session+jwt","${KID}"]`],
    ["null", "null"],
    ["nothing in it", ""],
  ])("where it is spelt with %s", async (_, header) => {
    expect(await outcome(signText(forge({ header, payload: CLAIMS }), SECRET))).not.toBe("taken");
  });

  test("of a JWS with a key of ours that jose made otherwise: C2 C12", async () => {
    const key = new TextEncoder().encode(SECRET);
    const payload = new TextEncoder().encode(JSON.stringify(CLAIMS));
    const flattened = await new FlattenedSign(payload).setProtectedHeader(HEADER).sign(key);
    expect(await outcome(JSON.stringify(flattened))).toBe("malformed");
    const encrypted = await new EncryptJWT(CLAIMS)
      .setProtectedHeader({ ...HEADER, alg: "dir", enc: "A256GCM" })
      .encrypt(key);
    expect(await outcome(encrypted)).toBe("malformed");
    const nested = forge({ header: { ...HEADER, cty: "JWT" }, payload: GOOD });
    expect(await outcome(signText(nested, SECRET))).toBe("wrong-purpose");
  });
});

describe("claims that are not ours are refused, though our key signed them", () => {
  test.each<[Rejection, string, Record<string, unknown>]>([
    ["wrong-purpose", "C8 another cookie's aud", { aud: "session" }],
    ["wrong-purpose", "C8 an aud in other case", { aud: AUDIENCE.toLowerCase() }],
    ["wrong-purpose", "C8 a list with our aud in it", { aud: [AUDIENCE] }],
    ["wrong-purpose", "C8 no aud", { aud: undefined }],
    ["malformed", "no sid", { sid: undefined }],
    ["malformed", "an empty sid", { sid: "" }],
    ["malformed", "a short sid", { sid: "AAECAwQFBgcICQoLDA0" }],
    ["malformed", "a UUID as sid", { sid: "00010203-0405-0607-0809-0a0b0c0d0e0f" }],
    ["malformed", "a sid with other letters", { sid: "sub:AwQFBgcICQoLDA0ODw" }],
    ["malformed", "a number as sid", { sid: 1 }],
    ["malformed", "C9 no iat", { iat: undefined }],
    ["malformed", "C9 text as iat", { iat: String(SECONDS) }],
    ["malformed", "C9 a negative iat", { iat: -1 }],
    ["malformed", "C9 no exp", { exp: undefined }],
    ["malformed", "C9 text as exp", { exp: String(SECONDS + 60) }],
    ["malformed", "C9 null as exp", { exp: null }],
    ["malformed", "C9 a list as exp", { exp: [SECONDS + 60] }],
    ["malformed", "C9 no max", { max: undefined }],
    ["malformed", "C9 text as max", { max: String(SECONDS + 60) }],
    ["malformed", "no ver", { ver: undefined }],
    ["malformed", "text as ver", { ver: "1" }],
    ["malformed", "null as data", { data: null }],
    ["malformed", "a list as data", { data: [] }],
    ["malformed", "a number as data", { data: 1 }],
    ["malformed", "text that is not deflated as data", { data: "admin" }],
    ["malformed", "deflated data that is no JSON", { data: deflated("admin") }],
    ["malformed", "deflated data that is a list", { data: deflated("[]") }],
    ["expired", "C9 an exp that was", { exp: SECONDS - 1 }],
    ["expired", "D7 a max that was", { max: SECONDS }],
    ["early", "C10 an iat to come", { iat: SECONDS + 61 }],
    ["malformed", "a subject with text as its time", { sub: "ann", auth_time: "1" }],
    ["malformed", "flashes that are no list", { flashes: "Hi" }],
  ])("as %s: %s", async (rejection, _, members) => {
    const text = forge({ header: HEADER, payload: { ...CLAIMS, ...members } });
    expect(await outcome(signText(text, SECRET))).toBe(rejection);
  });

  test.each(["iat", "exp", "max", "ver"])("C9 an infinite %s", async (claim) => {
    const payload = JSON.stringify({ ...CLAIMS, [claim]: "?" }).replace(`"?"`, "1e999");
    expect(await outcome(signText(forge({ header: HEADER, payload }), SECRET))).toBe("malformed");
  });

  test("C9 an exp beyond all time does not outlive its max", async () => {
    const payload = { ...CLAIMS, exp: 1e300, max: SECONDS + DAY };
    const token = signText(forge({ header: HEADER, payload }), SECRET);
    expect(await outcome(token)).toBe("taken");
    const later = tokensOf({ now: () => START + DAY * 1000 });
    expect(await outcome(token, later)).toBe("expired");
  });

  test.each<[string, string | Buffer]>([
    ["nothing", ""],
    ["text", "admin"],
    ["a list", "[]"],
    ["null", "null"],
    ["half of it", JSON.stringify(CLAIMS).slice(0, -1)],
    ["a byte order mark before it", `\ufeff${JSON.stringify(CLAIMS)}`],
  ])("a payload of %s is malformed", async (_, payload) => {
    expect(await outcome(signText(forge({ header: HEADER, payload }), SECRET))).toBe("malformed");
  });

  test("a payload that is no UTF-8 is malformed", async () => {
    const bytes = Buffer.from(JSON.stringify(CLAIMS).replace("admin", "\u00ff"), "latin1");
    const text = `${GOOD_HEADER}.${bytes.toString("base64url")}`;
    expect(await outcome(signText(text, SECRET))).toBe("malformed");
  });
});

test("a token that was refused once is refused again", async () => {
  const tokens = ringOf();
  const forged = `${GOOD_HEADER}.${GOOD_PAYLOAD}.${"A".repeat(43)}`;
  for (let count = 0; count < 3; count++) expect(await outcome(forged, tokens)).toBe("forged");
  expect(await outcome(GOOD, tokens)).toBe("taken");
  expect(await outcome(forged, tokens)).toBe("forged");
  const other = forge({ header: { ...HEADER, kid: OTHER_KID }, payload: CLAIMS });
  expect(await outcome(`${other}.${GOOD_SIGNATURE}`, tokens)).toBe("forged");
});

test("a token without data is taken: it is in the store", async () => {
  const text = forge({ header: HEADER, payload: { ...CLAIMS, data: undefined } });
  expect(await ringOf().verify(signText(text, SECRET))).toMatchObject({ hasData: false });
});

function deflated(text: string): string {
  return Buffer.from(Bun.deflateSync(Buffer.from(text), { windowBits: -15 })).toString("base64url");
}
