import { Database } from "bun:sqlite";
import { readFileSync } from "node:fs";
import manifest from "./package.json" with { type: "json" };
import { type App, createApp, PATHS } from "./routes/mod.ts";
import {
  checkKey,
  type Configuration,
  DATA_FOLDER,
  type Environment,
  isLoopback,
  type KeySource,
  readAddress,
  readConfiguration,
} from "./routes/shared/configuration.ts";
import { BODY_LIMIT } from "./routes/shared/form.ts";
import { openPrivately, readOrMake } from "./routes/shared/files.ts";
import { createLog, errorFields, type Log } from "./routes/shared/log.ts";
import { explainOutage, reasonOf, watchStore } from "./routes/shared/outages.ts";
import { type MaybePromise, memoryStore, type Store } from "./session/mod.ts";
import { postgresStore } from "./session/stores/postgres.ts";
import { redisStore } from "./session/stores/redis.ts";
import { sqliteStore } from "./session/stores/sqlite.ts";

const HELP = `madeleine: a login page whose session lives in one signed cookie

  madeleine               start the server
  madeleine keygen        print a fresh SECRET_KEY
  madeleine healthcheck   ask a running server's /healthz: exit with 0 where it answers, else with 1
  madeleine --help        print this
  madeleine --version     print the version

Environment (defaults in brackets):
  SECRET_KEY             signs the sessions [on loopback one that is kept in data/secret.key]
  SECRET_KEY_FILE        a file with that key, in place of SECRET_KEY
  SECRET_KEY_FALLBACKS   older keys that still verify, separated by spaces
  SESSION_ALGORITHM      HS256, or ES256 with public keys at /.well-known/jwks.json [HS256]
  HOST, PORT             where to listen [127.0.0.1, 3000]
  PUBLIC_ORIGIN          what users see; https: makes the cookie secure [http://localhost:PORT]
  COOKIE_NAME            for several apps on one host [__Host-Http-session, or session without https:]
  STORE_URL              sqlite:FILE, memory:, redis://… or postgres://… [sqlite:data/madeleine.sqlite]
  SESSION_LIFETIME       seconds from a session's start to its end [30 days]
  SESSION_IDLE_TIMEOUT   seconds after which an unused session ends [7 days]
  LOGIN_RATE             login attempts a minute from one address, 0 for no limit [10]
  TRUSTED_PROXIES        whose X-Forwarded-For counts, addresses or networks [none]
  LOG                    text or json [text]
`;

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

/** The key. Throws an `Error` of one line, which does not show it, where there is none to use. */
export function readKey(source: KeySource): string {
  if (source.from === "SECRET_KEY") return source.secretKey;
  const { from, file } = source;
  if (from === "SECRET_KEY_FILE") return checkKey(readText(file), from);
  try {
    return checkKey(
      openPrivately(file, DATA_FOLDER, () => readOrMake(file, generateKey)),
      file,
    );
  } catch (error) {
    throw new Error(`Cannot keep a key: ${reasonOf(error)}. Set SECRET_KEY`, { cause: error });
  }
}

/** The file's text. An error does not show its name: that may be the key, put there by mistake. */
function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw new Error(`Cannot read the file that SECRET_KEY_FILE names: ${code}`, { cause: error });
  }
}

/**
 * Opens the store that the URL names, and gives it once it is connected, or after a second: a server
 * starts all the same where its store is down, and /readyz says so until it is back. Rejects with an
 * `Error` of one line, without a password, where the URL can't be used. The clients are taken from
 * `Bun` here, because an import of them would load both at every start.
 */
export async function openStore(url: string): Promise<Store> {
  const [, scheme = "", rest = ""] = /^([a-z]+):(.*)$/s.exec(url) ?? [];
  const hasHost = URL.parse(url)?.hostname !== "";
  try {
    if (scheme === "memory" && rest === "") return memoryStore();
    // With two slashes the file is beside the program too, as in Bun.SQL; with three it is not.
    if (scheme === "sqlite") return openSqlite(rest.replace(/^\/\//, ""));
    if (/^rediss?$/.test(scheme) && hasHost) return await openRedis(url);
    if (/^postgres(?:ql)?$/.test(scheme) && hasHost) return await openPostgres(url);
  } catch (error) {
    // The rest may hold a password.
    const shown = scheme === "sqlite" && !rest.includes("@") ? url : `${scheme}:…`;
    throw new Error(`Cannot use STORE_URL "${shown}": ${reasonOf(error)}`, { cause: error });
  }
  const expected = "sqlite:FILE, memory:, redis://HOST or postgres://HOST/DATABASE";
  throw new Error(`Cannot use STORE_URL "${scheme}:…": it must be ${expected}`);
}

/** What others take for more than a file's name: a host with a password, a folder, a URL's parts. */
const NO_PATH = /^$|^[^/]*@|^~|^file:|[?#]|\/$/;

function openSqlite(file: string): Store {
  if (file === ":memory:") return sqliteStore(new Database(file));
  if (NO_PATH.test(file)) {
    throw new Error(
      'it must name a file by a plain path, without "~", "file:", "?", "#" or a slash at its end',
    );
  }
  return openPrivately(file, DATA_FOLDER, () => sqliteStore(new Database(file)));
}

async function openRedis(url: string): Promise<Store> {
  const client = new Bun.RedisClient(url, { enableOfflineQueue: false, connectionTimeout: 1000 });
  await waitFor(client.connect());
  return redisStore(client);
}

async function openPostgres(url: string): Promise<Store> {
  const store = postgresStore(new Bun.SQL(url, { connectionTimeout: 1 }));
  await waitFor(store.get(["start"]));
  return store;
}

/** Waits until a store's first answer is there or failed, at most a second. */
async function waitFor(answer: MaybePromise<unknown>): Promise<void> {
  await Promise.race([Promise.resolve(answer).catch(() => {}), Bun.sleep(1000)]);
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
 * running ones get their answer. Rejects with an `Error` of one line where it can't start.
 */
export async function start(
  configuration: Configuration,
  log: Log,
  { idleTimeout, drainTime, stopDeadline }: Times = TIMES,
): Promise<() => Promise<void>> {
  const { key, host, publicOrigin, storeUrl } = configuration;
  const secretKey = readKey(key);
  const store = watchStore(await openStore(storeUrl), {
    onDown: async (error) =>
      log.note("store-down", { reason: await explainOutage(error, storeUrl) }),
    onUp: () => log.note("store-up"),
  });
  let isStopping = false;
  const isReady = async (): Promise<boolean> => !isStopping && (await isAnswering(store));
  const app = createApp({
    ...configuration,
    secretKey,
    store,
    log,
    isReady,
    isStopping: () => isStopping,
  });
  const server = listen(configuration, idleTimeout, app);
  if (publicOrigin === undefined && !isLoopback(host)) {
    const reason = "PUBLIC_ORIGIN is missing: no cookie is Secure, and no answer asks for https";
    log.note("insecure", { reason });
  }
  console.log(`Listening on ${publicOrigin ?? originOf(server.url)} with ${nameOf(key)}`);

  return async () => {
    if (isStopping) return;
    isStopping = true;
    setTimeout(() => process.exit(), drainTime + stopDeadline).unref();
    await Bun.sleep(drainTime);
    await server.stop();
    process.exit();
  };
}

/** An origin to open on this machine: a server that listens on every address has none itself. */
function originOf({ hostname, origin, port }: URL): string {
  return ANY_ADDRESS.has(hostname) ? `http://localhost:${port || 80}` : origin;
}

const ANY_ADDRESS: ReadonlySet<string> = new Set(["0.0.0.0", "[::]"]);

function nameOf(key: KeySource): string {
  return key.from === "DATA_FOLDER" ? `the key in ${key.file}` : key.from;
}

function listen(
  { host, port }: Configuration,
  idleTimeout: number,
  app: App,
): Bun.Server<undefined> {
  try {
    return Bun.serve({
      hostname: host,
      port,
      // Bun's development page would send source code to whoever asked.
      development: false,
      // Bun 1.4.5 turns it on with `development: false`: a second server on the port would start
      // without a word, and get half of the requests.
      reusePort: false,
      maxRequestBodySize: REQUEST_LIMIT,
      idleTimeout,
      ...app,
    });
  } catch (error) {
    throw new Error(`Cannot listen on ${host}, port ${port}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Stops the server on a signal or an uncaught error; the error is logged, and the exit code is 1. A
 * second signal exits at once.
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

/** In milliseconds, for an answer of /healthz. */
const HEALTH_DEADLINE = 3000;

/** Asks the server that these variables configure. Throws an `Error` where it does not answer. */
export async function checkHealth(environment: Environment): Promise<void> {
  const { host, port } = readAddress(environment);
  const url = new URL(`http://${host.includes(":") ? `[${host}]` : host}:${port}${PATHS.healthz}`);
  if (ANY_ADDRESS.has(url.hostname)) url.hostname = host.includes(":") ? "[::1]" : "127.0.0.1";
  // A proxy that the environment names is for other hosts.
  process.env["NO_PROXY"] = "*";
  const signal = AbortSignal.timeout(HEALTH_DEADLINE);
  const { status } = await fetch(url, { signal, redirect: "manual" }).catch((error: unknown) => {
    throw new Error(`Cannot reach ${url.href}: ${reasonOf(error)}`, { cause: error });
  });
  if (status !== 200) throw new Error(`Cannot take ${url.href} for healthy: it answers ${status}`);
}

/** Runs the command that the arguments name. */
async function main(words: readonly string[], environment: Environment): Promise<void> {
  const [command] = words;
  if (words.length > 1)
    throw new Error(`Cannot run ${JSON.stringify(words.join(" "))}: see --help`);
  if (command === "keygen") console.log(generateKey());
  else if (command === "healthcheck") await checkHealth(environment);
  else if (command === "--help") console.log(HELP);
  else if (command === "--version") console.log(manifest.version);
  else if (command === undefined) await serve(environment);
  else throw new Error(`Cannot run ${JSON.stringify(command)}: see --help`);
}

/** Starts the server, and stops it at a signal. */
export async function serve(environment: Environment, times: Times = TIMES): Promise<void> {
  const configuration = readConfiguration(environment);
  const log = createLog(configuration.log, (line) => console.error(line));
  supervise(await start(configuration, log, times), log);
}

if (import.meta.main) {
  main(Bun.argv.slice(2), process.env).catch((error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  });
}
