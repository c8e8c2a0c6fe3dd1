import { SessionStoreError } from "../errors.ts";
import { within } from "../maybe.ts";
import type { Store } from "./store.ts";

/**
 * What `redisStore` asks of a client. `Bun.RedisClient` has it. Others take a line:
 * `{ send: (command, args) => ioredis.call(command, ...args) }`,
 * `{ send: (command, args) => nodeRedis.sendCommand([command, ...args]) }`.
 */
export interface RedisCommands {
  /** Sends one command; rejects with the server's error. */
  send(command: string, args: string[]): Promise<unknown>;
  /** Connects again after `close`: for a client that does not recover by itself. */
  connect?(): Promise<unknown>;
  close?(): unknown;
}

export interface RedisStoreOptions {
  /** Stands before each key. Default: `madeleine:`. */
  prefix?: string;
}

// The first argument comes back with the answer, so that a client that mixes answers up is noticed.
// Sent whole each time: nothing has to be loaded again after a restart of the server.
const READ = `return {ARGV[1], redis.call("GET", KEYS[1])}`;
const REPLACE = `
if redis.call("GET", KEYS[1]) ~= (ARGV[4] or false) then return {ARGV[1], 0} end
redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
return {ARGV[1], 1}`;

/** In milliseconds: one command, less than the 250 ms that a whole request may take. */
const DEADLINE = 200;
/** In milliseconds, between two attempts to connect: time enough for one to succeed. */
const RECONNECT_AFTER = 1000;

/**
 * A store in Redis or Valkey, from version 7.0, for any number of instances. It takes the commands
 * EVAL, GET and SET.
 *
 * A command that takes more than 200 ms, an error of the server, and an answer to another command
 * are `SessionStoreError`. Where the connection failed, a client with `close` and `connect` is
 * connected again, at most once a second: Bun's gives up for ever after `maxRetries`, or once a
 * server took longer than `connectionTimeout`. That rejects all its commands, so give the store a
 * client of its own. Open it so, because by default commands queue up while there is no connection:
 *
 * ```ts
 * const client = new RedisClient(url, { enableOfflineQueue: false, connectionTimeout: 1000 });
 * await client.connect();
 * const store = redisStore(client);
 * ```
 *
 * On the server, `maxmemory-policy noeviction`: an evicted record is a forgotten ending. So is what
 * an asynchronous failover loses, or a restart without `appendonly yes`. Reads have to go to the
 * primary. A call names one key only, which suits a cluster.
 */
export function redisStore(client: RedisCommands, options: RedisStoreOptions = {}): Store {
  const { prefix = "madeleine:" } = options;
  let calls = 0;
  let connecting = -Infinity;

  function reconnect(): void {
    if (client.connect === undefined || performance.now() - connecting < RECONNECT_AFTER) return;
    connecting = performance.now();
    void attempt(() => client.close?.());
    void attempt(() => client.connect?.());
  }

  async function run(script: string, key: string, ...values: string[]): Promise<unknown> {
    const call = `${++calls} ${key}`;
    try {
      const sent = client.send("EVAL", [script, "1", prefix + key, call, ...values]);
      const reply = await within(sent, DEADLINE, () => new Error(`No answer in ${DEADLINE} ms`));
      if (!Array.isArray(reply) || reply[0] !== call) throw new Error("Answer to another command");
      return reply[1];
    } catch (error) {
      if (!isServerError(error)) reconnect();
      throw new SessionStoreError("Redis failed", { cause: error });
    }
  }

  async function read(key: string): Promise<string | undefined> {
    const value = await run(READ, key);
    if (value === null) return undefined;
    if (typeof value !== "string") throw new SessionStoreError("Redis answered without a string");
    return value;
  }

  return {
    get: (keys) => Promise.all(keys.map(read)),
    async replace(key, previous, next, ttl) {
      const expected = previous === undefined ? [] : [previous];
      return (await run(REPLACE, key, next, String(ttl), ...expected)) === 1;
    },
  };
}

/** Bun's code for an error that the server sent: the connection is a good one. */
function isServerError(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ERR_REDIS_SERVER_ERROR";
}

/** What fails here makes the next call fail too, which says so. */
async function attempt(action: () => unknown): Promise<void> {
  try {
    await action();
  } catch {}
}
