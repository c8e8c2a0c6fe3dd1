/**
 * Tagged JSON: JSON that also carries values JSON cannot express.
 *
 * A value that JSON can express is written as `JSON.stringify` writes it. Any other value is written
 * as a *tag*: an object with one member, which has a name of this table and a value of that form.
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
 * An object of the user's with one member, whose name starts with `$`, is *escaped*: it is written
 * with one more `$` before that name. To a reader, an object with one member
 *
 * 1. whose name starts with `$$` is the same object with one `$` less;
 * 2. that is a tag of the table is what the tag stands for;
 * 3. that is anything else, such as an unknown tag or a tag of another form, is itself.
 *
 * Objects with no member or several are never tags. A writer writes at most 256 levels, counting each
 * object, array, map, pair of a map, and set: with tags and escapes, less than 1,024 levels of JSON. A
 * reader may put null for whatever is deeper than those.
 *
 * @module
 */

import { SessionValueError } from "../errors.ts";

interface Walk {
  /** The name of the whole value. */
  readonly path: string;
  /** How many more characters its text may take. */
  room: number;
  /** The containers around the present value, the outermost first. */
  readonly around: object[];
}

/** A place in the walk: at `key` of a container. Only an error turns it into text. */
interface Place {
  readonly walk: Walk;
  readonly parent?: Place;
  readonly level: number;
  key: string | number;
}

const MAX_LEVELS = 256;
const MAX_JSON_LEVELS = 1024;
/** 1 MiB, as much as the store takes for a whole session. */
const MAX_LENGTH = 1_048_576;
const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
const BUILT_INS: ReadonlySet<unknown> = new Set(["Map", "Set", "Uint8Array", "URL", "Date"]);
const EXPECTED = "must be a plain object, array, Map, Set, Uint8Array, URL or valid Date";

const NUMBERS: ReadonlyMap<unknown, number> = new Map(
  [Number.NaN, Infinity, -Infinity, -0].map((n) => [numberName(n), n]),
);

/**
 * The tagged JSON text of a value: one that JSON or the table has, or any of these in each other.
 *
 * Built-ins may be of another realm, such as a `node:vm` context. An object without a prototype is a
 * plain one, and a list of a subclass that adds no methods is an array, such as a result of `Bun.SQL`.
 * Getters are read once. An object that is reached twice is written twice. Properties that
 * JSON.stringify leaves out are left out.
 *
 * @param path Names the value in errors, for example the session key `cart`. A member of a map or a
 * set is named by its order: `cart[0][1]` is the value of a map's first entry.
 * @throws {SessionValueError} With the place, such as `cart[2].price`, for anything else: functions,
 * symbols, symbol keys, promises, other classes and subclasses, invalid dates, holes in arrays,
 * cycles, more than 256 levels, a text of more than 1,048,576 characters, and undefined itself.
 */
export function encode(value: unknown, path: string): string {
  const walk: Walk = { path, room: MAX_LENGTH, around: [] };
  const place: Place = { walk, level: 0, key: path };
  if (value === undefined) {
    throw refusal(place, "must be a value, got undefined. Delete the key instead");
  }
  const text = JSON.stringify(tagged(value, place));
  // Escapes, and words such as true, are not counted in full on the way.
  if (text.length > MAX_LENGTH) throw tooLong(path);
  return text;
}

/**
 * The value that tagged JSON stands for, given as what `JSON.parse` made of it. It shares no object
 * with `json`. Never throws, and no member's name changes a prototype.
 */
export function decode(json: unknown): unknown {
  return untagged(json, 0);
}

/** The value that JSON.stringify writes as tagged JSON. Copies objects, so getters are read once. */
function tagged(value: unknown, place: Place): unknown {
  count(typeof value === "string" ? value.length + 2 : 1, place);
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  if (typeof value === "object") return taggedObject(value, place);
  if (typeof value === "number") {
    const isJson = Number.isFinite(value) && !Object.is(value, -0);
    return isJson ? value : { $number: numberName(value) };
  }
  if (typeof value === "bigint") return taggedForm("$bigint", String(value), place);
  if (value === undefined) return { $undefined: true };
  throw refusal(place, `must be data, got a ${typeof value}`);
}

/**
 * Counts characters of the text, and ends the walk if there are too many. Otherwise 40 objects that
 * each hold the next one twice would be written 2^40 times.
 */
function count(characters: number, { walk }: Place): void {
  walk.room -= characters;
  if (walk.room < 0) throw tooLong(walk.path);
}

function taggedObject(value: object, place: Place): unknown {
  const inside = enter(value, place);
  const result = taggedContainer(value, place, inside);
  place.walk.around.pop();
  return result;
}

function taggedContainer(value: object, place: Place, inside: Place): unknown {
  if (isArray(value)) return taggedItems(value, inside);
  if (isPlain(value)) {
    const [symbol] = Object.getOwnPropertySymbols(value);
    if (symbol === undefined) return taggedMembers(value, inside);
    throw refusal(place, `must have only strings as keys, got ${String(symbol)}`);
  }
  const tag = tagOf(value);
  if (tag === undefined) throw refusal(place, `${EXPECTED}, got ${describeObject(value)}`);
  return taggedForm(...tag, inside);
}

function taggedForm(name: string, form: Form, place: Place): unknown {
  // The name, and what stands around it and the form: `{"":""}` or `{"":[]}`.
  count(name.length + (typeof form === "string" ? form.length + 6 : 5), place);
  return { [name]: Array.isArray(form) ? taggedItems(form, place) : form };
}

function enter(container: object, place: Place): Place {
  const { walk, level } = place;
  // Native, so that it costs little even on the deepest level.
  if (walk.around.includes(container)) refuseCycle(container, place);
  if (level >= MAX_LEVELS) {
    throw new SessionValueError(walk.path, `must be at most ${MAX_LEVELS} levels deep, got more`);
  }
  walk.around.push(container);
  return { walk, parent: place, level: level + 1, key: "" };
}

function taggedMembers(value: object, inside: Place): unknown {
  // The spread defines members, so that what is assigned below is a member, even `__proto__`.
  const copy: Record<string, unknown> = { ...value };
  const keys = Object.keys(copy);
  for (const key of keys) {
    inside.key = key;
    count(key.length + 4, inside);
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
    if (item === undefined && !(index in items)) {
      throw refusal(inside, "must be a value, got a hole in an array");
    }
    count(1, inside);
    copy.push(tagged(item, inside));
  }
  return copy;
}

/** What stands beside a tag's name, with its items as they are. */
type Form = string | number | unknown[];

/** A built-in's tag. An instance of a subclass has none: it would lose its class. */
function tagOf(value: object): readonly [name: string, form: Form] | undefined {
  try {
    if (is(value, Map)) return ["$map", [...value]];
    if (is(value, Set)) return ["$set", [...value]];
    if (is(value, Uint8Array)) return ["$bytes", toBase64url(value)];
    if (is(value, URL)) return ["$url", value.href];
    if (is(value, Date) && !Number.isNaN(value.getTime())) return ["$date", value.getTime()];
  } catch {
    // It only looks like a built-in: a proxy of a Map has the prototype but no entries.
  }
  return undefined;
}

function untagged(json: unknown, level: number): unknown {
  if (typeof json !== "object" || json === null) return json;
  // JSON.parse has no limit, but the stack has.
  if (level === MAX_JSON_LEVELS) return null;
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

/** The value that a tag stands for; `other` if its name or its form is not in the table. */
function standsFor(name: string, form: unknown, other: object): unknown {
  if (name === "$undefined" && form === true) return undefined;
  if (name === "$number") return NUMBERS.get(form) ?? other;
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
    // BigInt and atob accept more than the table does, so the result must give the same text again.
    if (name === "$bigint" && String(BigInt(text)) === text) return BigInt(text);
    if (name !== "$bytes") return undefined;
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
    return toBase64url(bytes) === text ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** The name of an object's only member, if it starts with the `$` of tags and escapes. */
function tagName(keys: readonly string[]): string | undefined {
  const name = keys.length === 1 ? keys[0] : undefined;
  return name?.startsWith("$") === true ? name : undefined;
}

function numberName(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Whether the value is an instance of the built-in, of any realm, and not of a subclass. */
function is<T extends object>(
  value: object,
  type: { readonly name: string; readonly prototype: T },
): value is T {
  if (Reflect.getPrototypeOf(value) === type.prototype) return true;
  return kindOf(value) === type.name && classOf(value) === type.name;
}

/** The name of the value's class; undefined if its prototype is not that of a class. */
function classOf(value: object): string | undefined {
  const prototype = Reflect.getPrototypeOf(value) ?? {};
  const type: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
  return typeof type === "function" ? type.name : undefined;
}

/** The kind that an object claims: `Map` for a Map of any realm, and of a subclass. */
function kindOf(value: object): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

/** Whether the value is a plain object, of this realm or another. */
export function isPlain(value: object): boolean {
  return Reflect.getPrototypeOf(value) === null || is(value, Object);
}

/** Whether the value is an array, or of a subclass that adds no methods, as Bun.SQL's results are. */
function isArray(value: object): value is readonly unknown[] {
  if (!Array.isArray(value)) return false;
  if (is(value, Array)) return true;
  const prototype = Reflect.getPrototypeOf(value) ?? {};
  const { constructor: _, ...members } = Object.getOwnPropertyDescriptors(prototype);
  const hasMethods = Object.values(members).some((member) => typeof member.value === "function");
  return is(prototype, Array) && !hasMethods;
}

/** Describes an object that cannot be stored. */
function describeObject(value: object): string {
  if ("then" in value) return "a promise. Await it first";
  const name = classOf(value);
  const kind = kindOf(value);
  if (name === undefined && kind === "Object") return "an object that inherits from another";
  // A Date without a time, or an object that only looks like a built-in.
  if (BUILT_INS.has(name)) return `an invalid ${name}`;
  // The class of a Temporal.Instant has the name Instant.
  return `an instance of ${kind.includes(".") ? kind : (name ?? kind) || "a class without a name"}`;
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
  return new SessionValueError(pathOf(place), state);
}

function refuseCycle(container: object, place: Place): never {
  const level = place.walk.around.indexOf(container);
  let outer = place;
  while (outer.parent !== undefined && outer.level > level) outer = outer.parent;
  throw refusal(place, `must not contain itself, got ${pathOf(outer)} again`);
}

function tooLong(path: string): SessionValueError {
  return new SessionValueError(path, `must be at most ${MAX_LENGTH} characters of JSON, got more`);
}

function pathOf(place: Place): string {
  let path = "";
  let at = place;
  for (; at.parent !== undefined; at = at.parent) {
    const isName = IDENTIFIER.test(String(at.key));
    path = (isName ? `.${at.key}` : `[${JSON.stringify(at.key)}]`) + path;
  }
  return at.key + path;
}
