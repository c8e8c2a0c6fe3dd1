import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import manifest from "./package.json" with { type: "json" };
import { parseTrustedProxies, type TrustedProxies } from "./routes/shared/address.ts";
import { createLog, errorFields, type Log } from "./routes/shared/log.ts";
import { BODY_LIMIT } from "./routes/login.ts";
import { type App, createApp } from "./routes/mod.ts";
import { memoryStore, type Store } from "./session/mod.ts";
import { postgresStore } from "./session/stores/postgres.ts";
import { redisStore } from "./session/stores/redis.ts";
import { sqliteStore } from "./session/stores/sqlite.ts";

const HELP = `madeleine: a login page whose session lives in one signed cookie

  madeleine             start the server
  madeleine keygen      print a fresh SECRET_KEY
  madeleine --help      print this
  madeleine --version   print the version

Environment (defaults in brackets):
  SECRET_KEY             signs the sessions [on loopback a random one for this run]
  SECRET_KEY_FALLBACKS   older keys that still verify, separated by spaces
  HOST, PORT             where to listen [127.0.0.1, 3000]
  PUBLIC_ORIGIN          what users see; https: makes the cookie secure [http://localhost:PORT]
  STORE_URL              sqlite:FILE, memory:, redis://… or postgres://… [sqlite:data/madeleine.sqlite]
  SESSION_LIFETIME       seconds from a session's start to its end [30 days]
  SESSION_IDLE_TIMEOUT   seconds after which an unused session ends [7 days]
  LOGIN_RATE             login attempts a minute from one address, 0 for no limit [10]
  TRUSTED_PROXIES        whose X-Forwarded-For counts, addresses or networks [none]
  LOG                    text or json [text]
`;

/** The environment, read and checked. */
export interface Configuration {
  readonly secretKey: string;
  /** Where the key came from, for the line at start. */
  readonly keySource: "SECRET_KEY" | "random";
  readonly secretKeyFallbacks: readonly string[];
  readonly host: string;
  readonly port: number;
  /** Undefined where `PUBLIC_ORIGIN` is not set: then it is what each request shows. */
  readonly publicOrigin: string | undefined;
  readonly isSecure: boolean;
  readonly storeUrl: string;
  /** Seconds. */
  readonly lifetime: number;
  /** Seconds. */
  readonly idleTimeout: number;
  readonly loginRate: number;
  readonly trustedProxies: TrustedProxies;
  readonly log: "text" | "json";
}

type Environment = Readonly<Record<string, string | undefined>>;

const DAY = 24 * 60 * 60;
/** In bytes. What is longer than a form gets a page that says so, and what is much longer none. */
const REQUEST_LIMIT = 4 * BODY_LIMIT;

/** How long the server waits, and for what. */
export interface Times {
  /** Seconds after which a connection is closed that does not send a whole request. */
  readonly idleTimeout: number;
  /** Milliseconds that answers say `Connection: close` before the server stops listening. */
  readonly drainTime: number;
  /** Milliseconds after which the server then exits, whatever still runs. */
  readonly stopDeadline: number;
}

const TIMES: Times = { idleTimeout: 10, drainTime: 1000, stopDeadline: 10_000 };

/** 32 random bytes in base64url: a `SECRET_KEY`. */
export function generateKey(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url");
}

/** Reads the environment. Throws an `Error` of one line for what can't be used. */
export function readConfiguration(environment: Environment): Configuration {
  const { HOST: host = "127.0.0.1", LOG: log = "text" } = environment;
  if (host === "") fail("HOST", host, "it is empty");
  if (log !== "text" && log !== "json") fail("LOG", log, "it is neither text nor json");
  const port = readNumber(environment, "PORT", 3000, 0, 65_535);
  const publicOrigin = readOrigin(environment["PUBLIC_ORIGIN"]);
  const lifetime = readNumber(environment, "SESSION_LIFETIME", 30 * DAY, 1, 400 * DAY);
  const idle = Math.min(7 * DAY, lifetime);
  return {
    ...readKey(environment["SECRET_KEY"], host),
    secretKeyFallbacks: (environment["SECRET_KEY_FALLBACKS"] ?? "").split(/\s+/).filter(Boolean),
    host,
    port,
    publicOrigin,
    isSecure: publicOrigin?.startsWith("https:") ?? false,
    storeUrl: environment["STORE_URL"] ?? "sqlite:data/madeleine.sqlite",
    lifetime,
    idleTimeout: readNumber(environment, "SESSION_IDLE_TIMEOUT", idle, 1, 400 * DAY),
    loginRate: readNumber(environment, "LOGIN_RATE", 10, 0, 1_000_000),
    trustedProxies: parseTrustedProxies(environment["TRUSTED_PROXIES"] ?? ""),
    log,
  };
}

function fail(name: string, value: string, state: string): never {
  throw new Error(`Cannot use ${name} ${JSON.stringify(value)}: ${state}`);
}

function readNumber(
  environment: Environment,
  name: string,
  fallback: number,
  least: number,
  most: number,
): number {
  const text = environment[name];
  if (text === undefined) return fallback;
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least && number <= most) return number;
  return fail(name, text, `it is no whole number from ${least} to ${most}`);
}

function readOrigin(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const isOrigin =
    url !== null && /^https?:$/.test(url.protocol) && [url.origin, `${url.origin}/`].includes(text);
  return isOrigin
    ? url.origin
    : fail("PUBLIC_ORIGIN", text, "it is no origin such as https://example.org");
}

function readKey(
  secretKey: string | undefined,
  host: string,
): Pick<Configuration, "secretKey" | "keySource"> {
  if (secretKey !== undefined && secretKey !== "") return { secretKey, keySource: "SECRET_KEY" };
  if (isLoopback(host)) return { secretKey: generateKey(), keySource: "random" };
  throw new Error(
    `Cannot listen on ${host}: SECRET_KEY is missing. Print one with "keygen" and keep it secret`,
  );
}

/** An IPv4 address of the network 127.0.0.0/8, each number from 0 to 255. */
const LOOPBACK = /^127(?:\.(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || LOOPBACK.test(host);
}

/**
 * Opens the store that the URL names. Throws an `Error` of one line where it can't. The clients are
 * taken from `Bun` here, because an import of them would load both at every start.
 */
export function openStore(url: string): Store {
  const [, scheme = "", rest = ""] = /^([a-z]+):(.*)$/s.exec(url) ?? [];
  try {
    if (scheme === "memory" && rest === "") return memoryStore();
    if (scheme === "sqlite" && rest !== "") return openSqlite(rest);
    if (scheme === "redis" || scheme === "rediss") {
      const client = new Bun.RedisClient(url, {
        enableOfflineQueue: false,
        connectionTimeout: 1000,
      });
      // Where Redis is down the server starts all the same, and /readyz says so until it is back.
      client.connect().catch(() => {});
      return redisStore(client);
    }
    if (scheme === "postgres" || scheme === "postgresql") {
      return postgresStore(new Bun.SQL(url, { connectionTimeout: 1 }));
    }
  } catch (error) {
    return fail("STORE_URL", scheme === "sqlite" ? url : `${scheme}:…`, reasonOf(error));
  }
  // The rest may hold a password.
  const state = "it is none of sqlite:FILE, memory:, redis: and postgres:";
  return fail("STORE_URL", `${scheme}:…`, state);
}

function openSqlite(file: string): Store {
  mkdirSync(dirname(file), { recursive: true });
  return sqliteStore(new Database(file));
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

async function isAnswering(store: Store): Promise<boolean> {
  try {
    await store.get(["readyz"]);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts the server and gives what stops it and ends the process: new requests are sent elsewhere,
 * running ones get their answer. Throws an `Error` of one line where it can't start.
 */
export function start(
  configuration: Configuration,
  log: Log,
  { idleTimeout, drainTime, stopDeadline }: Times = TIMES,
): () => Promise<void> {
  const store = openStore(configuration.storeUrl);
  let isStopping = false;
  const isReady = async (): Promise<boolean> => !isStopping && (await isAnswering(store));
  const app = createApp({ ...configuration, store, log, isReady });
  const server = listen(configuration, idleTimeout, {
    async fetch(request, server) {
      const response = await app.fetch(request, server);
      if (isStopping) response.headers.set("connection", "close");
      return response;
    },
    error: app.error,
  });
  const key = configuration.keySource === "random" ? "a random key for this run" : "SECRET_KEY";
  console.log(`Listening on ${configuration.publicOrigin ?? server.url.origin} with ${key}`);

  return async () => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => process.exit(), drainTime + stopDeadline).unref();
    await Bun.sleep(drainTime);
    await server.stop();
    process.exit();
  };
}

type Handlers = Pick<App, "fetch" | "error">;

function listen(
  { host, port }: Configuration,
  idleTimeout: number,
  handlers: Handlers,
): Bun.Server<undefined> {
  try {
    return Bun.serve({
      hostname: host,
      port,
      // Bun's development page would send source code to whoever asked.
      development: false,
      maxRequestBodySize: REQUEST_LIMIT,
      idleTimeout,
      ...handlers,
    });
  } catch (error) {
    throw new Error(`Cannot listen on ${host}, port ${port}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Stops in order at a signal, and at what nobody caught, of which the log tells; then the process
 * ends with 1. A second signal ends it at once.
 */
export function supervise(stop: () => Promise<void>, log: Log): void {
  let signals = 0;
  const onSignal = (): void => {
    signals += 1;
    if (signals > 1) process.exit();
    void stop();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  // Nobody waits for what failed here, so all that is left is to tell of it and to end in order.
  const onUncaught = (error: unknown): void => {
    log.note("uncaught", errorFields(error));
    process.exitCode = 1;
    void stop();
  };
  process.on("uncaughtException", onUncaught);
  process.on("unhandledRejection", onUncaught);
}

/** Runs the command that the arguments name. */
function main(words: readonly string[], environment: Environment): void {
  const [command] = words;
  if (words.length > 1)
    throw new Error(`Cannot run ${JSON.stringify(words.join(" "))}: see --help`);
  if (command === "keygen") console.log(generateKey());
  else if (command === "--help") console.log(HELP);
  else if (command === "--version") console.log(manifest.version);
  else if (command === undefined) serve(environment);
  else throw new Error(`Cannot run ${JSON.stringify(command)}: see --help`);
}

/** Starts the server, and stops it at a signal. */
export function serve(environment: Environment, times: Times = TIMES): void {
  const configuration = readConfiguration(environment);
  const log = createLog(configuration.log, (line) => console.error(line));
  supervise(start(configuration, log, times), log);
}

if (import.meta.main) {
  try {
    main(Bun.argv.slice(2), process.env);
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}
