import { describe, expect, test } from "bun:test";
import { SessionOptionsError } from "../../session/errors.ts";
import { checkSecrets, importKeys } from "../../session/token/keys.ts";
import { errorOf, OTHER_SECRET, SECRET, untyped } from "../support/helpers.ts";

const THIRD_SECRET = "b7Ue-W4oXq1JkM9tRz_2DvHsYc5NgPf0";

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

describe("a secret that is taken", () => {
  test.each<[string, string | Uint8Array, Uint8Array]>([
    ["a string, as its UTF-8 bytes", SECRET, bytesOf(SECRET)],
    ["bytes, as they are", bytesOf(SECRET), bytesOf(SECRET)],
    ["32 bytes in 16 characters", "äöüßéèêçñøåæœþðđ", bytesOf("äöüßéèêçñøåæœþðđ")],
    ["8 different bytes", "abcdefgh".repeat(4), bytesOf("abcdefgh".repeat(4))],
    ["base64 text, which is not decoded", `${SECRET}==`, bytesOf(`${SECRET}==`)],
    ["spaces about it, which are not trimmed", ` ${SECRET} `, bytesOf(` ${SECRET} `)],
    [
      "every byte there is",
      Uint8Array.from({ length: 256 }, (_, i) => i),
      Uint8Array.from({ length: 256 }, (_, i) => i),
    ],
  ])("%s", (_, secret, bytes) => {
    expect(checkSecrets(secret)).toEqual([new Uint8Array(bytes)]);
  });

  test("later changes of the bytes change nothing", () => {
    const bytes = Buffer.from(SECRET);
    const [secret] = checkSecrets(bytes);
    bytes.fill(0);
    expect(secret).toEqual(bytesOf(SECRET));
  });
});

describe("C11 a secret that is refused, whether it signs or only verifies", () => {
  test.each<[string, unknown]>([
    ["a missing one", undefined],
    ["null", null],
    ["an empty string", ""],
    ["no bytes", new Uint8Array()],
    ["a number", 5],
    ["an object", { key: SECRET }],
    ["an ArrayBuffer", bytesOf(SECRET).buffer],
    ["a word", "secret"],
    ["31 bytes", SECRET.slice(1)],
    ["31 bytes in bytes", bytesOf(SECRET.slice(1))],
    ["seven different bytes", "abcdefg".repeat(8)],
    ["zeros", new Uint8Array(64)],
    ["changeme", `changeme-${SECRET}`],
    ["CHANGE_ME", `${SECRET}-CHANGE_ME`],
    ["change this", `please change this ${SECRET}`],
    ["replace-me", `replace-me-${SECRET}`],
    ["your-secret", `your-secret-key-here-${SECRET}`],
    ["placeholder", `placeholder-${SECRET}`],
    ["a placeholder in bytes", bytesOf(`change-me-${SECRET}`)],
    [
      "the key of Flask's documentation",
      "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    ],
  ])("%s", async (_, secret) => {
    const signing = await errorOf(() => checkSecrets(untyped(secret)));
    expect(signing).toBeInstanceOf(SessionOptionsError);
    expect(String(signing)).toMatch(/^SessionOptionsError: Cannot use secretKey: [^\n]+$/);
    const verifying = await errorOf(() => checkSecrets(SECRET, untyped([OTHER_SECRET, secret])));
    expect(verifying).toBeInstanceOf(SessionOptionsError);
    expect(String(verifying)).toMatch(
      /^SessionOptionsError: Cannot use secretKeyFallbacks\[1\]: [^\n]+$/,
    );
  });
});

describe("fallbacks", () => {
  test("are none where none are given", () => {
    expect(checkSecrets(SECRET)).toHaveLength(1);
    expect(checkSecrets(SECRET, [])).toHaveLength(1);
  });

  test("stand behind the signing key, in their order", () => {
    expect(checkSecrets(SECRET, [OTHER_SECRET, bytesOf(THIRD_SECRET)])).toEqual(
      [SECRET, OTHER_SECRET, THIRD_SECRET].map(bytesOf),
    );
  });

  test.each<[string, string | Uint8Array]>([
    ["string", OTHER_SECRET],
    ["array of bytes", bytesOf(OTHER_SECRET)],
  ])("a bare %s is one key, never a list of its parts", (_, fallback) => {
    expect(checkSecrets(SECRET, fallback)).toEqual([bytesOf(SECRET), bytesOf(OTHER_SECRET)]);
  });

  test.each<[string, unknown]>([
    ["null", null],
    ["a number", 5],
    ["an object", { first: OTHER_SECRET }],
  ])("%s is refused", (_, fallbacks) => {
    expect(() => checkSecrets(SECRET, untyped(fallbacks))).toThrow(SessionOptionsError);
  });

  test.each<[string, (string | Uint8Array)[]]>([
    ["the signing key again", [SECRET]],
    ["the signing key again, as bytes", [bytesOf(SECRET)]],
    ["one fallback twice", [OTHER_SECRET, THIRD_SECRET, OTHER_SECRET]],
  ])("G4 %s is refused", (_, fallbacks) => {
    expect(() => checkSecrets(SECRET, fallbacks)).toThrow(SessionOptionsError);
  });
});

test.each<[string, string, string[]]>([
  ["too short", "hunter2-hunter2-hunter2", []],
  ["not random", "hunter2".repeat(9), []],
  ["a placeholder", "change-me-hunter2-7c9QvXw3LpZ81nRk", []],
  ["twice", SECRET, [SECRET]],
  ["too short as a fallback", SECRET, ["hunter2-hunter2-hunter2"]],
])("G6 the message of a key that is %s shows no part of it", async (_, secretKey, fallbacks) => {
  const error = await errorOf(() => checkSecrets(secretKey, fallbacks));
  expect(error).toBeInstanceOf(SessionOptionsError);
  for (const secret of [secretKey, ...fallbacks]) {
    expect(String(error)).not.toContain(secret.slice(0, 6));
    expect(JSON.stringify(error)).not.toContain(secret.slice(0, 6));
  }
});

describe("the key ring", () => {
  test("names each key by the start of its RFC 7638 thumbprint", async () => {
    const ring = await importKeys(checkSecrets(SECRET, OTHER_SECRET));
    const thumbprints = [SECRET, OTHER_SECRET].map((secret) => {
      const jwk = `{"k":"${Buffer.from(secret).toString("base64url")}","kty":"oct"}`;
      return new Bun.CryptoHasher("sha256").update(jwk).digest("base64url");
    });
    expect(ring.map(({ kid }) => kid)).toEqual(thumbprints.map((text) => text.slice(0, 8)));
  });

  test("G6 holds keys for HS256 alone, which give away nothing", async () => {
    for (const { key } of await importKeys(checkSecrets(SECRET, OTHER_SECRET))) {
      expect(key.extractable).toBe(false);
      expect(key.algorithm).toMatchObject({ name: "HMAC", hash: { name: "SHA-256" } });
      expect(await errorOf(() => crypto.subtle.exportKey("raw", key))).toBeInstanceOf(Error);
    }
  });

  test("without a key is refused", async () => {
    expect(await errorOf(() => importKeys([]))).toBeInstanceOf(TypeError);
  });
});
