import { describe, expect, test } from "bun:test";
import { createDecipheriv, hkdfSync } from "node:crypto";
import { CompactEncrypt } from "jose";
import type { SessionEvent } from "../../session/mod.ts";
import { createSessions } from "../../session/mod.ts";
import { writeClaims } from "../../session/token/claims.ts";
import type { Format } from "../../session/token/format.ts";
import { tokenLength } from "../../session/token/format.ts";
import { createTokens, dataClaim, type Tokens } from "../../session/token/token.ts";
import { token, type TokenKind } from "../../session/testing/mod.ts";
import { DAY, START } from "../support/clock.ts";
import { OTHER_SECRET, SECRET } from "../support/secrets.ts";
import { AUDIENCE, CLAIMS, outcomeOf, signState, stateOf, tokensOf } from "../support/tokens.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Tokens of a format, by these secrets. */
function ringOf(format: Format, ...secrets: readonly string[]): Tokens {
  const keys = secrets.map((secret) => new TextEncoder().encode(secret));
  return createTokens({ secrets: () => keys, format, audience: AUDIENCE, now: () => START });
}

const encrypted = (...secrets: readonly string[]): Tokens => ringOf("A256GCM", ...secrets);

/** An encrypted token of these values, as `commit` makes it. */
async function encryptState(tokens: Tokens, data: Record<string, string> = {}): Promise<string> {
  const state = stateOf(data);
  const claims = writeClaims(state, AUDIENCE, await dataClaim(state.data, "A256GCM"));
  return tokens.sign(claims, state, true);
}

/** A token of a format, by the secret. */
async function made(format: Format, secret: string): Promise<string> {
  return signState(ringOf(format, secret), stateOf());
}

/** The bytes of a key, made without the library. */
function keyBytes(purpose: string, secret = SECRET): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, "", `madeleine/1 ${purpose}`, 32));
}

function kidOf(bytes: Uint8Array): string {
  const jwk = `{"k":"${Buffer.from(bytes).toString("base64url")}","kty":"oct"}`;
  return new Bun.CryptoHasher("sha256").update(jwk).digest("base64url").slice(0, 8);
}

const KID = kidOf(keyBytes(`A256GCM ${AUDIENCE} 0`));

/** A JWE that jose makes with sub-key 0 of the secret, and these claims. */
async function forgeJwe(
  header: Readonly<Record<string, unknown>>,
  key: Uint8Array = keyBytes(`A256GCM ${AUDIENCE} 0`),
): Promise<string> {
  return new CompactEncrypt(new TextEncoder().encode(JSON.stringify(CLAIMS)))
    .setProtectedHeader({ alg: "dir", enc: "A256GCM", ...header })
    .encrypt(key);
}

/** What a JWE holds, as node:crypto decrypts it. */
function decrypt(text: string, key: Uint8Array): string {
  const [header = "", , ...parts] = text.split(".");
  const [iv = "", ciphertext = "", tag = ""] = parts;
  const decipher = createDecipheriv("aes-256-gcm", key, Buffer.from(iv, "base64url"));
  decipher.setAAD(Buffer.from(header)).setAuthTag(Buffer.from(tag, "base64url"));
  return (
    decipher.update(Buffer.from(ciphertext, "base64url"), undefined, "utf8") +
    decipher.final("utf8")
  );
}

describe("an encrypted token", () => {
  test("is a JWE with a header to the letter, of one of 64 sub-keys", async () => {
    const tokens = encrypted(SECRET);
    const names = new Set<string>();
    for (let count = 0; count < 640; count++) {
      const text = await encryptState(tokens, { username: `"admin"` });
      const header = String(Buffer.from(text.split(".")[0] ?? "", "base64url"));
      const name = header.at(-3) ?? "";
      expect(header).toBe(
        `{"alg":"dir","enc":"A256GCM","typ":"session+jwt","kid":"${KID}${name}"}`,
      );
      names.add(name);
      const key = keyBytes(`A256GCM ${AUDIENCE} ${ALPHABET.indexOf(name)}`);
      expect(decrypt(text, key)).toBe(JSON.stringify(CLAIMS));
    }
    // Each of 64 is missing with a probability of 4 in 100,000.
    expect(names.size).toBeGreaterThan(48);
  });

  test("is taken by another instance, and by one that only signs", async () => {
    const text = await encryptState(encrypted(SECRET), { username: `"admin"` });
    for (const tokens of [encrypted(SECRET), tokensOf(), encrypted(OTHER_SECRET, SECRET)]) {
      expect(await tokens.verify(text)).toMatchObject({
        state: stateOf({ username: `"admin"` }),
        hasData: true,
      });
    }
  });

  test("is as long as it was foretold", async () => {
    for (const name of ["", "a", "ab", "abc", "ä\u{1f36a}"]) {
      const state = stateOf({ name: JSON.stringify(name) });
      const claims = writeClaims(state, AUDIENCE, undefined);
      const text = await encrypted(SECRET).sign(claims, state, false);
      expect(tokenLength(claims, "A256GCM")).toBe(text.length);
    }
  });

  test("does not deflate its data, whose length would tell of it", async () => {
    const data = { text: JSON.stringify("a".repeat(1000)) };
    const text = await encryptState(encrypted(SECRET), data);
    expect(text.length).toBeGreaterThan(1300);
    expect((await signState(tokensOf(), stateOf(data))).length).toBeLessThan(600);
  });

  test("is another one each time, and is read at once where it was made", async () => {
    const tokens = encrypted(SECRET);
    const [one, other] = [await encryptState(tokens), await encryptState(tokens)];
    expect(one).not.toBe(other);
    expect(tokens.verify(one)).not.toBeInstanceOf(Promise);
    expect(tokens.verify(one)).toEqual(await encrypted(SECRET).verify(one));
  });
});

describe("C12 a JWE that is not ours is refused", () => {
  test("is taken if nothing is wrong with it", async () => {
    const text = await forgeJwe({ typ: "session+jwt", kid: `${KID}A` });
    expect(await outcomeOf(text, encrypted(SECRET))).toBe("taken");
  });

  test.each<[string, (parts: readonly string[]) => readonly string[]]>([
    ["an encrypted key", ([a = "", , ...rest]) => [a, "AAAA", ...rest]],
    ["a short IV", ([a = "", b = "", , ...rest]) => [a, b, "A".repeat(15), ...rest]],
    ["a long IV", ([a = "", b = "", , ...rest]) => [a, b, "A".repeat(20), ...rest]],
    ["a short tag", (parts) => parts.with(4, "A".repeat(16))],
    ["a long tag", (parts) => parts.with(4, "A".repeat(24))],
    ["no tag", (parts) => parts.with(4, "")],
    ["spare bits in its tag", (parts) => parts.with(4, `${"A".repeat(21)}B`)],
    ["padding", (parts) => parts.with(3, `${parts[3]}=`)],
    ["a sixth part", (parts) => [...parts, ""]],
    ["four parts", (parts) => parts.slice(0, 4)],
  ])("malformed: %s", async (_, change) => {
    const text = await encryptState(encrypted(SECRET));
    expect(encrypted(SECRET).verify(change(text.split(".")).join("."))).toBe("malformed");
  });

  test("forged: a change anywhere", async () => {
    const tokens = encrypted(SECRET);
    const parts = (await encryptState(tokens)).split(".");
    for (const part of [2, 3, 4]) {
      const text = parts[part] ?? "";
      for (let at = 0; at < text.length - 1; at += 7) {
        const letter = text[at] === "A" ? "B" : "A";
        const changed = parts.with(part, text.slice(0, at) + letter + text.slice(at + 1));
        expect(await outcomeOf(changed.join("."), tokens)).toBe("forged");
      }
    }
  });

  test("C6 forged: another sub-key's name, or another secret's", async () => {
    const tokens = encrypted(SECRET, OTHER_SECRET);
    const key = keyBytes(`A256GCM ${AUDIENCE} 1`);
    expect(
      await outcomeOf(await forgeJwe({ typ: "session+jwt", kid: `${KID}B` }, key), tokens),
    ).toBe("taken");
    expect(
      await outcomeOf(await forgeJwe({ typ: "session+jwt", kid: `${KID}A` }, key), tokens),
    ).toBe("forged");
    const other = keyBytes(`A256GCM ${AUDIENCE} 0`, OTHER_SECRET);
    expect(
      await outcomeOf(await forgeJwe({ typ: "session+jwt", kid: `${KID}A` }, other), tokens),
    ).toBe("forged");
  });

  test.each<[string, Readonly<Record<string, unknown>>]>([
    ["CVE-2024-28176 zip", { zip: "DEF" }],
    ["p2c", { p2c: 1_000_000, p2s: "AAAA" }],
    ["epk", { epk: { kty: "EC" } }],
    ["crit", { crit: ["exp"], exp: 1 }],
    ["cty", { cty: "JWT" }],
    ["jwk", { jwk: { kty: "oct", k: "AAAA" } }],
    ["another typ", { typ: "JWT" }],
    ["the typ of a record", { typ: "session-record+jwt" }],
    ["no typ", { typ: undefined }],
    ["another enc", { enc: "A128GCM" }],
    ["CVE-2022-36083 another alg", { alg: "PBES2-HS256+A128KW" }],
    ["no kid", { kid: undefined }],
  ])("C4 wrong-purpose: %s in its header", async (_, change) => {
    const good = await forgeJwe({ typ: "session+jwt", kid: `${KID}A` });
    const header = { alg: "dir", enc: "A256GCM", typ: "session+jwt", kid: `${KID}A`, ...change };
    const text = Buffer.from(JSON.stringify(header)).toString("base64url");
    const parts = good.split(".").with(0, text);
    expect(await outcomeOf(parts.join("."), encrypted(SECRET))).toBe("wrong-purpose");
  });

  test.each([KID, `${KID}AA`, `${KID}=`, "", "AAAAAAAAA"])("unknown-key: kid %p", async (kid) => {
    const text = await forgeJwe({ typ: "session+jwt", kid });
    expect(await outcomeOf(text, encrypted(SECRET))).toBe("unknown-key");
  });

  test("C7 the key of one purpose opens nothing of another", async () => {
    const tokens = encrypted(SECRET);
    for (const purpose of [
      `A256GCM record ${AUDIENCE}`,
      "A256GCM session 0",
      "HS256 session+jwt",
    ]) {
      const bytes = keyBytes(purpose);
      for (const kid of [`${KID}A`, kidOf(bytes), `${kidOf(bytes)}A`]) {
        const text = await forgeJwe({ typ: "session+jwt", kid }, bytes);
        expect(await outcomeOf(text, tokens)).not.toBe("taken");
      }
    }
    const record = await tokens.hide(JSON.stringify(CLAIMS));
    expect(await outcomeOf(record, tokens)).toBe("wrong-purpose");
    expect(await tokens.reveal(await encryptState(tokens))).toBeUndefined();
  });
});

test("a record is encrypted with a key of its own, named in a header of its own", async () => {
  const text = await encrypted(SECRET).hide("{}");
  const key = keyBytes(`A256GCM record ${AUDIENCE}`);
  expect(String(Buffer.from(text.split(".")[0] ?? "", "base64url"))).toBe(
    `{"alg":"dir","enc":"A256GCM","typ":"session-record+jwt","kid":"${kidOf(key)}"}`,
  );
  expect(decrypt(text, key)).toBe("{}");
  expect(tokensOf().hide("{}")).toBe("{}");
  for (const tokens of [tokensOf(), encrypted(OTHER_SECRET, SECRET), ringOf("ES256", SECRET)]) {
    expect(await tokens.reveal(text)).toBe("{}");
  }
});

describe("which tokens are read", () => {
  const formats = ["HS256", "A256GCM", "ES256"] as const;

  test.each<[Format, readonly Format[], readonly Format[]]>([
    ["HS256", ["HS256", "A256GCM"], ["HS256", "A256GCM"]],
    ["A256GCM", ["HS256", "A256GCM"], ["HS256", "A256GCM"]],
    ["ES256", ["ES256"], ["HS256", "A256GCM", "ES256"]],
  ])("with %s: of the secret %j, of a fallback %j", async (format, own, fallback) => {
    const tokens = ringOf(format, SECRET, OTHER_SECRET);
    for (const other of formats) {
      const text = await made(other, SECRET);
      expect([other, (await outcomeOf(text, tokens)) === "taken"]).toEqual([
        other,
        own.includes(other),
      ]);
      // An instance that does not encrypt leaves an encrypted token until it changes.
      const isCurrentKey = other === format || (format === "HS256" && other === "A256GCM");
      if (own.includes(other)) expect(await tokens.verify(text)).toMatchObject({ isCurrentKey });
      const old = await made(other, OTHER_SECRET);
      expect([other, (await outcomeOf(old, tokens)) === "taken"]).toEqual([
        other,
        fallback.includes(other),
      ]);
      if (fallback.includes(other)) {
        expect(await tokens.verify(old)).toMatchObject({ isCurrentKey: false });
      }
    }
  });
});

test("C8 a token of one cookie is nothing to another one, which has other keys", async () => {
  const text = await encryptState(encrypted(SECRET));
  const keys = [new TextEncoder().encode(SECRET)];
  const other = createTokens({
    secrets: () => keys,
    format: "A256GCM",
    audience: "session",
    now: () => START,
  });
  expect(await outcomeOf(text, other)).toBe("unknown-key");
});

test.each<TokenKind>([
  "valid",
  "expired",
  "early",
  "forged",
  "unknown-key",
  "wrong-purpose",
  "malformed",
])("the test kit makes one that is %s", async (kind) => {
  const events: SessionEvent[] = [];
  const options = { secretKey: SECRET, encrypt: true, now: () => START, idleTimeout: DAY };
  const sessions = createSessions({ ...options, onEvent: (event) => events.push(event) });
  const value = await token({ data: { username: "admin" } }, { ...options, kind });
  expect(value.split(".")).toHaveLength(5);
  const session = await sessions.open({ headers: { cookie: `${AUDIENCE}=${value}` } });
  expect(session.get("username")).toBe(kind === "valid" ? "admin" : undefined);
  expect(events).toEqual(kind === "valid" ? [] : [{ type: "rejected", reason: kind }]);
});
