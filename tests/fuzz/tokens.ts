import { type Remake, type TokenFormat, withOtherS } from "./formats.ts";
import type { Random } from "./random.ts";

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/** What lenient decoders skip, or take for another character. */
const LENIENT = " \t=+/.,\"'%~\xA0\xFF";

/** Tokens that were made, of one format, and what makes them again. */
export interface Made {
  readonly tokens: readonly string[];
  readonly format: TokenFormat;
  readonly remake: Remake;
}

/** A token that was never made, or not with this header, made from ones that were. */
export function mutate(made: Made, random: Random): string {
  const { tokens } = made;
  for (;;) {
    let token = random.pick(tokens);
    const times = random.below(4) === 0 ? 1 + random.below(4) : 1;
    for (let time = 0; time < times; time++) {
      token = random.pick(MUTATORS)(token, random, made);
    }
    // Blanks around a value are no part of it.
    const value = token.replaceAll(/^[ \t]+|[ \t]+$/g, "");
    if (!tokens.includes(value)) return token;
  }
}

type Mutator = (token: string, random: Random, made: Made) => string;

const MUTATORS: readonly Mutator[] = [
  insertLenient,
  insertLenient,
  insertAny,
  replaceOne,
  replaceLast,
  replaceLast,
  swap,
  truncate,
  respell,
  splice,
  repeat,
  remakeOne,
  remakeOne,
  withOtherS,
];

function insertLenient(token: string, random: Random): string {
  return insert(token, random.below(token.length + 1), random.pick(LENIENT));
}

function insertAny(token: string, random: Random): string {
  const character = String.fromCharCode(0x21 + random.below(0xff - 0x21)).replace(";", ":");
  return insert(token, random.below(token.length + 1), character);
}

function insert(token: string, at: number, text: string): string {
  return token.slice(0, at) + text + token.slice(at);
}

function replaceAt(token: string, at: number, text: string): string {
  return token.slice(0, at) + text + token.slice(at + 1);
}

function replaceOne(token: string, random: Random): string {
  return replaceAt(token, random.below(token.length), random.pick(BASE64URL));
}

/** The last character of a part has spare bits that a lenient decoder does not look at. */
function replaceLast(token: string, random: Random): string {
  const ends = [...token.matchAll(/[^.](?=\.|$)/g)].map(({ index }) => index);
  return ends.length === 0 ? token : replaceAt(token, random.pick(ends), random.pick(BASE64URL));
}

function swap(token: string, random: Random): string {
  if (token === "") return token;
  const [one, other] = [random.below(token.length), random.below(token.length)];
  const [a = "", b = ""] = [token[one], token[other]];
  return replaceAt(replaceAt(token, one, b), other, a);
}

function truncate(token: string, random: Random): string {
  const at = random.below(token.length + 1);
  return random.below(3) === 0 ? token.slice(at) : token.slice(0, at);
}

/** The same bits in another spelling. */
function respell(token: string, random: Random): string {
  const [header = "", payload = "", signature = "", ...others] = token.split(".");
  return random.pick([
    token.replaceAll("-", "+").replaceAll("_", "/"),
    `${token}=`,
    token.replaceAll(".", "=."),
    token.replaceAll(/[^.]+$/g, ""),
    JSON.stringify({ protected: header, iv: signature, ciphertext: others[0], tag: others[1] }),
    `${header}=.${payload}==.${signature}=`,
    `"${token}"`,
    encodeURIComponent(token).replaceAll(".", "%2E"),
    `${header}.${payload}.${signature.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase())}`,
    `${header}..${signature}`,
    `${header}.${payload}.`,
    JSON.stringify({ protected: header, payload, signature }).replaceAll(";", ""),
  ]);
}

/** The parts of several tokens. */
function splice(token: string, random: Random, { tokens }: Made): string {
  const parts = [token, random.pick(tokens), random.pick(tokens)].map((one) => one.split("."));
  return parts.map((one, index) => one[index] ?? "").join(".");
}

function repeat(token: string, random: Random): string {
  return random.pick([
    `${token}.${token}`,
    `${token}${token}`,
    `${token}.`,
    `.${token}`,
    `${token}.${token.split(".")[2] ?? ""}`,
  ]);
}

const ALGORITHMS = [
  "none",
  "None",
  "HS256",
  "HS384",
  "HS512",
  "RS256",
  "ES256",
  "hs256",
  "dir",
  "",
];

/** Another header, or another spelling of ours, over the same claims and made with the right key. */
function remakeOne(token: string, random: Random, { format, remake }: Made): string {
  const ours = format.members;
  const [header = ""] = token.split(".");
  const text = Buffer.from(header, "base64url").toString("latin1");
  const kid = /"kid":"([^"]*)"/.exec(text)?.[1] ?? "";
  const other = random.pick([
    ...ALGORITHMS.filter((alg) => alg !== ours["alg"]).map((alg) =>
      JSON.stringify({ ...ours, alg, kid }),
    ),
    ...["JWT", "jwt", "Session+JWT", "application/session+jwt", ""].map((typ) =>
      JSON.stringify({ ...ours, typ, kid }),
    ),
    ...["", "../../dev/null", "' OR 1=1", "__proto__", kid.toLowerCase(), `${kid}=`].map((kid) =>
      JSON.stringify({ ...ours, kid }),
    ),
    ...[
      { jwk: { kty: "oct", k: "" } },
      { jku: "http://127.0.0.1:9/" },
      { zip: "DEF" },
      { p2c: 1 },
      { epk: {} },
    ].map((more) => JSON.stringify(Object.assign({}, ours, { kid }, more))),
    JSON.stringify({ ...ours, kid, crit: ["b64"], b64: false }),
    JSON.stringify({ ...ours, kid, crit: [] }),
    JSON.stringify({ kid, ...ours }),
    JSON.stringify({ ...ours, kid }, null, 1),
    JSON.stringify(ours),
    ` ${text}`,
    `${text}\n`,
    "\xEF\xBB\xBF" + text,
    text.replace("kid", String.raw`ki\u0064`),
    text.replace("}", `,"kid":"${kid}"}`),
    "[]",
    "null",
    "",
  ]);
  return remake(token, other, random);
}
