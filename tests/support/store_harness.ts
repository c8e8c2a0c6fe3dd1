import { Database } from "bun:sqlite";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient, SQL } from "bun";
import type { MaybePromise } from "../../session/maybe.ts";
import type { Store } from "../../session/stores/store.ts";
import { memoryStore } from "../../session/stores/memory.ts";
import { postgresStore } from "../../session/stores/postgres.ts";
import { redisStore } from "../../session/stores/redis.ts";
import { sqliteStore } from "../../session/stores/sqlite.ts";

export const REDIS_URL: string = process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379";
export const POSTGRES_URL: string =
  process.env["POSTGRES_URL"] ?? "postgres://root@127.0.0.1:5432/test";
/** Keeps the names of this run apart from those of any other. */
export const RUN: string = crypto.randomUUID().slice(0, 8);

/** In milliseconds: more than the longest time to live that a store takes. */
const LONGEST = 402 * 24 * 60 * 60 * 1000;

/** A store under test, and what a test needs to ask its server directly. */
export interface Harness {
  /** Where another process finds the records: a file, a prefix or a schema. Empty for the memory. */
  readonly place: string;
  store: Store;
  /** Another instance with the same records. */
  other: Store;
  /** The store of another app that shares the server, with its own table or prefix. */
  foreign: Store;
  /** Opens the store again, as after a restart. Missing where a restart forgets the records. */
  reopen?(): MaybePromise<Store>;
  /** Makes the key's record expire now. */
  expire(key: string): unknown;
  /** The seconds until the key's record expires. Undefined where that cannot be asked. */
  life(key: string): Promise<number | undefined>;
  /** The number of records, expired ones too. Undefined where that cannot be asked. */
  count(): Promise<number | undefined>;
  close(): unknown;
}

export function memoryHarness(): Harness {
  let now = 0;
  const store = memoryStore({ now: () => now });
  return {
    place: "",
    store,
    other: store,
    foreign: memoryStore({ now: () => now }),
    expire: () => (now += LONGEST),
    life: () => Promise.resolve(undefined),
    count: () => Promise.resolve(undefined),
    close: () => {},
  };
}

export function sqliteHarness(): Harness {
  const file = join(tmpdir(), `madeleine-${RUN}.sqlite`);
  const database = new Database(file);
  const handles = [database];
  const reopen = (): Store => {
    const handle = new Database(file);
    handles.push(handle);
    return sqliteStore(handle);
  };
  const store = sqliteStore(database);
  const count = database.query<{ n: number }, []>("SELECT count(*) AS n FROM madeleine");
  const expires = database.query<{ expires: number }, [string]>(
    "SELECT expires FROM madeleine WHERE key = ?",
  );
  return {
    place: file,
    store,
    other: reopen(),
    foreign: sqliteStore(database, { table: "another_app" }),
    reopen,
    expire: (key) =>
      database.run("UPDATE madeleine SET expires = ? WHERE key = ?", [Date.now(), key]),
    life: (key) => Promise.resolve(((expires.get(key)?.expires ?? 0) - Date.now()) / 1000),
    count: () => Promise.resolve(count.get()?.n),
    close: async () => {
      for (const handle of handles) handle.close();
      await Promise.all(["", "-wal", "-shm"].map((end) => rm(file + end, { force: true })));
    },
  };
}

export async function redisHarness(): Promise<Harness> {
  const client = new RedisClient(REDIS_URL);
  const clients = [client];
  const prefix = `test-${RUN}:`;
  const foreignPrefix = `test-${RUN}-another-app:`;
  const names = (prefix: string) => client.keys(`${prefix}*`);
  const reopen = async (): Promise<Store> => {
    const handle = new RedisClient(REDIS_URL);
    clients.push(handle);
    await handle.connect();
    return redisStore(handle, { prefix });
  };
  await client.connect();
  return {
    place: prefix,
    store: redisStore(client, { prefix }),
    other: await reopen(),
    foreign: redisStore(client, { prefix: foreignPrefix }),
    reopen,
    expire: (key) => client.send("PEXPIREAT", [prefix + key, "1"]),
    life: async (key) => (await client.pttl(prefix + key)) / 1000,
    count: async () => (await names(prefix)).length,
    close: async () => {
      const all = [...(await names(prefix)), ...(await names(foreignPrefix))];
      await Promise.all(all.map((name) => client.del(name)));
      for (const client of clients) client.close();
    },
  };
}

export async function postgresHarness(): Promise<Harness> {
  const schema = `test_${RUN}`;
  // No test cuts the power, and waiting for the disk would take most of the time.
  const connection = { search_path: schema, synchronous_commit: "off" };
  const options = { max: 4, connection };
  const sql = new SQL(POSTGRES_URL, options);
  const handles = [sql];
  const reopen = (): Store => {
    const handle = new SQL(POSTGRES_URL, options);
    handles.push(handle);
    return postgresStore(handle);
  };
  await sql`CREATE SCHEMA ${sql(schema)}`;
  return {
    place: schema,
    store: postgresStore(sql),
    other: reopen(),
    foreign: postgresStore(sql, { table: "another_app" }),
    reopen,
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

/** True if the server answers. If not, warns that its tests are skipped; in CI it throws. */
async function answers(name: string, ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
    return true;
  } catch (error) {
    if (process.env["CI"] === "true") throw error;
    console.warn(`SKIPPED: the tests of the ${name} store, because ${name} does not answer`);
    return false;
  }
}

export const hasRedis: boolean = await answers("Redis", async () => {
  const client = new RedisClient(REDIS_URL, { connectionTimeout: 5000, maxRetries: 0 });
  await client.connect();
  client.close();
});
export const hasPostgres: boolean = await answers("PostgreSQL", async () => {
  await using sql = new SQL(POSTGRES_URL, { connectionTimeout: 5 });
  await sql`SELECT 1`;
});

/** A key that no other test uses. */
export const fresh = (): string => crypto.randomUUID();

/** What the action throws or rejects with, or else what it returns. */
export async function failure(action: () => unknown): Promise<unknown> {
  try {
    return await action();
  } catch (error) {
    return error;
  }
}
