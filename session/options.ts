import { type Cookie, type CookieOptions, createCookie } from "./cookie/attributes.ts";
import { SessionOptionsError, spell } from "./errors.ts";
import { createWarnings, type SessionEvent } from "./events.ts";
import { type OriginOptions, validateOrigins } from "./origin.ts";
import type { Format } from "./token/format.ts";
import { checkSecrets, type Secret } from "./token/keys.ts";
import { chain, type MaybePromise } from "./maybe.ts";
import type { ValuesOf } from "./state.ts";
import { describe, type Store } from "./stores/store.ts";
import { memoryStore } from "./stores/memory.ts";

/** Another system's session: the result of the option `adopt`. */
export interface Adoptable<Values extends object = Readonly<Record<string, unknown>>> {
  readonly data: Values;
  /** Who is signed in: then `endAll` reaches the session. Nobody by default. */
  readonly subject?: string | undefined;
  /** Whether our cookie outlives the browser. False by default. */
  readonly permanent?: boolean | undefined;
  /**
   * What identifies the other system's session, such as its signature. A session is adopted once:
   * after 60 s, or when the session that it became ends, no instance accepts a copy of its cookie.
   * Without a credential, or without a store, a copy is adopted as long as the other system's
   * signature holds.
   */
  readonly credential?: string | undefined;
  /** The other system's cookie: the response that adopts the session deletes it. */
  readonly forget?:
    | {
        readonly name: string;
        /** `/` by default. */
        readonly path?: string | undefined;
        /** None by default. */
        readonly domain?: string | undefined;
      }
    | undefined;
}

/** The options of `createSessions`. */
export interface SessionOptions<Data extends object = Record<string, unknown>> {
  /**
   * Signs and verifies the tokens: a string (its UTF-8 bytes) or bytes, at least 32 of them and at
   * least 8 different ones. Undefined throws at once, so that `process.env["SECRET_KEY"]` can be
   * passed as it is. A function is called at the first use, for builds that have no secrets: then a
   * wrong key fails the first `open`. Use one key for one app, and for nothing else.
   */
  readonly secretKey: Secret | undefined | (() => MaybePromise<Secret | undefined>);
  /** Keys that verify and do not sign, for rotation. None by default; a bare string is one key. */
  readonly secretKeyFallbacks?: Secret | readonly Secret[];
  /**
   * How tokens are signed. `"HS256"` by default: whoever can verify can also sign. With `"ES256"` a
   * service verifies with the keys of `publicKeys()`, and can't sign. Then HS256 tokens are accepted
   * only if a fallback key signed them; `secretKey` may be a fallback too.
   */
  readonly algorithm?: "HS256" | "ES256";
  /**
   * Whether the cookie and the store's records are encrypted, so that nobody can read the data. False by
   * default; only with HS256. Signed tokens stay valid, and are encrypted on their next response.
   * Encrypted data is not deflated, so it takes more room: a session that no longer fits can't be
   * changed, and ends with its cookie.
   */
  readonly encrypt?: boolean;
  /** The cookie's name and attributes. */
  readonly cookie?: CookieOptions;
  /**
   * Seconds from a session's start to its end, whatever happens. 30 days by default, at most 400 days.
   * A session keeps the times that it began with.
   */
  readonly lifetime?: number;
  /**
   * An unused session ends between half of this and this many seconds after its last use. 7 days by
   * default, or the `lifetime` if that is less.
   */
  readonly idleTimeout?: number;
  /**
   * Keeps track of ended sessions and of parallel changes. Default: the memory of this process, in one
   * store, even if bundlers copy the library; with the option `now`, a separate one.
   * Several processes, serverless functions and Workers must share a store. With `null` there is
   * none: a copied cookie is valid until it expires, and of parallel changes the last response
   * wins.
   */
  readonly store?: Store | null;
  /**
   * The time limit in milliseconds, for each call of the store and for all tries of one commit
   * together. 250 by default, at most 10,000. A store in another region needs more.
   */
  readonly storeTimeout?: number;
  /**
   * Where the data lives. `"cookie"` by default. With `"store"` the cookie holds only the claims: the
   * data may be larger than 4 kB, and the user can't read it. You can switch at any time without
   * signing anyone out.
   */
  readonly dataIn?: "cookie" | "store";
  /**
   * Keeps a list of each subject's sessions, for `list` and `end`. False by default; true needs a
   * store. Set it on every instance. A session that began earlier enters the list when its cookie
   * is signed again. A subject has at most 100 sessions: the next login ends the oldest.
   */
  readonly list?: boolean;
  /**
   * Which pages may send requests that change something, for the check in `handler`. By default only
   * our own; `false` leaves the check to the application.
   */
  readonly origin?: OriginOptions | false;
  /**
   * Takes over another system's sessions. Called with the request's headers if it has no token of ours.
   * Return `undefined` if there is nothing to adopt. None by default.
   */
  readonly adopt?: (headers: Headers) => MaybePromise<Adoptable<ValuesOf<Data>> | undefined>;
  /**
   * Called with each event. What it throws fails the request. It is not awaited, so an async function
   * has to catch its own errors. By default `unavailable` and `insecure` are printed, each once.
   */
  readonly onEvent?: (event: SessionEvent) => void;
  /** The clock, in milliseconds. `Date.now` by default. Called once at start-up, as a check. */
  readonly now?: () => number;
}

/** The options with their defaults, checked. */
export interface Settings extends Readonly<
  Required<
    Pick<
      SessionOptions,
      | "lifetime"
      | "idleTimeout"
      | "store"
      | "storeTimeout"
      | "dataIn"
      | "list"
      | "origin"
      | "onEvent"
      | "now"
    >
  >
> {
  /** The keys' bytes, the signing one first. Throws `SessionOptionsError`. */
  readonly secrets: () => MaybePromise<readonly Uint8Array<ArrayBuffer>[]>;
  readonly cookie: Cookie;
  /** The format of the tokens that are made. */
  readonly format: Format;
}

const DAY = 24 * 60 * 60;
const DEFAULT_LIFETIME = 30 * DAY;
const DEFAULT_IDLE_TIMEOUT = 7 * DAY;
/** Browsers keep no cookie for longer. */
const LONGEST_LIFETIME = 400 * DAY;
const DEFAULT_STORE_TIMEOUT = 250;
const LONGEST_STORE_TIMEOUT = 10_000;

/** All options: a misspelled one is an error. */
const NAMES: ReadonlySet<string> = new Set<keyof SessionOptions>([
  "secretKey",
  "secretKeyFallbacks",
  "algorithm",
  "encrypt",
  "cookie",
  "lifetime",
  "idleTimeout",
  "store",
  "storeTimeout",
  "dataIn",
  "list",
  "origin",
  "adopt",
  "onEvent",
  "now",
]);

/** Checks the options once. Throws `SessionOptionsError`. */
export function checkOptions<Data extends object>(options: SessionOptions<Data>): Settings {
  if (!isObject(options)) {
    throw new SessionOptionsError(
      `Cannot use the options: expected an object, got ${describe(options)}`,
    );
  }
  for (const name of Object.keys(options)) {
    if (!NAMES.has(name)) fail(name, `there is no such option, only ${[...NAMES].join(", ")}`);
  }
  const format = readFormat(options);
  const secrets = readSecrets(options, format);
  const { lifetime = DEFAULT_LIFETIME, storeTimeout = DEFAULT_STORE_TIMEOUT } = options;
  checkNumber("lifetime", lifetime, "seconds", LONGEST_LIFETIME);
  const { idleTimeout = Math.min(DEFAULT_IDLE_TIMEOUT, lifetime) } = options;
  checkNumber("idleTimeout", idleTimeout, "seconds", LONGEST_LIFETIME);
  checkNumber("storeTimeout", storeTimeout, "milliseconds", LONGEST_STORE_TIMEOUT);
  const { now = Date.now, onEvent = createWarnings(), adopt } = options;
  checkFunction("now", now);
  // A clock that returns NaN would sign cookies that never open.
  const time: unknown = now();
  if (!Number.isFinite(time)) fail("now", `must return milliseconds, got ${spell(time)}`);
  checkFunction("onEvent", onEvent);
  if (adopt !== undefined) checkFunction("adopt", adopt);
  const store = readStore(options);
  const { dataIn = "cookie", list = false, origin = {} } = options;
  if (origin !== false) {
    if (!isObject(origin)) fail("origin", `must be an object or false, got ${describe(origin)}`);
    validateOrigins(origin);
  }
  if (dataIn !== "cookie" && dataIn !== "store") {
    fail("dataIn", `must be "cookie" or "store", got ${spell(dataIn)}`);
  }
  if (store === null && dataIn === "store") fail("dataIn", `"store" needs a store, got null`);
  if (typeof list !== "boolean") fail("list", `must be a boolean, got ${spell(list)}`);
  if (store === null && list) fail("list", "true needs a store, got null");
  const cookie = createCookie(options.cookie);
  return Object.freeze({
    secrets,
    format,
    cookie,
    lifetime,
    idleTimeout,
    store,
    storeTimeout,
    dataIn,
    list,
    origin,
    onEvent,
    now,
  });
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function checkNumber(name: string, value: unknown, unit: string, most: number): void {
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= most) return;
  fail(name, `must be a whole number of ${unit} from 1 to ${most}, got ${spell(value)}`);
}

function checkFunction(name: string, value: unknown): void {
  if (typeof value !== "function") fail(name, `must be a function, got ${describe(value)}`);
}

function fail(name: string, state: string): never {
  throw new SessionOptionsError(`Cannot use option ${name}: ${state}`);
}

function readFormat<Data extends object>({
  algorithm = "HS256",
  encrypt = false,
}: SessionOptions<Data>): Format {
  if (algorithm !== "HS256" && algorithm !== "ES256") {
    fail("algorithm", `must be "HS256" or "ES256", got ${spell(algorithm)}`);
  }
  if (typeof encrypt !== "boolean") fail("encrypt", `must be a boolean, got ${spell(encrypt)}`);
  if (!encrypt) return algorithm;
  return algorithm === "HS256"
    ? "A256GCM"
    : fail("encrypt", `true needs algorithm "HS256", got "ES256"`);
}

/** Checks the keys: at once, or later if a function returns them. */
function readSecrets<Data extends object>(
  { secretKey, secretKeyFallbacks }: SessionOptions<Data>,
  format: Format,
): Settings["secrets"] {
  const check = (key: Secret | undefined): ReturnType<typeof checkSecrets> =>
    checkSecrets(key, secretKeyFallbacks, format === "ES256");
  if (typeof secretKey !== "function") {
    const secrets = check(secretKey);
    return () => secrets;
  }
  let secrets: ReturnType<typeof checkSecrets> | undefined;
  return () => secrets ?? chain(secretKey(), (key) => (secrets ??= check(key)));
}

function readStore<Data extends object>({ store, now }: SessionOptions<Data>): Store | null {
  if (store === undefined) return now === undefined ? defaultStore() : memoryStore({ now });
  if (store === null || isStore(store)) return store;
  return fail("store", `must have get and replace, or be null, got ${describe(store)}`);
}

/** The default store is found by this key, because bundlers may copy this module. */
const DEFAULT_STORE = Symbol.for("madeleine.store");

function defaultStore(): Store {
  const present: unknown = Reflect.get(globalThis, DEFAULT_STORE);
  if (isStore(present)) return present;
  const store = memoryStore();
  Reflect.set(globalThis, DEFAULT_STORE, store);
  return store;
}

function isStore(value: unknown): value is Store {
  if (typeof value !== "object" || value === null) return false;
  const isMethod = (name: string): boolean => typeof Reflect.get(value, name) === "function";
  return isMethod("get") && isMethod("replace");
}
