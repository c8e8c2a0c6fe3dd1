import { Database } from "bun:sqlite";
import { RedisClient, SQL, peek } from "bun";
import {
  afterAll,
  afterEach,
  beforeAll,
  describe,
  expect,
  jest,
  setDefaultTimeout,
  spyOn,
  test,
} from "bun:test";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { type Socket, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SessionStoreError } from "../../session/errors.ts";
import { postgresStore } from "../../session/stores/postgres.ts";
import { redisStore } from "../../session/stores/redis.ts";
import { sqliteStore } from "../../session/stores/sqlite.ts";
import type { Store } from "../../session/stores/store.ts";
import {
  POSTGRES_URL,
  REDIS_URL,
  RUN,
  failure,
  fresh,
  hasPostgres,
  hasRedis,
} from "../support/store_harness.ts";

// Only ends a test that waits for ever: far more than any of them takes.
setDefaultTimeout(30_000);

afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Asks until the store has found a new connection. The time limit of the test ends a failure. */
async function recovers(store: Store): Promise<void> {
  while ((await failure(() => store.get(["a"]))) instanceof SessionStoreError) await nextTurn();
  expect(await store.get(["a"])).toEqual([undefined]);
}

/** What the call fails with once the store has waited for as long as it does. */
async function failureInTheEnd(call: () => unknown): Promise<unknown> {
  jest.useFakeTimers();
  const error = failure(call);
  while (peek.status(error) === "pending") {
    jest.advanceTimersByTime(10_000);
    await nextTurn();
  }
  jest.useRealTimers();
  return error;
}

/** A way to a server that can make the connections of this moment silent for ever. */
interface SilentProxy extends Disposable {
  readonly port: number;
  silence(): void;
}

async function startProxy(url: string, defaultPort: number): Promise<SilentProxy> {
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

describe.skipIf(!hasRedis)("Redis", () => {
  const prefix = `test-${RUN}-faults:`;
  const admin = new RedisClient(REDIS_URL);
  afterAll(() => admin.close());

  test("that forgot its scripts works on", async () => {
    const store = redisStore(admin, { prefix });
    await store.get([fresh()]);
    await admin.send("SCRIPT", ["FLUSH"]);
    expect(await store.get([fresh()])).toEqual([undefined]);
  });

  test("that holds another kind of value is an error with its cause", async () => {
    const key = fresh();
    await admin.send("LPUSH", [prefix + key, "1"]);
    const error = await failure(() => redisStore(admin, { prefix }).get([key]));
    expect(error).toBeInstanceOf(SessionStoreError);
    expect(String(Reflect.get(Object(error), "cause"))).toContain("WRONGTYPE");
    await admin.del(prefix + key);
  });

  test("that killed the connection is connected to again", async () => {
    const client = new RedisClient(REDIS_URL, { enableOfflineQueue: false, autoReconnect: false });
    await client.connect();
    const store = redisStore(client, { prefix });
    await admin.send("CLIENT", ["KILL", "ID", String(await client.send("CLIENT", ["ID"]))]);
    while (client.connected) await nextTurn();
    expect(await failure(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
    await recovers(store);
    client.close();
  });

  test("that went silent is connected to again", async () => {
    using proxy = await startProxy(REDIS_URL, 6379);
    const client = new RedisClient(`redis://127.0.0.1:${proxy.port}`, {
      enableOfflineQueue: false,
    });
    await client.connect();
    const store = redisStore(client, { prefix });
    expect(await store.get(["a"])).toEqual([undefined]);
    proxy.silence();
    expect(await failureInTheEnd(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
    await recovers(store);
    client.close();
  });
});

describe.skipIf(!hasPostgres)("PostgreSQL", () => {
  const schema = `test_${RUN}_faults`;
  const connection = {
    search_path: schema,
    synchronous_commit: "off",
    application_name: schema,
  };
  const sql = new SQL(POSTGRES_URL, { max: 4, connection });
  const admin = new SQL(POSTGRES_URL, { max: 1, connection: { search_path: schema } });
  const store = postgresStore(sql);
  beforeAll(async () => {
    await admin`CREATE SCHEMA ${admin(schema)}`;
  });
  afterAll(async () => {
    await admin`DROP SCHEMA ${admin(schema)} CASCADE`;
    await Promise.all([sql.close(), admin.close()]);
  });

  test("that killed all connections is connected to again, with its records", async () => {
    const key = fresh();
    await store.replace(key, undefined, "1", 60);
    await Promise.all(Array.from({ length: 4 }, async () => await store.get(["a"])));
    await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = ${schema}`;
    await recovers(store);
    expect(await store.get([key])).toEqual(["1"]);
  });

  test("whose table was dropped is an error, until the table is there again", async () => {
    await recovers(store);
    await admin`ALTER TABLE madeleine RENAME TO elsewhere`;
    for (const call of [() => store.get(["a"]), () => store.replace("a", undefined, "1", 60)]) {
      const error = await failure(call);
      expect(error).toBeInstanceOf(SessionStoreError);
      expect(String(Reflect.get(Object(error), "cause"))).toContain("does not exist");
    }
    await admin`ALTER TABLE elsewhere RENAME TO madeleine`;
    expect(await store.get(["a"])).toEqual([undefined]);
  });

  test("whose column became bytea under way is an error, not a missing record", async () => {
    const key = fresh();
    await store.replace(key, undefined, "1", 60);
    await admin`ALTER TABLE madeleine ALTER COLUMN value TYPE bytea USING value::bytea`;
    // On each connection, for those that prepared the statement before and those that did not.
    const gets = Array.from({ length: 8 }, () => failure(() => store.get([key])));
    const errors = await Promise.all(gets);
    await admin`ALTER TABLE madeleine
      ALTER COLUMN value TYPE text USING convert_from(value, 'UTF8')`;
    for (const error of errors) expect(error).toBeInstanceOf(SessionStoreError);
  });

  test("that went silent uses up no connection of the pool", async () => {
    using proxy = await startProxy(POSTGRES_URL, 5432);
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
      expect(await failureInTheEnd(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
    }
    await recovers(store);
    await sql.close({ timeout: 0 });
  });
});

describe("SQLite", () => {
  const files: string[] = [];
  afterAll(() => Promise.all(files.map((file) => rm(file, { force: true }))));

  function newFile(): string {
    const file = join(tmpdir(), `madeleine-${RUN}-${fresh()}.sqlite`);
    files.push(file, `${file}-wal`, `${file}-shm`);
    return file;
  }

  test("that is locked fails writes and not reads; only the first write waits", () => {
    const file = newFile();
    using database = new Database(file);
    using locker = new Database(file);
    const store = sqliteStore(database);
    void store.replace("a", undefined, "1", 60);
    locker.run("BEGIN IMMEDIATE");
    const write = (): unknown => store.replace("a", "1", "2", 60);
    expect(write).toThrow(SessionStoreError);
    locker.run("COMMIT");
    // Within the 200 ms in which writes fail at once: this one did not ask SQLite.
    expect(write).toThrow("SQLite failed just now");
    expect(store.get(["a"])).toEqual(["1"]);
  });

  test("without its table is an error with its cause, until the table is there again", async () => {
    using database = new Database(newFile());
    const clock = spyOn(performance, "now").mockReturnValue(0);
    const store = sqliteStore(database);
    database.run("ALTER TABLE madeleine RENAME TO elsewhere");
    for (const call of [() => store.get(["a"]), () => store.replace("a", undefined, "1", 60)]) {
      const error = await failure(call);
      expect(error).toBeInstanceOf(SessionStoreError);
      expect(String(Reflect.get(Object(error), "cause"))).toContain("no such table: madeleine");
    }
    database.run("ALTER TABLE elsewhere RENAME TO madeleine");
    clock.mockReturnValue(200);
    expect(store.replace("a", undefined, "1", 60)).toBe(true);
  });

  test("whose value became a BLOB under way is an error, not a missing record", () => {
    using database = new Database(newFile());
    const store = sqliteStore(database);
    database.run("DROP TABLE madeleine");
    database.run("CREATE TABLE madeleine (key TEXT PRIMARY KEY, value BLOB, expires INTEGER)");
    database.run("INSERT INTO madeleine VALUES ('a', x'31', 9e15)");
    expect(() => store.get(["a"])).toThrow(SessionStoreError);
    expect(() => store.get(["a"])).toThrow("expected text");
  });

  test("that is full keeps what it had, and its error is the cause", async () => {
    using database = new Database(newFile());
    const store = sqliteStore(database);
    void store.replace("a", undefined, "1", 60);
    database.run("PRAGMA max_page_count = 20");
    const error = await failure(() => store.replace("b", undefined, "1".repeat(2 ** 20), 60));
    expect(error).toBeInstanceOf(SessionStoreError);
    expect(String(Reflect.get(Object(error), "cause"))).toContain("full");
    expect(store.get(["a", "b"])).toEqual(["1", undefined]);
  });

  test("that is closed is an error at once", () => {
    const database = new Database(newFile());
    database.close();
    expect(() => sqliteStore(database)).toThrow(SessionStoreError);
  });

  test("in the middle of another transaction fails writes", () => {
    using database = new Database(newFile());
    const store = sqliteStore(database);
    database.run("BEGIN");
    expect(() => store.replace("a", undefined, "1", 60)).toThrow(SessionStoreError);
    database.run("COMMIT");
    expect(store.get(["a"])).toEqual([undefined]);
  });
});
