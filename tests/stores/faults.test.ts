import { afterAll, describe, expect, spyOn, test } from "bun:test";
import { once } from "node:events";
import { type Socket, connect, createServer } from "node:net";
import { RedisClient, SQL } from "bun";
import { SessionStoreError } from "../../session/errors.ts";
import type { Store } from "../../session/stores/store.ts";
import { postgresStore } from "../../session/stores/postgres.ts";
import { type RedisCommands, redisStore } from "../../session/stores/redis.ts";
import {
  POSTGRES_URL,
  REDIS_URL,
  RUN,
  failure,
  fresh,
  hasPostgres,
  hasRedis,
} from "../support/store_harness.ts";

/** Fails until the store has found a new connection: the time limit of the test ends a failure. */
async function recovers(store: Store): Promise<void> {
  while ((await failure(() => store.get(["a"]))) instanceof SessionStoreError) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await store.get(["a"])).toEqual([undefined]);
}

/** A client that answers as told, and counts how often it was connected. */
function client(send: RedisCommands["send"]): RedisCommands & { connects: number } {
  return {
    connects: 0,
    send,
    connect() {
      this.connects += 1;
      return Promise.reject(new Error("refused"));
    },
    close: () => {},
  };
}

/** A way to a server, on which the connections there are can be made silent for ever. */
interface SilentProxy extends Disposable {
  port: number;
  silence(): void;
}

async function silentProxy(url: string, defaultPort: number): Promise<SilentProxy> {
  const { hostname, port } = new URL(url);
  const pairs = new Set<readonly [Socket, Socket]>();
  const listener = createServer((socket) => {
    const pair = [socket, connect(Number(port) || defaultPort, hostname)] as const;
    pairs.add(pair);
    for (const [from, to] of [pair, pair.toReversed()] as const) {
      from.pipe(to);
      from.on("error", () => {});
    }
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("No port");
  return {
    port: address.port,
    silence() {
      for (const [socket, server] of pairs) {
        socket.unpipe().resume();
        server.unpipe().resume();
      }
    },
    [Symbol.dispose]() {
      listener.close();
      for (const pair of pairs) for (const socket of pair) socket.destroy();
    },
  };
}

describe("redisStore with a client that", () => {
  test.each<[string, (args: string[]) => unknown]>([
    ["about another key", ([, , , call = ""]) => [call.replace(/ .*/, " other"), null]],
    ["of an earlier call", ([, , , call = ""]) => [call.replace(/^\d+/, "0"), null]],
    ["without a call", () => null],
    ["of another kind", ([, , , call]) => [call, { a: 1 }]],
  ])("gives an answer %s is an error", async (_title, reply) => {
    const store = redisStore(client((_command, args) => Promise.resolve(reply(args))));
    expect(await failure(() => store.get(["mine"]))).toBeInstanceOf(SessionStoreError);
  });

  test.each([
    ["of one key", 0, "a"],
    ["of two stores", 1, "b"],
  ])("swaps two answers %s is an error for both", async (_title, second, key) => {
    const waiting: ((value: unknown) => void)[] = [];
    const replies: unknown[] = [];
    const swapping = client((_command, args) => {
      replies.unshift([args[3], 1]);
      const { promise, resolve } = Promise.withResolvers<unknown>();
      waiting.push(resolve);
      if (waiting.length === 2) for (const answer of waiting) answer(replies.shift());
      return promise;
    });
    const stores = [redisStore(swapping), redisStore(swapping)];
    const errors = await Promise.all([
      failure(() => stores[0]?.replace("a", undefined, "1", 60)),
      failure(() => stores[second]?.replace(key, undefined, "2", 60)),
    ]);
    expect(errors.map((error) => error instanceof SessionStoreError)).toEqual([true, true]);
  });

  test("never answers is an error, and is connected again", async () => {
    const silent = client(() => new Promise(() => {}));
    expect(await failure(() => redisStore(silent).get(["a"]))).toBeInstanceOf(SessionStoreError);
    expect(silent.connects).toBe(1);
  });

  test.each<[string, () => unknown]>([
    ["throws", () => void new URL("no address")],
    ["rejects", () => Promise.reject(new Error("Cannot close"))],
  ])("is connected again where its close %s", async (_, close) => {
    const closed = client(() => Promise.reject(new Error("Connection closed")));
    closed.close = close;
    expect(await failure(() => redisStore(closed).get(["a"]))).toBeInstanceOf(SessionStoreError);
    expect(closed.connects).toBe(1);
  });

  test("has no connection is connected again, at most once a second", async () => {
    const clock = spyOn(performance, "now").mockReturnValue(0);
    const closed = client(() => Promise.reject(new Error("Connection closed")));
    const store = redisStore(closed);
    for (const [now, connects] of [
      [0, 1],
      [1, 1],
      [999, 1],
      [1000, 2],
      [1999, 2],
    ] as const) {
      clock.mockReturnValue(now);
      expect(await failure(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
      expect(closed.connects).toBe(connects);
    }
    clock.mockRestore();
  });

  test("passes on an error of the server keeps its connection", async () => {
    const code = "ERR_REDIS_SERVER_ERROR";
    const full = client(() => Promise.reject(Object.assign(new Error("OOM"), { code })));
    const error = await failure(() => redisStore(full).replace("a", undefined, "1", 60));
    expect(error).toBeInstanceOf(SessionStoreError);
    expect(full.connects).toBe(0);
  });
});

describe.skipIf(!hasRedis)("redisStore", () => {
  const client = new RedisClient(REDIS_URL);
  afterAll(() => client.close());

  test("keeps its records under its prefix", async () => {
    const key = fresh();
    const [mine, yours] = [`test-${RUN}-mine:`, `test-${RUN}-yours:`];
    await redisStore(client, { prefix: mine }).replace(key, undefined, "1", 60);
    expect(await redisStore(client, { prefix: yours }).get([key])).toEqual([undefined]);
    expect(await client.get(mine + key)).toBe("1");
    await client.del(mine + key);
  });

  test("works on after the server forgot its scripts", async () => {
    const store = redisStore(client, { prefix: `test-${RUN}:` });
    await store.get([fresh()]);
    await client.send("SCRIPT", ["FLUSH"]);
    expect(await store.get([fresh()])).toEqual([undefined]);
  });

  test("connects again to a server that went silent", async () => {
    using proxy = await silentProxy(REDIS_URL, 6379);
    const client = new RedisClient(`redis://127.0.0.1:${proxy.port}`, {
      enableOfflineQueue: false,
    });
    await client.connect();
    const store = redisStore(client, { prefix: `test-${RUN}:` });
    for (let i = 0; i < 2; i += 1) {
      expect(await store.get(["a"])).toEqual([undefined]);
      proxy.silence();
      expect(await failure(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
      await recovers(store);
    }
    client.close();
  });
});

describe.skipIf(!hasPostgres)("postgresStore", () => {
  const schema = `test_${RUN}_faults`;
  const sql = new SQL(POSTGRES_URL, { max: 8, connection: { search_path: schema } });
  const store = postgresStore(sql);
  afterAll(async () => {
    await sql`DROP SCHEMA ${sql(schema)} CASCADE`;
    await sql.close();
  });

  test("fails where the table cannot be made, and tries again at the next call", async () => {
    expect(await failure(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
    await sql`CREATE SCHEMA ${sql(schema)}`;
    expect(await store.get(["a"])).toEqual([undefined]);
  });

  test("makes the table once where many instances start at once", async () => {
    for (let i = 0; i < 5; i += 1) {
      await sql`DROP TABLE madeleine`;
      const stores = Array.from({ length: 8 }, () => postgresStore(sql));
      const results = await Promise.all(stores.map(async (store) => await store.get(["a"])));
      expect(results).toEqual(stores.map(() => [undefined]));
    }
  });

  test("a write does not wait for the expired rows that another one holds", async () => {
    await store.replace("old", undefined, "1", 60);
    await sql`UPDATE madeleine SET expires = now()`;
    await sql.begin(async (transaction) => {
      await transaction`SELECT FROM madeleine FOR UPDATE`;
      expect(await store.replace("new", undefined, "1", 60)).toBe(true);
    });
  });

  test("a write that waits too long for another one is an error", async () => {
    await store.replace("held", undefined, "1", 60);
    await sql.begin(async (transaction) => {
      await transaction`SELECT FROM madeleine WHERE key = 'held' FOR UPDATE`;
      const error = await failure(() => store.replace("held", "1", "2", 60));
      expect(error).toBeInstanceOf(SessionStoreError);
    });
  });

  test("a pool without a free connection is an error", async () => {
    const held = await Promise.all(Array.from({ length: 8 }, () => sql.reserve()));
    expect(await failure(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
    for (const connection of held) void connection.release();
    expect(await store.get(["a"])).toEqual([undefined]);
  });

  test("an answer about another key is an error", async () => {
    const connection = await sql.reserve();
    const mixedUp = new Proxy(connection, {
      apply: () => connection`SELECT ${"another"}::text, NULL`,
    });
    const reserve = spyOn(sql, "reserve").mockResolvedValue(mixedUp);
    expect(await failure(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
    expect(reserve).toHaveBeenCalled();
    reserve.mockRestore();
    await connection.release();
  });

  test("loses no connection of the pool for good to a server that went silent", async () => {
    using proxy = await silentProxy(POSTGRES_URL, 5432);
    const { username, password, pathname } = new URL(POSTGRES_URL);
    const sql = new SQL({
      adapter: "postgres",
      hostname: "127.0.0.1",
      port: proxy.port,
      username,
      password,
      database: pathname.slice(1),
      max: 1,
      connectionTimeout: 1,
      connection: { search_path: schema },
    });
    const store = postgresStore(sql);
    for (let i = 0; i < 3; i += 1) {
      await recovers(store);
      proxy.silence();
      expect(await failure(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
    }
    await sql.close({ timeout: 0 });
  });
});
