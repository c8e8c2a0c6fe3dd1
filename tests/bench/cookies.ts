/** The cookies that a browser, and those that an attacker, would send. */
import { loadCore, runScript, script } from "./child.ts";

/** Seconds, for a million. */
const mintTimeout = 240;

/** Names of one length, so that every page has the same bytes. */
export function userName(index: number): string {
  return `user${String(index).padStart(6, "0")}`;
}

/** Signs a user in, and gives the `Cookie` header that the browser would send next. */
export async function signIn(port: number, user = 0): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/login`, {
    method: "POST",
    body: new URLSearchParams({ username: userName(user) }),
    redirect: "manual",
    signal: AbortSignal.timeout(6_000),
  });
  if (response.status !== 303) throw new Error(`Cannot sign in: /login gave ${response.status}`);
  return response.headers.getSetCookie().map(cookiePair).join("; ");
}

/** Cookies of ours without a server, as a file with one a line: signed in `mint.ts`. */
export async function mintFile(
  count: number,
  path: string,
  secret: string,
  format = "HS256",
): Promise<void> {
  const command = script("mint.ts", String(count), path, format);
  await runScript(loadCore, command, mintTimeout, { BENCH_SECRET: secret });
}

/** The `name=value` of a `Set-Cookie` line. */
export function cookiePair(line: string): string {
  return line.split(";", 1)[0] ?? "";
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Base64url text that is another for every index: canonical where the length is a multiple of 4. */
function filler(length: number, index: number): string {
  const start = alphabet[index % 64] ?? "A";
  const digits = index.toString(36).padStart(7, "0");
  return (start + digits).repeat(Math.ceil(length / 8)).slice(0, length);
}

/** Another signature of the same form: whole characters, never the last with its spare bits. */
function forge(cookie: string, index: number): string {
  return cookie.slice(0, -10) + filler(8, index) + cookie.slice(-2);
}

/** A token of a given length with a true header and a signature of the right form. */
function forgeLong(cookie: string, length: number, index: number): string {
  const [header = "", , signature = ""] = cookie.split(".");
  const room = length - header.length - signature.length - 2;
  return forge(`${header}.${filler(room - (room % 4), index)}.${signature}`, index);
}

/** A header full of one text again and again, with a number so that no two are the same. */
function repeat(text: string, length: number, index: number): string {
  const tail = `; other=${index}`;
  return text.repeat(Math.floor((length - tail.length) / text.length)) + tail;
}

export type Attack = (cookie: string, length: number, index: number) => string;

/** Each takes one valid cookie, the length of the whole header, and a number. */
export const attacks = {
  /** No token at all behind our name. */
  noise: (cookie, length, index) => {
    const name = cookie.slice(0, cookie.indexOf("=") + 1);
    return name + filler(length - name.length, index);
  },
  /** A token whose every part has the right form: what it costs is the digest of its length. */
  long: forgeLong,
  /** As many forged tokens under our name as fit: each would be worth a verification. */
  many: (cookie, length, index) => {
    const tokens = [];
    for (let at = 0; at + cookie.length <= length; at += cookie.length + 2) {
      tokens.push(forge(cookie, index * 100 + tokens.length));
    }
    return tokens.join("; ");
  },
  /** For parsers that split before they look. */
  dots: (cookie, length, index) => {
    const name = cookie.slice(0, cookie.indexOf("=") + 1);
    return name + repeat(".", length - name.length, index);
  },
  /** Thousands of other cookies. */
  pairs: (_cookie, length, index) => repeat("a=b; ", length, index),
} satisfies Record<string, Attack>;

/** Different headers of one attack, about four megabytes at most. */
export function attackList(attack: Attack, cookie: string, length: number): string[] {
  const count = Math.min(2_000, Math.ceil(4_000_000 / length));
  return Array.from({ length: count }, (_, index) => attack(cookie, length, index));
}

/** The same token with another signature each time. */
export function forgedList(cookie: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => forge(cookie, index));
}
