import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { runInNewContext } from "node:vm";
import { SessionOptionsError } from "../../session/errors.ts";
import { checkSecrets, importKeys } from "../../session/token/keys.ts";
import { errorOf, untyped } from "../support/errors.ts";
import { ROOT } from "../support/program.ts";
import { OTHER_SECRET, SECRET } from "../support/secrets.ts";

const THIRD_SECRET = "b7Ue-W4oXq1JkM9tRz_2DvHsYc5NgPf0";
/** The thumbprints of these two begin with the same 48 bits. */
const TWINS = ["Wf7_kT2mQz9-LbXy4RvEhN0cgyXrbdpc", "Wf7_kT2mQz9-LbXy4RvEhN0cTwDN1hmP"] as const;
/** Eight different bytes, without a period. */
const EIGHT = "7Q.mK_2pQ7m.pK2_.7_Qp2mKK.2m7pQ_";
const SIXTEEN = "7Qx.mK_2pLwZ4vRs";
const COUNTED = Uint8Array.from({ length: 32 }, (_, index) => index);
/** Random letters, more than a word has. */
const LETTERS = "kqzvjwpxmtrgbhdyfcnslkqezvojwapixmutrgbhedyfocnaslwkqizvjupxmtra";
/** Random letters and separators, which happen to part them as words are. */
const NO_VOWELS = "kqVzj_wPxmt-RgbhDyf_cnsLkqz-vjwp";
/** 16 random bytes that happen to be letters and control characters. */
const CONTROLS = Buffer.from("ke\x02Pam\x11rol\x1fWi\x07de", "latin1").toHex();
const FOREIGN = untyped(runInNewContext("Uint8Array.from(bytes)", { bytes: bytesOf(SECRET) }));
/** Bytes that are not UTF-8, the last one a line break. */
const NO_TEXT = Uint8Array.from([0xff, ...bytesOf(SECRET), 0x0a]);

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

describe("a secret that is taken", () => {
  test.each<[string, string | Uint8Array, Uint8Array]>([
    ["a string, as its UTF-8 bytes", SECRET, bytesOf(SECRET)],
    ["bytes, as they are", bytesOf(SECRET), bytesOf(SECRET)],
    ["a Buffer", Buffer.from(SECRET), bytesOf(SECRET)],
    ["bytes of another realm", FOREIGN, bytesOf(SECRET)],
    ["32 bytes in 16 characters", "ÄÖüßéÈÊçÑøÅÆœþÐđ", bytesOf("ÄÖüßéÈÊçÑøÅÆœþÐđ")],
    ["8 different bytes", EIGHT, bytesOf(EIGHT)],
    ["16 bytes twice", `${SIXTEEN}${SIXTEEN}`, bytesOf(`${SIXTEEN}${SIXTEEN}`)],
    ["a run of 7 characters", `${SECRET}abcdefg`, bytesOf(`${SECRET}abcdefg`)],
    ["two runs of 5 by turns", `${SECRET}a1b2c3d4e5`, bytesOf(`${SECRET}a1b2c3d4e5`)],
    ["11 equal characters", `${SECRET}-${"0".repeat(11)}`, bytesOf(`${SECRET}-${"0".repeat(11)}`)],
    ["64 letters", LETTERS, bytesOf(LETTERS)],
    ["words without vowels", NO_VOWELS, bytesOf(NO_VOWELS)],
    ["letters between control characters, in hexadecimal", CONTROLS, bytesOf(CONTROLS)],
    ["base64 text, which is not decoded", `${SECRET}==`, bytesOf(`${SECRET}==`)],
    ["bytes that are no text and end with a line break", NO_TEXT, NO_TEXT],
    ["digits", "31415926535897932384626433832795", bytesOf("31415926535897932384626433832795")],
    ["white space inside", SECRET.replace("_", " \n"), bytesOf(SECRET.replace("_", " \n"))],
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

/** What an error says of the rule that refused the key. */
const RULES = {
  missing: "it is missing: is its environment variable set? Make",
  type: "must be a string or a Uint8Array, got ",
  space: "it starts or ends with white space, ",
  short: "bytes, must have at least 32 (RFC 7518 §3.2). Make",
  few: "it has fewer than 8 different bytes. Make",
  period: "it repeats fewer than 16 bytes. Make",
  run: "it has a run, ",
  documented: "it contains a word or a key from documentation, ",
  phrase: "it is made of words, ",
};

describe("C11 a secret that is refused, whether it signs or only verifies", () => {
  test.each<[keyof typeof RULES, string, unknown]>([
    ["missing", "undefined", undefined],
    ["missing", "null", null],
    ["missing", "an empty string", ""],
    ["short", "no bytes", new Uint8Array()],
    ["type", "a number", 5],
    ["type", "an object", { key: SECRET }],
    ["type", "an ArrayBuffer", bytesOf(SECRET).buffer],
    ["type", "wider numbers", new Uint16Array(bytesOf(SECRET))],
    ["type", "what only says that it is bytes", { [Symbol.toStringTag]: "Uint8Array" }],
    ["short", "a word", "secret"],
    ["short", "31 bytes", SECRET.slice(1)],
    ["short", "31 bytes in bytes", bytesOf(SECRET.slice(1))],
    ["space", "a line break at the end", `${SECRET}\n`],
    ["space", "a line break at the end of a short key", "hunter2\n"],
    ["space", "a line break at the end of a file's bytes", bytesOf(`${SECRET}\r\n`)],
    ["space", "a space at the start", ` ${SECRET}`],
    ["space", "a byte order mark at the start", bytesOf(`\ufeff${SECRET}`)],
    ["few", "seven different bytes", "7Qx-mK_".repeat(8)],
    ["few", "zeros", new Uint8Array(64)],
    ["few", "zeros in base64", Buffer.alloc(32).toString("base64")],
    ["period", "8 characters again and again", "abcdefgh".repeat(4)],
    ["period", "15 characters twice, and the start of them", "7Qx-mK_2pLwZ4vR".repeat(2) + "7Qx"],
    ["period", "digits", "1234567890".repeat(4)],
    ["period", "express-session's cat", "keyboard cat keyboard cat keyboard cat"],
    ["period", "8 characters again and again, and another", `${"aB3$xY9!".repeat(4)}Z`],
    ["period", "7 characters again and again, and another", `${"hunter2".repeat(5)}x`],
    ["period", "three words of digits and letters", "s3cr3t-k3y-s3cr3t-k3y-s3cr3t-k3y!"],
    ["period", "12 characters again in the middle", `7Qx-${"mK_2pLwZ4vRs".repeat(2)}-uN8d`],
    ["period", "a password and zeros", "s3cr3t!Pass".padEnd(32, "0")],
    ["period", "a password and NULs", "Tr0ub4dor&3".padEnd(32, "\0")],
    ["period", "a password and stars", "p@55w0rd!K3y".padEnd(32, "*")],
    ["period", "a small number in 32 digits", "1a2b3c4d5e6f7089".padStart(32, "0")],
    ["period", "24 zeros and 8 other bytes", COUNTED.map((at) => (at < 24 ? 0 : at * 9))],
    ["period", "a repetition in base64", Buffer.from("7Qx-mK_2pL".repeat(4)).toString("base64")],
    ["run", "the alphabet", "abcdefghijklmnopqrstuvwxyz012345"],
    ["run", "8 letters amid random ones", `${SECRET}ABCDEFGH`],
    ["run", "8 letters in both cases", `${SECRET}aBcDeFgH`],
    ["run", "letters of another alphabet", "αβγδεζηθ-7Qx-mK_2pLwZ4vRs"],
    ["run", "all digits of hexadecimal", "0123456789abcdef0123456789abcdef"],
    ["run", "digits that count down", "fedcba9876543210fedcba9876543210"],
    ["run", "each digit twice", "00112233445566778899aabbccddeeff"],
    ["run", "letters and digits by turns", "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6"],
    ["run", "letters in both cases and digits by turns", "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6"],
    ["run", "four letters and four digits by turns", "abcd1234efgh5678ijkl9012mnop3456"],
    ["run", "each letter with all digits", "a1a2a3a4a5a6a7a8a9b1b2b3b4b5b6b7"],
    ["run", "every other digit of hexadecimal", "13579bdf02468ace13579bdf02468ace"],
    ["run", "even bytes", COUNTED.map((at) => at * 2)],
    ["run", "bytes that count down by 7", COUNTED.map((at) => 255 - at * 7)],
    ["run", "bytes that count over 255", COUNTED.map((at) => at * 101)],
    ["run", "bytes from 0 to 31", COUNTED],
    ["run", "bytes from 255 to 224", COUNTED.map((byte) => 255 - byte)],
    ["run", "bytes from 0 to 31 in hexadecimal", COUNTED.toHex()],
    ["run", "bytes from 0 to 31 in base64url", COUNTED.toBase64({ alphabet: "base64url" })],
    ["documented", "jwt.io's key of today", "a-string-secret-at-least-256-bits-long"],
    ["documented", "jwt.io's older key twice", "your-256-bit-secret-your-256-bit-secret"],
    ["documented", "iron-session's", "complex_password_at_least_32_characters_long"],
    ["documented", "Nuxt's", "password-with-at-least-32-characters"],
    ["documented", "hapi's", "the-password-must-be-at-least-32-characters-long"],
    ["documented", "@fastify/session's", "a secret with minimum length of 32 characters"],
    ["documented", "Django's", "django-insecure-k3&x9#v2!q8z@p5w7m$b1n4r6t0y"],
    ["documented", "Symfony's", "ThisTokenIsNotSoSecretChangeIt--7Qx"],
    ["documented", "changeme", `changeme-${SECRET}`],
    ["documented", "CHANGE_ME", `${SECRET}-CHANGE_ME`],
    ["documented", "change this", `please change this ${SECRET}`],
    ["documented", "replace-me", `replace-me-${SECRET}`],
    ["documented", "your-key-here", `your-key-here-${SECRET}`],
    ["documented", "placeholder", `placeholder-${SECRET}`],
    ["documented", "secret in the middle", `7Qx-mK_2pLwZ4vRs_seCRet_9dXb3nTq`],
    ["documented", "a placeholder in bytes", bytesOf(`change-me-${SECRET}`)],
    ["documented", "a password in base64", btoa(`${SECRET} is the password`)],
    ["documented", "a password in base64url", "Pz43UX54IHBhc3N3b3JkIH4_d1o0PnZSc34_"],
    ["documented", "the command that makes one", "$(openssl rand -base64 32)-7Qx-mK_2pLwZ4vRs"],
    ["documented", "the columns of a keyboard", "qazwsxedcrfvtgbyhnujmikolp123456"],
    ["documented", "all columns of a keyboard", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/"],
    ["documented", "rows of a keyboard", "qwer1234asdf5678zxcv9012tyui3456"],
    [
      "documented",
      "the key of Flask's documentation",
      "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
    ],
    [
      "documented",
      "the key of FastAPI's documentation",
      "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    ],
    [
      "documented",
      "the key of tutorials for Spring",
      "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    ],
    [
      "documented",
      "the key of Tornado's documentation",
      "43oETzKXQAGaYdkL5gEmGeJJFuYh7EQnp2XdTP1o/Vo=",
    ],
    [
      "documented",
      "the key of RFC 7515",
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    ],
    ["documented", "the key of RFC 7520", "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCCYg"],
    [
      "documented",
      "the key of jose's documentation",
      "cc7e0d44fd473002f1c42167459001140ec6389b7353f8088f4d9a95f2f596f2",
    ],
    [
      "documented",
      "the SHA-256 of nothing",
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    ],
    ["documented", "the MD5 of password", "5f4dcc3b5aa765d61d8327deb882cf99"],
    ["phrase", "@fastify/secure-session's", "averylogphrasebiggerthanthirtytwochars"],
    ["phrase", "Elysia's", "Fischl von Luftschloss Narfidort"],
    ["phrase", "words in lower case", "the horse, the battery; the staple."],
    ["phrase", "words in upper case", "THE_HORSE_THE_BATTERY_THE_STAPLE"],
    ["phrase", "words and numbers", "a-32-byte-key-for-AES-256-!!!!!!"],
    ["phrase", "words without separators", "thehorsethebatteryandthestapleof"],
    ["phrase", "words in camelCase", "MySuperStrongKeyForSigningTokens"],
    ["phrase", "words in camelCase and a number", "iAmTheBestDeveloperInTheWorld1234"],
    ["phrase", "words and a number", "mysupersecurekeythatnobodyknows1"],
    ["phrase", "words, and one with a number", "use-a-key-with-32-chars-or-more1"],
    ["phrase", "words in camelCase, in base64", btoa("TheHorseTheBatteryAndTheStaple42")],
    ["phrase", "words with accents", "le cheval, la bougie et l'été passé"],
    ["phrase", "words of a script without cases", "正しい馬の電池と留め金の秘密の鍵です"],
    ["phrase", "words in base64", btoa("the horse, the battery; the staple.")],
  ])("%s: %s", async (rule, _, secret) => {
    const signing = await errorOf(() => checkSecrets(untyped(secret)));
    expect(signing).toBeInstanceOf(SessionOptionsError);
    expect(String(signing)).toMatch(/^SessionOptionsError: Cannot use secretKey: [^\n]+$/);
    expect(String(signing)).toContain(RULES[rule]);
    const verifying = await errorOf(() => checkSecrets(SECRET, untyped([OTHER_SECRET, secret])));
    expect(verifying).toBeInstanceOf(SessionOptionsError);
    expect(String(verifying)).toBe(String(signing).replace("secretKey", "secretKeyFallbacks[1]"));
  });

  test.each(["missing", "short", "few", "period", "run", "documented", "phrase"] as const)(
    "the error of the rule %s names the command that makes a key",
    async (rule) => {
      const secrets = {
        missing: undefined,
        short: SECRET.slice(1),
        few: "a".repeat(32),
        period: "7Qx-mK_2".repeat(4),
        run: `${SECRET}12345678`,
        documented: `${SECRET}example`,
        phrase: "the horse, the battery; the staple.",
      };
      const error = await errorOf(() => checkSecrets(secrets[rule]));
      expect(String(error)).toEndWith("Make a random key: openssl rand -base64 32");
    },
  );
});

test("each key that a page of ours prints is refused", async () => {
  const printed: string[] = [];
  const names = ["*.md", "docs/*.md"].flatMap((at) => Array.from(new Bun.Glob(at).scanSync(ROOT)));
  for (const name of names) {
    const page = await Bun.file(join(ROOT, name)).text();
    // Between quotes or behind an equals sign, and neither a call nor a path.
    const texts = page.matchAll(/(?<=[`"'=])[^\s`"'()/…]{28,}(?=[`"'\s])/g);
    printed.push(...Array.from(texts, ([text]) => text));
  }
  expect(printed).toContain("q2mZ7WfLk0VtXc9sRgB4nYhE1uPaJd83é");
  for (const secret of printed) {
    expect(() => checkSecrets(secret)).toThrow(SessionOptionsError);
  }
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
  ["in need of a trim", "hunter2-7c9QvXw3LpZ81nRk-hunter2\n", []],
  ["a repetition", "hunter2-7Q".repeat(4), []],
  ["a run", "hunter2-7c9QvXw3LpZ81nRk-abcdefgh", []],
  ["a placeholder", "change-me-hunter2-7c9QvXw3LpZ81nRk", []],
  ["a passphrase", "hunter two and the other hunters, too", []],
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
    expect([...ring.keys()]).toEqual(thumbprints.map((text) => text.slice(0, 8)));
  });

  test("G6 holds keys for HS256 alone, which give away nothing", async () => {
    for (const key of (await importKeys(checkSecrets(SECRET, OTHER_SECRET))).values()) {
      expect(key.extractable).toBe(false);
      expect(key.algorithm).toMatchObject({ name: "HMAC", hash: { name: "SHA-256" } });
      expect(await errorOf(() => crypto.subtle.exportKey("raw", key))).toBeInstanceOf(Error);
    }
  });

  test("G4 is refused where two keys have the same kid", async () => {
    const [one, twin] = TWINS;
    const error = await errorOf(() => importKeys(checkSecrets(SECRET, [one, OTHER_SECRET, twin])));
    expect(error).toBeInstanceOf(SessionOptionsError);
    expect(String(error)).toStartWith(
      "SessionOptionsError: Cannot use secretKeyFallbacks[2]: a key before it has the same kid, GOWvJUTf. ",
    );
    expect((await importKeys(checkSecrets(SECRET, [one, OTHER_SECRET]))).size).toBe(3);
  });
});
