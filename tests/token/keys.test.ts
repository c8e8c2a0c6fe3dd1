import { describe, expect, test } from "bun:test";
import { runInNewContext } from "node:vm";
import { SessionOptionsError } from "../../session/errors.ts";
import { checkSecrets, EXAMPLES, importKeys } from "../../session/token/keys.ts";
import { errorOf, untyped } from "../support/errors.ts";
import { OTHER_SECRET, SECRET } from "../support/secrets.ts";

const THIRD_SECRET = "b7Ue-W4oXq1JkM9tRz_2DvHsYc5NgPf0";
/** The thumbprints of these two begin with the same 48 bits. */
const TWINS = ["Wf7_kT2mQz9-LbXy4RvEhN0cgyXrbdpc", "Wf7_kT2mQz9-LbXy4RvEhN0cTwDN1hmP"] as const;
/** Eight different bytes, without a period. */
const EIGHT = "7Q.mK_2p".repeat(4).replace("7", "K");
const SIXTEEN = "7Qx.mK_2pLwZ4vRs";
const COUNTED = Uint8Array.from({ length: 32 }, (_, index) => index);
const FOREIGN = untyped(runInNewContext("Uint8Array.from(bytes)", { bytes: bytesOf(SECRET) }));
/** Bytes that are not UTF-8, the last one a line break. */
const NO_TEXT = Uint8Array.from([0xff, ...bytesOf(SECRET), 0x0a]);

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** 32 random bytes, written as users write them. */
const ENCODINGS: readonly (readonly [name: string, write: (bytes: Buffer) => string | Buffer])[] = [
  ["base64url", (bytes) => bytes.toString("base64url")],
  ["base64", (bytes) => bytes.toString("base64")],
  ["hexadecimal", (bytes) => bytes.toString("hex")],
  ["hexadecimal in upper case", (bytes) => bytes.toString("hex").toUpperCase()],
  ["bytes", (bytes) => bytes],
];

describe("a secret that is taken", () => {
  test.each<[string, string | Uint8Array, Uint8Array]>([
    ["a string, as its UTF-8 bytes", SECRET, bytesOf(SECRET)],
    ["bytes, as they are", bytesOf(SECRET), bytesOf(SECRET)],
    ["a Buffer", Buffer.from(SECRET), bytesOf(SECRET)],
    ["bytes of another realm", FOREIGN, bytesOf(SECRET)],
    ["32 bytes in 16 characters", "ÄöÜßéÈêçÑøÅæŒþÐđ", bytesOf("ÄöÜßéÈêçÑøÅæŒþÐđ")],
    ["8 different bytes", EIGHT, bytesOf(EIGHT)],
    ["16 bytes twice", `${SIXTEEN}${SIXTEEN}`, bytesOf(`${SIXTEEN}${SIXTEEN}`)],
    ["a run of 7 characters", `${SECRET}abcdefg`, bytesOf(`${SECRET}abcdefg`)],
    ["two runs of 5 by turns", `${SECRET}a1b2c3d4e5`, bytesOf(`${SECRET}a1b2c3d4e5`)],
    ["base64 text, which is not decoded", `${SECRET}==`, bytesOf(`${SECRET}==`)],
    ["bytes that are no text and end with a line break", NO_TEXT, NO_TEXT],
    ["digits", "31415926535897932384626433832795", bytesOf("31415926535897932384626433832795")],
    ["white space inside", SECRET.replace("_", " \n"), bytesOf(SECRET.replace("_", " \n"))],
  ])("%s", (_, secret, bytes) => {
    expect(checkSecrets(secret)).toEqual([new Uint8Array(bytes)]);
  });

  test.each(ENCODINGS)("5,000 times 32 random bytes, as %s", (_, write) => {
    for (let time = 0; time < 5000; time++) {
      const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(32)));
      expect(checkSecrets(write(bytes))).toHaveLength(1);
    }
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
  missing: "it is missing. Make",
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
    ["documented", "a password in base64url", "fn5-fn5-IHBhc3N3b3JkIH5-fn5-Pz8_Pz8_Pz8"],
    ["documented", "the command that makes one", "$(openssl rand -base64 32)-7Qx-mK_2pLwZ4vRs"],
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
    ["phrase", "@fastify/secure-session's", "averylogphrasebiggerthanthirtytwochars"],
    ["phrase", "Elysia's", "Fischl von Luftschloss Narfidort"],
    ["phrase", "words in lower case", "the horse, the battery; the staple."],
    ["phrase", "words in upper case", "THE_HORSE_THE_BATTERY_THE_STAPLE"],
    ["phrase", "words and numbers", "a-32-byte-key-for-AES-256-!!!!!!"],
    ["phrase", "words without separators", "thehorsethebatteryandthestapleof"],
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

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function sum(terms: readonly number[]): number {
  return terms.reduce((one, other) => one + other, 0);
}

function product(factors: readonly number[]): number {
  return factors.reduce((one, other) => one * other, 1);
}

/** At most how likely so many random characters are seven different ones or fewer. */
function fewBound(size: number, length: number): number {
  const sets = product(range(7).map((at) => (size - at) / (at + 1)));
  return sets * (7 / size) ** length;
}

/** At most how likely all of so many random characters follow from the first 15 or fewer. */
function periodBound(size: number, length: number): number {
  return sum(range(15).map((at) => size ** (at + 1 - length)));
}

/**
 * At most how likely each rule refuses a key of random characters: the keys it refuses, counted, over
 * all keys. The last character of 32 bytes in base64 stands for 4 bits, and so each that can stand
 * there is four times as likely: what may include it counts four times.
 */
function textBounds(characters: string, length: number): readonly number[] {
  const alphabet = characters.split("");
  const size = alphabet.length;
  const count = (kind: RegExp): number => alphabet.filter((one) => kind.test(one)).length;
  /** How many of the alphabet are this character in lower or upper case. */
  const spellings = (character: string): number =>
    alphabet.filter((one) => one.toLowerCase() === character).length;
  /** How many places there are for so many characters in a row. */
  const places = (width: number): number => length - width + 4;
  /** The runs of so many characters that count up. As many count down. */
  const runs = (width: number): number => {
    const runFrom = (first: number): number =>
      product(range(width).map((step) => spellings(String.fromCharCode(first + step))));
    return sum(range(128).map(runFrom));
  };
  const run = places(8) * (runs(8) / size ** 8) + places(12) * (runs(6) ** 2 / size ** 12);
  // Words are looked for without separators. The other characters stay as likely as each other.
  const separators = count(/[^A-Za-z0-9]/);
  const spelled = (word: string): number =>
    product(word.split("").map((character) => spellings(character) / (size - separators)));
  const documented = sum(EXAMPLES.map((example) => places(example.length) * spelled(example)));
  // The parts of a passphrase are words in one of three cases or numbers. Each separator decides
  // which the next part is, and then a character has at most so many values.
  const inPart = Math.max(count(/[a-z]/), count(/[A-Z]/), count(/\d/));
  const passphrase = 4 * ((inPart + 4 * separators) / size) ** length;
  return [
    4 * fewBound(size, length),
    4 * periodBound(size, length),
    2 * run,
    documented,
    4 * passphrase,
  ];
}

/** At most how likely the rules refuse 32 random bytes: all that are UTF-8, and some others. */
function bytesBound(): number {
  // A text of n bytes ends with one of so many characters of 1, 2, 3 or 4 bytes.
  const characters = [128, 1920, 61_440, 1_048_576];
  const texts = [1];
  for (const last of range(32)) {
    texts.push(sum(characters.map((many, bytes) => many * (texts[last - bytes] ?? 0))));
  }
  const text = (texts[32] ?? Infinity) / 256 ** 32;
  const run = 25 * (249 / 256 ** 8) + 21 * (251 / 256 ** 6) ** 2;
  return text + fewBound(256, 32) + periodBound(256, 32) + 2 * run;
}

describe("32 random bytes are refused less than once in ten million times", () => {
  const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  test.each([
    ["base64url", `${alphanumeric}-_`, 43],
    ["base64", `${alphanumeric}+/`, 43],
    ["hexadecimal", "0123456789abcdef", 64],
  ])("in %s, as that text or decoded", (_, characters, length) => {
    const bounds = [...textBounds(characters, length), bytesBound()];
    expect(Math.min(...bounds)).toBeGreaterThan(0);
    expect(sum(bounds)).toBeLessThan(1e-7);
  });

  test("as bytes", () => {
    expect(bytesBound()).toBeLessThan(1e-7);
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
    expect(ring.map(({ kid }) => kid)).toEqual(thumbprints.map((text) => text.slice(0, 8)));
  });

  test("G6 holds keys for HS256 alone, which give away nothing", async () => {
    for (const { key } of await importKeys(checkSecrets(SECRET, OTHER_SECRET))) {
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
    expect(await importKeys(checkSecrets(SECRET, [one, OTHER_SECRET]))).toHaveLength(3);
  });

  test("without a key is refused", async () => {
    expect(await errorOf(() => importKeys([]))).toBeInstanceOf(TypeError);
  });
});
