import { describe, expect, test } from "bun:test";
import { createECDH, createHmac, createPublicKey, hkdfSync } from "node:crypto";
import { compactVerify, createLocalJWKSet, exportJWK, jwtVerify } from "jose";
import { createSessions, SessionOptionsError } from "../../session/mod.ts";
import { writeClaims } from "../../session/token/claims.ts";
import { deriveKeyPair, type PublicKey } from "../../session/token/es256.ts";
import { tokenLength } from "../../session/token/format.ts";
import { createTokens, type Tokens } from "../../session/token/token.ts";
import { createClient, token } from "../../session/testing/mod.ts";
import { createClock, DAY, START } from "../support/clock.ts";
import { errorOf } from "../support/errors.ts";
import { forge, KID, OTHER_KID, signText } from "../support/jws.ts";
import { OTHER_SECRET, SECRET } from "../support/secrets.ts";
import {
  AUDIENCE,
  CLAIMS,
  HEADER,
  outcomeOf,
  signState,
  stateOf,
  tokensOf,
} from "../support/tokens.ts";

const PRINTED = "q8Zr2Lw0Vt5Yb7Nc1Md4Pf6Hj9Ks3Xg_uAeIoBnRvT";
const ORDER = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Tokens of ES256, by these secrets. */
function pairsOf(...secrets: readonly string[]): Tokens {
  const keys = secrets.map(bytesOf);
  return createTokens({
    secrets: () => keys,
    format: "ES256",
    audience: AUDIENCE,
    now: () => START,
  });
}

async function publicKeyOf(secret: string): Promise<PublicKey> {
  return (await deriveKeyPair(bytesOf(secret), "ES256 session")).publicKey;
}

/** The two halves of a token's signature. */
function signatureOf(text: string): readonly [r: bigint, s: bigint] {
  const hex = Buffer.from(text.split(".")[2] ?? "", "base64url").toString("hex");
  return [BigInt(`0x${hex.slice(0, 64)}`), BigInt(`0x${hex.slice(64)}`)];
}

/** The token with that s in its signature. */
function withS(text: string, s: bigint): string {
  const [r] = signatureOf(text);
  const hex = [r, s].map((half) => half.toString(16).padStart(64, "0")).join("");
  return `${text.slice(0, text.lastIndexOf("."))}.${Buffer.from(hex, "hex").toString("base64url")}`;
}

/** What is public of the key, in the forms in which it might be taken for an HMAC secret. */
async function formsOf(jwk: PublicKey): Promise<ReadonlyMap<string, string | Buffer>> {
  const { kty, crv, x, y } = jwk;
  const key = createPublicKey({ key: { kty, crv, x, y }, format: "jwk" });
  const der = key.export({ format: "der", type: "spki" });
  const pem = key.export({ format: "pem", type: "spki" });
  return new Map<string, string | Buffer>([
    ["JWK", JSON.stringify(jwk)],
    ["its members", JSON.stringify({ kty, crv, x, y })],
    ["a JWK set", JSON.stringify({ keys: [jwk] })],
    ["PEM", pem],
    ["PEM without its last line break", pem.trim()],
    ["DER", der],
    ["the point", der.subarray(-65)],
    ["x", x],
    ["kid", jwk.kid],
  ]);
}

describe("a derived key pair", () => {
  test.each([
    ["ES256 session", "JN2oaoQfeKZc6W4tG-ybwv571GbmaVRS7_7P5U7iOjY"],
    ["ES256 identity", "vRlJacU-pYy3Nc0q1qUEGG6fcSGbEcKy0kHrj-fLKk8"],
  ] as const)("for %s is the same everywhere", async (purpose, x) => {
    const { publicKey } = await deriveKeyPair(bytesOf(PRINTED), purpose);
    expect(publicKey.x).toBe(x);
  });

  test("has the private number of FIPS 186-5 §A.2.1, as node:crypto computes its point", async () => {
    const bytes = hkdfSync("sha256", SECRET, "", "madeleine/1 ES256 session", 48);
    const d = (BigInt(`0x${Buffer.from(bytes).toString("hex")}`) % (ORDER - 1n)) + 1n;
    const pair = createECDH("prime256v1");
    pair.setPrivateKey(Buffer.from(d.toString(16).padStart(64, "0"), "hex"));
    const { x, y } = await publicKeyOf(SECRET);
    const point = [x, y].map((half) => Buffer.from(half, "base64url").toString("hex")).join("");
    expect(pair.getPublicKey("hex")).toBe(`04${point}`);
  });

  test("G6 can't be exported", async () => {
    const { privateKey } = await deriveKeyPair(bytesOf(SECRET), "ES256 session");
    expect(privateKey.extractable).toBe(false);
    expect(await errorOf(() => exportJWK(privateKey))).toBeInstanceOf(Error);
  });

  test("is named by the start of its public thumbprint", async () => {
    const { kty, crv, x, y, kid } = await publicKeyOf(SECRET);
    const jwk = `{"crv":"${crv}","kty":"${kty}","x":"${x}","y":"${y}"}`;
    const thumbprint = new Bun.CryptoHasher("sha256").update(jwk).digest("base64url");
    expect(kid).toBe(thumbprint.slice(0, 8));
  });
});

describe("a token of ES256", () => {
  test("has its header to the letter, and the claims of any token", async () => {
    const text = await signState(pairsOf(SECRET), stateOf({ username: `"admin"` }));
    const [header, payload] = text.split(".", 2).map((part) => Buffer.from(part, "base64url"));
    const { kid } = await publicKeyOf(SECRET);
    expect(String(header)).toBe(`{"alg":"ES256","typ":"session+jwt","kid":"${kid}"}`);
    expect(String(payload)).toBe(JSON.stringify(CLAIMS));
    expect(await outcomeOf(text, pairsOf(SECRET))).toBe("taken");
  });

  test("is as long as it was foretold", async () => {
    for (const name of ["", "a", "ab", "abc"]) {
      const state = stateOf({ name: JSON.stringify(name) });
      const claims = writeClaims(state, AUDIENCE, undefined);
      const text = await pairsOf(SECRET).sign(claims, state, false);
      expect(tokenLength(claims, "ES256")).toBe(text.length);
    }
  });

  test("is verified by jose with the public key alone", async () => {
    const text = await signState(pairsOf(SECRET), stateOf());
    const keys = createLocalJWKSet({ keys: [await publicKeyOf(SECRET)] });
    const options = { typ: "session+jwt", audience: AUDIENCE, currentDate: new Date(START) };
    expect((await jwtVerify(text, keys, options)).payload).toMatchObject({ aud: AUDIENCE });
  });

  test("has a low s, each time", async () => {
    const tokens = pairsOf(SECRET);
    for (let count = 0; count < 64; count++) {
      const text = await signState(tokens, stateOf());
      expect(signatureOf(text)[1] <= ORDER / 2n).toBe(true);
      expect(await outcomeOf(text, pairsOf(SECRET))).toBe("taken");
    }
  });

  test("C3 is malformed with its high s, which jose takes", async () => {
    const text = await signState(pairsOf(SECRET), stateOf());
    const high = withS(text, ORDER - signatureOf(text)[1]);
    const keys = createLocalJWKSet({ keys: [await publicKeyOf(SECRET)] });
    expect((await compactVerify(high, keys)).payload).toBeInstanceOf(Uint8Array);
    expect(await outcomeOf(high, pairsOf(SECRET))).toBe("malformed");
  });

  test("C3 has no other spelling of its last character", async () => {
    const tokens = pairsOf(SECRET);
    const text = await signState(tokens, stateOf());
    for (const letter of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
      const other = text.slice(0, -1) + letter;
      if (other !== text) expect(await outcomeOf(other, tokens)).not.toBe("taken");
    }
  });

  test.each<[string, (text: string) => string]>([
    ["another payload's", (text) => text.replace(/\.[\w-]+\./, `.${btoa("{}").slice(0, 3)}.`)],
    ["no", (text) => text.replace(/[\w-]+$/, "")],
    ["a short", (text) => text.slice(0, -46)],
    ["a zero", (text) => text.replace(/[\w-]+$/, "A".repeat(86))],
    ["a flipped", (text) => withS(text, signatureOf(text)[1] ^ 1n)],
  ])("is forged with %s signature", async (_, spoil) => {
    const text = await signState(pairsOf(SECRET), stateOf());
    expect(await outcomeOf(spoil(text), pairsOf(SECRET))).toBe("forged");
  });

  test("C6 is forged with another key's signature, though the ring has that key", async () => {
    const [, payload, signature] = (await signState(pairsOf(OTHER_SECRET), stateOf())).split(".");
    const [header] = (await signState(pairsOf(SECRET), stateOf())).split(".");
    const text = [header, payload, signature].join(".");
    expect(await outcomeOf(text, pairsOf(SECRET, OTHER_SECRET))).toBe("forged");
  });
});

describe("the header selects the key, so the algorithm is never a choice", () => {
  test("C1 the public key is no HMAC secret, in whatever form", async () => {
    const jwk = await publicKeyOf(SECRET);
    const rings = [pairsOf(SECRET), pairsOf(SECRET, SECRET), pairsOf(SECRET, OTHER_SECRET)];
    for (const [form, key] of await formsOf(jwk)) {
      const oct = `{"k":"${Buffer.from(key).toString("base64url")}","kty":"oct"}`;
      const own = new Bun.CryptoHasher("sha256").update(oct).digest("base64url").slice(0, 8);
      for (const kid of [jwk.kid, KID, OTHER_KID, own]) {
        for (const alg of ["HS256", "ES256", "HS512", "none"]) {
          const text = forge({ header: { alg, typ: "session+jwt", kid }, payload: CLAIMS });
          const mac = createHmac("sha256", key).update(text).digest();
          for (const signature of [mac, Buffer.concat([mac, mac])]) {
            const forged = `${text}.${signature.toString("base64url")}`;
            for (const ring of rings) {
              expect(`${form} ${await outcomeOf(forged, ring)}`).not.toContain("taken");
            }
          }
        }
      }
    }
  });

  test("with HS256 no token of ES256 is accepted, the secret's own included", async () => {
    const text = await signState(pairsOf(SECRET), stateOf());
    expect(await outcomeOf(text)).toBe("wrong-purpose");
    expect(await outcomeOf(text, tokensOf({ secrets: [OTHER_SECRET, SECRET] }))).toBe(
      "wrong-purpose",
    );
  });

  test("with ES256 tokens of HS256 are accepted of fallback secrets alone", async () => {
    const ours = signText(forge({ header: HEADER, payload: CLAIMS }), SECRET);
    const others = signText(
      forge({ header: { ...HEADER, kid: OTHER_KID }, payload: CLAIMS }),
      OTHER_SECRET,
    );
    expect(await outcomeOf(ours, pairsOf(SECRET))).toBe("unknown-key");
    expect(await outcomeOf(ours, pairsOf(SECRET, OTHER_SECRET))).toBe("unknown-key");
    expect(await pairsOf(SECRET, OTHER_SECRET).verify(others)).toMatchObject({
      isCurrentKey: false,
    });
    expect(await pairsOf(SECRET, SECRET).verify(ours)).toMatchObject({ isCurrentKey: false });
  });

  test("C4 no header member is added", async () => {
    const { kid } = await publicKeyOf(SECRET);
    const good = { alg: "ES256", typ: "session+jwt", kid };
    for (const more of [{ jwk: await publicKeyOf(SECRET) }, { crit: ["b64"] }, { zip: "DEF" }]) {
      const text = `${forge({ header: { ...good, ...more }, payload: CLAIMS })}.${"A".repeat(86)}`;
      expect(await outcomeOf(text, pairsOf(SECRET))).toBe("wrong-purpose");
    }
  });
});

describe("G1 a fallback secret", () => {
  test("verifies its tokens of ES256, and signs none", async () => {
    const before = await signState(pairsOf(OTHER_SECRET), stateOf());
    const ring = pairsOf(SECRET, OTHER_SECRET);
    expect(await ring.verify(before)).toMatchObject({ isCurrentKey: false });
    const after = await signState(ring, stateOf());
    expect(await outcomeOf(after, pairsOf(SECRET))).toBe("taken");
    expect(await outcomeOf(before, pairsOf(SECRET))).toBe("unknown-key");
  });

  test("may be the current one, once: its tokens of HS256 are signed again with ES256", async () => {
    const clock = createClock(START);
    const shared = { secretKey: SECRET, now: clock.now };
    const sessions = createSessions({
      ...shared,
      algorithm: "ES256",
      secretKeyFallbacks: [SECRET, OTHER_SECRET],
    });
    const client = createClient(() => new Response(), { sessions, now: clock.now });
    const value = await token({ data: { username: "admin" }, subject: "user-1" }, shared);
    client.setCookie(`${AUDIENCE}=${value}; Secure; HttpOnly; Path=/`);
    clock.advance(61);
    for (let count = 0; count < 2; count++) {
      expect(await client.session((session) => session.subject)).toBe("user-1");
      const [header = ""] = (client.cookie(AUDIENCE)?.value ?? "").split(".");
      expect(atob(header)).toStartWith(`{"alg":"ES256",`);
    }
    const options = {
      ...shared,
      algorithm: "ES256",
      secretKeyFallbacks: [SECRET, SECRET],
    } as const;
    expect(() => createSessions(options)).toThrow(SessionOptionsError);
  });
});

describe("publicKeys()", () => {
  const algorithm = "ES256";

  test("gives the session keys, the current one first, and nothing else of them", async () => {
    const secretKeyFallbacks = [SECRET, OTHER_SECRET];
    const sessions = createSessions({ secretKey: SECRET, secretKeyFallbacks, algorithm });
    const keys = [await publicKeyOf(SECRET), await publicKeyOf(OTHER_SECRET)];
    expect(await sessions.publicKeys()).toEqual({ keys });
    for (const key of (await sessions.publicKeys()).keys) {
      expect(Object.keys(key)).toEqual(["kty", "crv", "x", "y", "kid", "alg", "use"]);
    }
  });

  test("asks a function for the secret", async () => {
    const sessions = createSessions({ secretKey: async () => SECRET, algorithm });
    expect(await sessions.publicKeys()).toEqual({ keys: [await publicKeyOf(SECRET)] });
  });

  test("is an error where tokens are signed with HS256", async () => {
    const sessions = createSessions({ secretKey: SECRET });
    expect(await errorOf(() => sessions.publicKeys())).toBeInstanceOf(SessionOptionsError);
  });
});

test("the test kit makes tokens of ES256", async () => {
  const options = { secretKey: SECRET, algorithm: "ES256", now: () => START } as const;
  const text = await token({ data: { username: "admin" } }, options);
  expect(await outcomeOf(text, pairsOf(SECRET))).toBe("taken");
  const expired = await token({}, { ...options, kind: "expired", idleTimeout: DAY });
  expect(await outcomeOf(expired, pairsOf(SECRET))).toBe("expired");
});
