import { describe, expect, test } from "bun:test";
import { checkSecrets, EXAMPLES } from "../../session/token/keys.ts";

/** 32 random bytes, written as users write them. */
const ENCODINGS: readonly (readonly [name: string, write: (bytes: Buffer) => string | Buffer])[] = [
  ["base64url", (bytes) => bytes.toString("base64url")],
  ["base64", (bytes) => bytes.toString("base64")],
  ["hexadecimal", (bytes) => bytes.toString("hex")],
  ["hexadecimal in upper case", (bytes) => bytes.toString("hex").toUpperCase()],
  ["bytes", (bytes) => bytes],
];

test.each(ENCODINGS)("32 random bytes are taken 5,000 times, as %s", (_, write) => {
  for (let time = 0; time < 5000; time++) {
    const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(32)));
    expect(checkSecrets(write(bytes))).toHaveLength(1);
  }
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

/** At most how likely 12 of so many random characters repeat others that are 1 to 15 places before. */
function periodBound(size: number, length: number): number {
  return (15 * (length - 12)) / size ** 12;
}

/** At most how likely half of so many random characters have one distance to those before. */
function halfBound(likeliest: number, length: number): number {
  const least = Math.floor((length - 1) / 2);
  const choices = product(range(least).map((at) => (length - at) / (at + 1)));
  return 2 * 256 * choices * likeliest ** least;
}

/** How likely a character is each of these kinds. */
interface Kinds {
  readonly lower: number;
  readonly upper: number;
  readonly digit: number;
  readonly separator: number;
  /** Lower-case and upper-case consonants. */
  readonly consonants: readonly [number, number];
}

/** At most how likely so many random characters are words and numbers. */
function phraseBound(
  { lower, upper, digit, separator, consonants }: Kinds,
  length: number,
): number {
  const [low, up] = consonants;
  // Words of so many letters. Each of two or more has a vowel.
  const capital = (n: number): number =>
    upper * lower ** (n - 1) - (n > 1 ? up * low ** (n - 1) : 0);
  const small = (n: number): number => lower ** n - (n > 1 ? low ** n : 0);
  const capitals = (n: number): number => upper ** n - (n > 1 ? up ** n : 0);
  // Words in camelCase: an upper-case letter behind a lower-case one begins the next.
  const endsLower: number[] = [0];
  const words: number[] = [1];
  for (const n of range(length + 1).slice(1)) {
    const behind = (next: (n: number) => number, least: number): number =>
      sum(range(n).map((m) => (n - m < least ? 0 : (endsLower[m] ?? NaN) * next(n - m))));
    endsLower.push(small(n) + (n > 1 ? capital(n) : 0) + behind(capital, 2));
    words.push((endsLower[n] ?? NaN) + capitals(n) + behind(capitals, 1));
  }
  // What stands between separators: such words and up to eight digits.
  const part = (n: number): number =>
    sum(range(9).map((digits) => (words[n - digits] ?? 0) * digit ** digits));
  const texts: number[] = [];
  for (const n of range(length + 1)) {
    texts.push(part(n) + sum(range(n).map((m) => (texts[m] ?? NaN) * separator * part(n - m - 1))));
  }
  return texts[length] ?? NaN;
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
  /** The runs of so many characters that count up by the step. As many count down. */
  const runs = (width: number, step: number): number => {
    const runFrom = (first: number): number =>
      product(range(width).map((at) => spellings(String.fromCharCode(first + at * step))));
    return sum(range(128).map(runFrom));
  };
  const steps = range(64).slice(1);
  const row = sum(steps.map((step) => runs(8, step))) / size ** 8;
  const turns = sum(steps.map((step) => runs(6, step) ** 2)) / size ** 12;
  const run = places(8) * row + places(12) * turns;
  const likeliest = Math.max(...alphabet.map(spellings)) / size;
  // Words are looked for without separators. The other characters stay as likely as each other.
  const separators = count(/[^A-Za-z0-9]/);
  const spelled = (word: string): number =>
    product(word.split("").map((character) => spellings(character) / (size - separators)));
  const documented = sum(EXAMPLES.map((example) => places(example.length) * spelled(example)));
  const kinds = {
    lower: count(/[a-z]/) / size,
    upper: count(/[A-Z]/) / size,
    digit: count(/\d/) / size,
    separator: separators / size,
    consonants: [count(/[b-df-hj-np-tv-xz]/) / size, count(/[B-DF-HJ-NP-TV-XZ]/) / size],
  } as const;
  return [
    4 * fewBound(size, length),
    4 * periodBound(size, length),
    2 * run,
    4 * halfBound(likeliest, length),
    documented,
    4 * phraseBound(kinds, length),
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
  const run = 255 * (25 / 256 ** 7 + 21 / 256 ** 10);
  return text + fewBound(256, 32) + periodBound(256, 32) + halfBound(1 / 256, 32) + run;
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
