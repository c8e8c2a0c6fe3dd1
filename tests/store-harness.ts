import { Database } from "bun:sqlite";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient, SQL } from "bun";
import type { Store } from "../session/store.ts";
import { memoryStore } from "../session/stores/memory.ts";
import { postgresStore } from "../session/stores/postgres.ts";
import { redisStore } from "../session/stores/redis.ts";
import { sqliteStore } from "../session/stores/sqlite.ts";

export const REDIS_URL: string = process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379";
export const POSTGRES_URL: string =
  process.env["POSTGRES_URL"] ?? "postgres://root@127.0.0.1:5432/test";
/** Parts the things of this run from those of any other. */
export const RUN: string = crypto.randomUUID().slice(0, 8);

/** A store under test, with what only its own server can do. */
export interface Harness {
  store: Store;
  /** Another instance of the store with the same records. */
  other: Store;
  /** Makes the record of the key expire now. */
  expire(key: string): unknown;
  /** The seconds that the record of the key has left. Undefined where the store does not tell. */
  life(key: string): Promise<number | undefined>;
  /** How many records are kept, expired ones too. Undefined where the store does not tell. */
  count(): Promise<number | undefined>;
  close(): unknown;
}

export function memoryHarness(): Harness {
  let now = 0;
  const store = memoryStore({ now: () => now });
  return {
    store,
    other: store,
    expire: () => (now += 60_000),
    life: () => Promise.resolve(undefined),
    count: () => Promise.resolve(undefined),
    close: () => {},
  };
}

export function sqliteHarness(): Harness {
  const file = join(tmpdir(), `madeleine-${RUN}.sqlite`);
  const handles = [new Database(file), new Database(file)] as const;
  const [store, other] = [sqliteStore(handles[0]), sqliteStore(handles[1])];
  const [database] = handles;
  const count = database.query<{ n: number }, []>("SELECT count(*) AS n FROM madeleine");
  const expires = database.query<{ expires: number }, [string]>(
    "SELECT expires FROM madeleine WHERE key = ?",
  );
  return {
    store,
    other,
    expire: (key) => database.run("UPDATE madeleine SET expires = 0 WHERE key = ?", [key]),
    life: (key) => Promise.resolve(((expires.get(key)?.expires ?? 0) - Date.now()) / 1000),
    count: () => Promise.resolve(count.get()?.n),
    close: async () => {
      for (const handle of handles) handle.close();
      await Promise.all(["", "-wal", "-shm"].map((end) => rm(file + end, { force: true })));
    },
  };
}

export async function redisHarness(): Promise<Harness> {
  const clients = [new RedisClient(REDIS_URL), new RedisClient(REDIS_URL)] as const;
  await Promise.all(clients.map((client) => client.connect()));
  const prefix = `test-${RUN}:`;
  const names = () => clients[0].keys(`${prefix}*`);
  return {
    store: redisStore(clients[0], { prefix }),
    other: redisStore(clients[1], { prefix }),
    expire: (key) => clients[0].send("PEXPIREAT", [prefix + key, "1"]),
    life: async (key) => (await clients[0].pttl(prefix + key)) / 1000,
    count: async () => (await names()).length,
    close: async () => {
      await Promise.all((await names()).map((name) => clients[0].del(name)));
      for (const client of clients) client.close();
    },
  };
}

export async function postgresHarness(): Promise<Harness> {
  const schema = `test_${RUN}`;
  const options = { max: 4, connectionTimeout: 1, connection: { search_path: schema } };
  const handles = [new SQL(POSTGRES_URL, options), new SQL(POSTGRES_URL, options)] as const;
  const [sql] = handles;
  await sql`CREATE SCHEMA ${sql(schema)}`;
  return {
    store: postgresStore(handles[0]),
    other: postgresStore(handles[1]),
    expire: (key) => sql`UPDATE madeleine SET expires = now() WHERE key = ${key}`,
    life: async (key) => {
      const [row]: { life: number }[] = await sql`
        SELECT extract(epoch FROM expires - now())::float8 AS life
        FROM madeleine WHERE key = ${key}`;
      return row?.life;
    },
    count: async () => {
      const [row]: { n: number }[] = await sql`SELECT count(*)::int AS n FROM madeleine`;
      return row?.n;
    },
    close: async () => {
      await sql`DROP SCHEMA ${sql(schema)} CASCADE`;
      await Promise.all(handles.map((handle) => handle.close()));
    },
  };
}

/** True where the server answers; where it doesn't, says that its tests don't run. In CI they must. */
async function isThere(name: string, ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch (error) {
    if (process.env["CI"] === "true") throw error;
    console.warn(`SKIPPED: the tests of the ${name} store, because ${name} does not answer`);
    return false;
  }
}

export const hasRedis: boolean = await isThere("Redis", async () => {
  const client = new RedisClient(REDIS_URL, { connectionTimeout: 1000, maxRetries: 0 });
  await client.connect();
  client.close();
});
export const hasPostgres: boolean = await isThere("PostgreSQL", async () => {
  await using sql = new SQL(POSTGRES_URL, { connectionTimeout: 1 });
  await sql`SELECT 1`;
});

/** A key that no other test uses. */
export const fresh = (): string => crypto.randomUUID();

/** What the action throws or rejects with; else what it gives. */
export async function failure(action: () => unknown): Promise<unknown> {
  try {
    return await action();
  } catch (error) {
    return error;
  }
}
