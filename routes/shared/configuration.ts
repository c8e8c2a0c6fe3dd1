import { validateOrigins } from "../../session/origin.ts";
import { parseTrustedProxies, type TrustedProxies } from "./address.ts";

/** The environment, read and checked. */
export interface Configuration {
  readonly key: KeySource;
  readonly secretKeyFallbacks: readonly string[];
  /** Undefined where `SESSION_ALGORITHM` is not set: then the library's own. */
  readonly algorithm: "HS256" | "ES256" | undefined;
  readonly host: string;
  readonly port: number;
  /** Undefined where `PUBLIC_ORIGIN` is not set: then it is what each request shows. */
  readonly publicOrigin: string | undefined;
  readonly isSecure: boolean;
  /** Undefined where `COOKIE_NAME` is not set: then the library's own. */
  readonly cookieName: string | undefined;
  readonly storeUrl: string;
  /** Seconds. */
  readonly lifetime: number;
  /** Seconds. */
  readonly idleTimeout: number;
  readonly loginRate: number;
  readonly trustedProxies: TrustedProxies;
  readonly log: "text" | "json";
}

/** Where the key that signs is: in a variable, in a file that the operator names, or kept by us. */
export type KeySource =
  | { readonly from: "SECRET_KEY"; readonly secretKey: string }
  | { readonly from: "SECRET_KEY_FILE" | "DATA_FOLDER"; readonly file: string };

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where the server keeps what nobody told it to put elsewhere, from where it is started. */
export const DATA_FOLDER = "data";

const DAY = 24 * 60 * 60;

/**
 * Reads the environment. White space around a value does not count, and an empty variable is one
 * that is not set. Throws an `Error` of one line, without a key or a password, for what can't be
 * used.
 */
export function readConfiguration(environment: Environment): Configuration {
  const { host, port } = readAddress(environment);
  const log = read(environment, "LOG") ?? "text";
  if (log !== "text" && log !== "json") fail("LOG", log, "it must be text or json");
  const publicOrigin = readOrigin(read(environment, "PUBLIC_ORIGIN"));
  const algorithm = read(environment, "SESSION_ALGORITHM");
  if (algorithm !== undefined && algorithm !== "HS256" && algorithm !== "ES256") {
    fail("SESSION_ALGORITHM", algorithm, "it must be HS256 or ES256");
  }
  const lifetime = readNumber(environment, "SESSION_LIFETIME", 30 * DAY, 1, 400 * DAY);
  const idle = Math.min(7 * DAY, lifetime);
  const fallbacks = (read(environment, "SECRET_KEY_FALLBACKS") ?? "").match(/\S+/g) ?? [];
  return {
    key: readKeySource(environment, host),
    secretKeyFallbacks: fallbacks.map((text) => checkKey(text, "SECRET_KEY_FALLBACKS")),
    algorithm,
    host,
    port,
    publicOrigin,
    isSecure: publicOrigin?.startsWith("https:") ?? false,
    cookieName: read(environment, "COOKIE_NAME"),
    storeUrl: read(environment, "STORE_URL") ?? `sqlite:${DATA_FOLDER}/madeleine.sqlite`,
    lifetime,
    idleTimeout: readNumber(environment, "SESSION_IDLE_TIMEOUT", idle, 1, 400 * DAY),
    loginRate: readNumber(environment, "LOGIN_RATE", 10, 0, 1_000_000),
    trustedProxies: parseTrustedProxies(read(environment, "TRUSTED_PROXIES") ?? ""),
    log,
  };
}

/** The part of the environment that says where the server listens. Throws as above. */
export function readAddress(environment: Environment): Pick<Configuration, "host" | "port"> {
  return {
    host: read(environment, "HOST") ?? "127.0.0.1",
    port: readNumber(environment, "PORT", 3000, 0, 65_535),
  };
}

/** Whether only this machine can reach a server that listens there. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || LOOPBACK.test(host);
}

/** An IPv4 address of the network 127.0.0.0/8, each number from 0 to 255. */
const LOOPBACK = /^127(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/** Checks the text of a key, and gives it. Throws an `Error` of one line that does not show it. */
export function checkKey(text: string, name: string): string {
  const key = text.trim();
  if (key === "") throw new Error(`Cannot use ${name}: it is empty`);
  // Bytes that are no UTF-8 all became U+FFFD, so that other files would give the same key.
  if (/[[\p{Cc}\u{FFFD}]--\s]/v.test(key)) {
    throw new Error(`Cannot use ${name}: it must be text in UTF-8`);
  }
  if (/\s/.test(key)) {
    throw new Error(
      `Cannot use ${name}: it has white space inside, which separates SECRET_KEY_FALLBACKS`,
    );
  }
  return key;
}

function readKeySource(environment: Environment, host: string): KeySource {
  const secretKey = read(environment, "SECRET_KEY");
  const file = read(environment, "SECRET_KEY_FILE");
  if (secretKey !== undefined && file !== undefined) {
    throw new Error("Cannot use SECRET_KEY_FILE: SECRET_KEY is set too, and one of them is enough");
  }
  if (secretKey !== undefined) {
    return { from: "SECRET_KEY", secretKey: checkKey(secretKey, "SECRET_KEY") };
  }
  if (file !== undefined) return { from: "SECRET_KEY_FILE", file };
  if (isLoopback(host)) return { from: "DATA_FOLDER", file: `${DATA_FOLDER}/secret.key` };
  throw new Error(
    `Cannot listen on ${host}: SECRET_KEY is missing. Print one with "keygen" and keep it secret`,
  );
}

function read(environment: Environment, name: string): string | undefined {
  const value = environment[name]?.trim();
  return value === "" ? undefined : value;
}

function readNumber(
  environment: Environment,
  name: string,
  fallback: number,
  least: number,
  most: number,
): number {
  const text = read(environment, name);
  if (text === undefined) return fallback;
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  return fail(name, text, `it must be a whole number from ${least} to ${most}`);
}

function readOrigin(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const origin = text.replace(/\/$/, "");
  try {
    validateOrigins({ publicOrigin: origin });
    if (/^https?:/.test(origin)) return origin;
  } catch {}
  return fail("PUBLIC_ORIGIN", text, "it must be an origin such as https://example.org");
}

/** Refuses a value, and shows it up to where a URL may hold a password. */
function fail(name: string, value: string, state: string): never {
  const shown = value.replace(/:.*@/s, ":…@");
  throw new Error(`Cannot use ${name} ${JSON.stringify(shown)}: ${state}`);
}
