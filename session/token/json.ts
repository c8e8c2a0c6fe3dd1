/**
 * Tagged JSON: JSON that also carries values for which JSON has no words.
 *
 * What JSON can say is written as `JSON.stringify` writes it. Any other value is a *tag*: an object
 * with exactly one member, with a name of this table and a value of the form beside it.
 *
 * | tag                   | stands for    | form                                                       |
 * |-----------------------|---------------|------------------------------------------------------------|
 * | `{"$date":0}`         | an instant    | integer from -8.64e15 to 8.64e15: milliseconds since 1970  |
 * | `{"$bytes":"_w"}`     | bytes         | string: base64url, canonical, no padding (RFC 4648 §5)     |
 * | `{"$map":[["a",1]]}`  | a map         | array of arrays of two, in order: any key and any value    |
 * | `{"$set":["a",1]}`    | a set         | array of any values, in order                              |
 * | `{"$bigint":"-12"}`   | a big integer | string: decimal; no leading zeros, no `+`, no `-0`         |
 * | `{"$url":"https:…"}`  | a URL         | string: absolute (URL Standard)                            |
 * | `{"$number":"NaN"}`   | that number   | string: `NaN`, `Infinity`, `-Infinity` or `-0`             |
 * | `{"$undefined":true}` | undefined     | `true`                                                     |
 *
 * An object of the user's with exactly one member, whose name starts with `$`, is *escaped*: it is
 * written with one more `$` in front of that name. A reader takes an object with exactly one member
 *
 * 1. whose name starts with `$$` as the object whose member's name is one `$` shorter;
 * 2. which is a tag of the table as what it stands for;
 * 3. any other, such as an unknown tag or one of another form, as the object that it is.
 *
 * Objects with no or several members are never tags. At most 256 levels are written, counting each
 * object, array, map, pair of a map, and set: with tags and escapes, less than 1,024 of JSON. A reader
 * may put null for what lies deeper.
 *
 * @module
 */

import { SessionValueError } from "../errors.ts";

/** What `JSON.parse` gives. */
export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Where the walk is: at `key` of `container`. Only an error makes a text of it. */
interface Place {
  readonly parent?: Place;
  readonly container?: object;
  readonly level: number;
  key: string | number;
}

const maxLevels = 256;
const maxJsonLevels = 1024;
const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

const numbers: ReadonlyMap<unknown, number> = new Map(
  [Number.NaN, Infinity, -Infinity, -0].map((n) => [numberName(n), n]),
);

/**
 * The tagged JSON text of a value: of JSON's kinds, of the table's, and of these in each other. An
 * object without a prototype is a plain one. Getters are read once; an object that is reached twice
 * is written twice; properties that JSON.stringify does not see are not seen.
 *
 * @param path Names the value in errors, for example the session key `cart`. What lies in a map or a
 * set is named by its order: `cart[0][1]` is the value of a map's first entry.
 * @throws {SessionValueError} With the place, `cart[2].price`, of anything else: functions, symbols,
 * symbol keys, other classes and all subclasses, invalid dates, holes in arrays, cycles, over 256
 * levels, and an undefined that is in nothing.
 */
export function encode(value: unknown, path: string): string {
  return JSON.stringify(toJson(value, path));
}

/** Throws the SessionValueError that `encode` would throw, if any. */
export function check(value: unknown, path: string): void {
  toJson(value, path);
}

/**
 * A fresh copy of the value that tagged JSON stands for: it shares no object with `json`. Never
 * throws, and no name of a member changes a prototype.
 */
export function decode(json: Json): unknown {
  return untagged(json, 0);
}

function toJson(value: unknown, path: string): unknown {
  const place: Place = { level: 0, key: path };
  if (value === undefined) throw refusal(place, "it is undefined. Delete the key instead");
  return tagged(value, place);
}

/** What JSON.stringify writes as tagged JSON. Objects are copied, so that getters are read once. */
function tagged(value: unknown, place: Place): unknown {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  if (typeof value === "object") return taggedObject(value, place);
  if (typeof value === "number") {
    const isJson = Number.isFinite(value) && !Object.is(value, -0);
    return isJson ? value : { $number: numberName(value) };
  }
  if (typeof value === "bigint") return { $bigint: String(value) };
  if (value === undefined) return { $undefined: true };
  throw refusal(place, `it is a ${typeof value}`);
}

function taggedObject(value: object, place: Place): unknown {
  const inside = enter(value, place);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    if (Object.getOwnPropertySymbols(value).length === 0) return taggedMembers(value, inside);
    throw refusal(place, "it has a symbol as a key");
  }
  if (prototype === Array.prototype && Array.isArray(value)) return taggedItems(value, inside);
  const tag = tagOf(value);
  if (tag !== undefined) {
    const [name, form] = tag;
    return { [name]: Array.isArray(form) ? taggedItems(form, inside) : form };
  }
  throw refusal(place, "it is no plain object, array, Map, Set, Uint8Array, URL or valid Date");
}

function enter(container: object, parent: Place): Place {
  for (let outer: Place | undefined = parent; outer !== undefined; outer = outer.parent) {
    if (outer.container === container) throw refusal(parent, "it contains itself");
  }
  if (parent.level === maxLevels) throw refusal(parent, `it is over ${maxLevels} levels deep`);
  return { parent, container, level: parent.level + 1, key: "" };
}

function taggedMembers(value: object, inside: Place): unknown {
  // The spread defines members, so that what is assigned below is a member, even `__proto__`.
  const copy: Record<string, unknown> = { ...value };
  const keys = Object.keys(copy);
  for (const key of keys) {
    inside.key = key;
    copy[key] = tagged(copy[key], inside);
  }
  const name = tagName(keys);
  return name === undefined ? copy : { [`$${name}`]: copy[name] };
}

function taggedItems(items: readonly unknown[], inside: Place): unknown[] {
  const copy: unknown[] = [];
  for (let index = 0; index < items.length; index++) {
    inside.key = index;
    const item = items[index];
    if (item === undefined && !(index in items)) throw refusal(inside, "it is a hole in an array");
    copy.push(tagged(item, inside));
  }
  return copy;
}

/** A built-in's tag, with its items as they are. An instance of a subclass would lose its class. */
function tagOf(value: object): readonly [name: string, form: unknown] | undefined {
  try {
    if (is(value, Map)) return ["$map", [...value]];
    if (is(value, Set)) return ["$set", [...value]];
    if (is(value, Uint8Array)) return ["$bytes", toBase64url(value)];
    if (is(value, URL)) return ["$url", value.href];
    if (is(value, Date) && !Number.isNaN(value.getTime())) return ["$date", value.getTime()];
  } catch {
    // It only looks like a built-in: a proxy of a Map, say, has its prototype and no entries.
  }
  return undefined;
}

function untagged(json: unknown, level: number): unknown {
  if (typeof json !== "object" || json === null) return json;
  // JSON.parse has no limit, but the stack has.
  if (level === maxJsonLevels) return null;
  if (Array.isArray(json)) return json.map((item) => untagged(item, level + 1));
  const copy: Record<string, unknown> = { ...json };
  const keys = Object.keys(copy);
  for (const key of keys) copy[key] = untagged(copy[key], level + 1);
  const name = tagName(keys);
  if (name === undefined) return copy;
  return name.startsWith("$$")
    ? { [name.slice(1)]: copy[name] }
    : standsFor(name, copy[name], copy);
}

/** What a tag stands for; `other` where its name or its form is not in the table. */
function standsFor(name: string, form: unknown, other: object): unknown {
  if (name === "$undefined" && form === true) return undefined;
  if (name === "$number") return numbers.get(form) ?? other;
  if (name === "$set" && Array.isArray(form)) return new Set(form);
  if (name === "$map" && Array.isArray(form) && form.every(isPair)) return new Map(form);
  if (typeof form === "number") {
    const date = new Date(form);
    return name === "$date" && Object.is(date.getTime(), form) ? date : other;
  }
  return typeof form === "string" ? (fromText(name, form) ?? other) : other;
}

function fromText(name: string, text: string): unknown {
  try {
    if (name === "$url") return new URL(text);
    // BigInt and atob read more than the table has: what they read must be written as it was.
    if (name === "$bigint" && String(BigInt(text)) === text) return BigInt(text);
    if (name !== "$bytes") return undefined;
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    return toBase64url(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** The name of an object's only member, where it starts with the sign of tags and escapes. */
function tagName(keys: readonly string[]): string | undefined {
  const name = keys.length === 1 ? keys[0] : undefined;
  return name?.startsWith("$") === true ? name : undefined;
}

function numberName(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

function is<T extends object>(value: object, type: { readonly prototype: T }): value is T {
  return Object.getPrototypeOf(value) === type.prototype;
}

function isPair(value: unknown): value is readonly [unknown, unknown] {
  return Array.isArray(value) && value.length === 2;
}

function toBase64url(bytes: Uint8Array): string {
  // Uint8Array's own toBase64 is not in every runtime yet: Node has it from version 25.
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function refusal(place: Place, state: string): SessionValueError {
  let path = "";
  let at = place;
  for (; at.parent !== undefined; at = at.parent) {
    const isName = identifier.test(String(at.key));
    path = (isName ? `.${at.key}` : `[${JSON.stringify(at.key)}]`) + path;
  }
  return new SessionValueError(at.key + path, state);
}
