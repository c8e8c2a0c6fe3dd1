import { SessionOptionsError, SessionStoreError } from "../errors.ts";
import { checkOptionNames, describe, type Store } from "./store.ts";

/**
 * What `redisStore` needs of a client. `RedisClient` of Bun has it. Others take a line:
 * `{ send: (command, args) => ioredis.call(command, ...args) }`,
 * `{ send: (command, args) => nodeRedis.sendCommand([command, ...args]) }`.
 */
export interface RedisCommands {
  /** Sends one command. Rejects with the server's error. */
  send(command: string, args: string[]): PromiseLike<unknown>;
  /** Connects again after `close`, for a client that does not recover by itself. */
  connect?(): PromiseLike<unknown>;
  /** Ends the connection, and with it every command that waits for an answer. */
  close?(): unknown;
}

export interface RedisStoreOptions {
  /**
   * Stands before each key, so that several apps can share a server. No app's prefix may be the
   * start of another's. Default: `madeleine:`.
   */
  readonly prefix?: string;
}

// The first argument comes back with the answer, so that a client that mixes up answers is noticed.
// Each call sends the whole script, so a restarted server has nothing to load.
const READ = `return {ARGV[1], redis.call("GET", KEYS[1])}`;
const REPLACE = `
if redis.call("GET", KEYS[1]) ~= (ARGV[4] or false) then return {ARGV[1], 0} end
redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
return {ARGV[1], 1}`;

/** In milliseconds: the longest `storeTimeout`, so nobody waits for a later answer. */
const LONGEST_WAIT = 10_000;
/** In milliseconds, after an attempt to connect. */
const PAUSE = 1000;

/**
 * A store in Redis or Valkey, from version 7.0, for any number of instances. It needs the commands
 * EVAL, GET and SET.
 *
 * An error of the server or the client, and an answer to another command, are `SessionStoreError`,
 * with the `cause`. How long a request waits is the `storeTimeout` of `createSessions`. After a
 * failed connection, or 10 s without an answer, the store calls the client's `close` and `connect`,
 * one attempt at a time and at most one a second, because Bun's client gives up after `maxRetries`
 * and never notices a silent server. `close` ends all commands of the client, so give the store a
 * client that nothing else uses. Open it like this, because by default commands queue while there
 * is no connection:
 *
 * ```ts
 * const client = new RedisClient(url, { enableOfflineQueue: false, connectionTimeout: 1000 });
 * await client.connect();
 * const store = redisStore(client);
 * ```
 *
 * A client without `close` and `connect` has to recover by itself, from a silent server too: set
 * ioredis' `commandTimeout` or node-redis' `socketTimeout`.
 *
 * Set the server to `maxmemory-policy noeviction`, because an evicted record is a forgotten ending.
 * So is what an asynchronous failover loses, or a restart without `appendonly yes`. Reads have to
 * go to the primary. A call names one key, so it works on a Redis Cluster: docs/scaling.md says
 * with which client, and what a failover loses.
 *
 * Throws `SessionOptionsError` if the client or an option is wrong.
 */
export function redisStore(client: RedisCommands, options: RedisStoreOptions = {}): Store {
  checkClient(client);
  checkOptionNames(options, ["prefix"]);
  const { prefix = "madeleine:" } = options;
  if (typeof prefix !== "string") {
    throw new SessionOptionsError(
      `Cannot make a Redis store: prefix must be a string, got ${describe(prefix)}`,
    );
  }
  let calls = 0;
  let nextAttempt = -Infinity; // On the clock of `performance`.

  async function reconnect(): Promise<void> {
    if (client.connect === undefined || performance.now() < nextAttempt) return;
    const latest = performance.now() + LONGEST_WAIT;
    nextAttempt = latest;
    void ignoreErrors(() => client.close?.());
    await ignoreErrors(() => client.connect?.());
    // An attempt that ends while another one is under way changes nothing.
    if (nextAttempt === latest) nextAttempt = performance.now() + PAUSE;
  }

  async function run(script: string, key: string, ...values: string[]): Promise<unknown> {
    const call = `${++calls} ${key}`;
    const timer = setTimeout(() => void reconnect(), LONGEST_WAIT);
    try {
      const reply = await client.send("EVAL", [script, "1", prefix + key, call, ...values]);
      if (!Array.isArray(reply) || reply[0] !== call) throw new Error("Answer to another command");
      return reply[1];
    } catch (error) {
      if (!isServerError(error)) void reconnect();
      throw new SessionStoreError("Redis failed", { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  async function read(key: string): Promise<string | undefined> {
    const value = await run(READ, key);
    if (typeof value === "string") return value;
    if (value === null) return undefined;
    throw new SessionStoreError(`Redis gave ${describe(value)}, expected text`);
  }

  return {
    get: (keys) => Promise.all(keys.map(read)),
    async replace(key, previous, next, ttl) {
      const expected = previous === undefined ? [] : [previous];
      const count = await run(REPLACE, key, next, String(ttl), ...expected);
      if (count === 1 || count === 0) return count === 1;
      throw new SessionStoreError(`Redis gave ${describe(count)}, expected 0 or 1`);
    },
  };
}

function checkClient(client: unknown): void {
  if (hasMethod(client, "send")) return;
  let given = describe(client);
  let line = "redisStore(new RedisClient(url))";
  if (hasMethod(client, "call")) {
    given = "a client like that of ioredis";
    line = "redisStore({ send: (command, args) => client.call(command, ...args) })";
  } else if (hasMethod(client, "sendCommand")) {
    given = "a client like that of node-redis";
    line = "redisStore({ send: (command, args) => client.sendCommand([command, ...args]) })";
  }
  throw new SessionOptionsError(
    "Cannot make a Redis store: expected a client with the method send, such as RedisClient of " +
      `Bun, got ${given}. Write ${line}`,
  );
}

function hasMethod(client: unknown, name: string): boolean {
  return (
    typeof client === "object" && client !== null && typeof Reflect.get(client, name) === "function"
  );
}

/** Bun's code for an error that the server sent: then the connection works. */
function isServerError(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_REDIS_SERVER_ERROR";
}

/** For what makes the next call fail too, which then reports it. */
async function ignoreErrors(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch {}
}
