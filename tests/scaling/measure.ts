// Prints what the records of ended sessions take in each store, and what one request costs there:
// `bun run scaling`, or `bun run scaling 1000000` for so many records.
import { Database } from "bun:sqlite";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient, SQL } from "bun";
import { memoryStore, SessionStoreError, type Store } from "../../session/mod.ts";
import { formatRecord } from "../../session/record.ts";
import { randomId } from "../../session/token/token.ts";
import { postgresStore } from "../../session/stores/postgres.ts";
import { redisStore } from "../../session/stores/redis.ts";
import { sqliteStore } from "../../session/stores/sqlite.ts";
import { hasPostgres, hasRedis, POSTGRES_URL, REDIS_URL, RUN } from "../support/store_harness.ts";

const RECORDS = Number(process.argv[2] ?? 100_000);
const CALLS = 2_000;
/** Requests to the store at a time while it is filled. */
const AT_ONCE = 4;
const LONG = 7 * 24 * 60 * 60 + 120;

interface Subject {
  readonly store: Store;
  /** The bytes that the store takes in all. */
  readonly bytes: () => Promise<number>;
  readonly close: () => Promise<void>;
}

function recordOf(id: string): string {
  return formatRecord(id, { version: Date.now(), end: "over" });
}

async function memory(): Promise<Subject> {
  return {
    store: memoryStore({ maxRecords: RECORDS + CALLS }),
    bytes() {
      Bun.gc(true);
      return Promise.resolve(process.memoryUsage().rss);
    },
    close: () => Promise.resolve(),
  };
}

async function sqlite(): Promise<Subject> {
  const folder = await mkdtemp(join(tmpdir(), "madeleine-scaling-"));
  const file = join(folder, "sessions.sqlite");
  const database = new Database(file);
  return {
    store: sqliteStore(database),
    async bytes() {
      database.run("PRAGMA wal_checkpoint(TRUNCATE)");
      return (await stat(file)).size;
    },
    async close() {
      database.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function redis(): Promise<Subject> {
  const client = new RedisClient(REDIS_URL);
  await client.connect();
  const prefix = `scaling-${RUN}:`;
  const names = () => client.keys(`${prefix}*`);
  return {
    store: redisStore(client, { prefix }),
    async bytes() {
      const all = await names();
      const sample = all.slice(0, 1000);
      const sizes = await Promise.all(sample.map((name) => client.send("MEMORY", ["USAGE", name])));
      const sum = sizes.reduce((sum: number, size) => sum + Number(size), 0);
      return all.length === 0 ? 0 : (sum / sample.length) * all.length;
    },
    async close() {
      const all = await names();
      for (let i = 0; i < all.length; i += 1000) {
        await client.send("DEL", all.slice(i, i + 1000));
      }
      client.close();
    },
  };
}

async function postgres(): Promise<Subject> {
  const schema = `scaling_${RUN}`;
  const options = { max: AT_ONCE, connection: { search_path: schema } };
  const sql = new SQL(POSTGRES_URL, options);
  await sql`CREATE SCHEMA ${sql(schema)}`;
  const store = postgresStore(sql);
  await store.get(["begin"]);
  return {
    store,
    async bytes() {
      const [row]: { bytes: number }[] = await sql`
        SELECT pg_total_relation_size('madeleine')::float8 AS bytes`;
      return row?.bytes ?? 0;
    },
    async close() {
      await sql`DROP SCHEMA ${sql(schema)} CASCADE`;
      await sql.close();
    },
  };
}

/** Puts the records there, some at a time. */
async function fill(store: Store): Promise<void> {
  async function work(count: number): Promise<void> {
    for (let put = 0; put < count;) {
      const id = randomId();
      try {
        await store.replace(id, undefined, recordOf(id), LONG);
        put += 1;
      } catch (error) {
        // A machine that others use may be late now and then.
        if (!(error instanceof SessionStoreError)) throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, () => work(RECORDS / AT_ONCE)));
}

/** The median of what a call takes, in microseconds. */
async function time(call: (id: string) => unknown): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < CALLS; i += 1) {
    const id = randomId();
    const start = performance.now();
    await call(id);
    times.push((performance.now() - start) * 1000);
  }
  return times.toSorted((one, other) => one - other)[CALLS / 2] ?? 0;
}

async function measure(name: string, open: () => Promise<Subject>): Promise<void> {
  const { store, bytes, close } = await open();
  try {
    const before = await bytes();
    await fill(store);
    const perRecord = ((await bytes()) - before) / RECORDS;
    const get = await time((id) => store.get([id]));
    const replace = await time((id) => store.replace(id, undefined, recordOf(id), LONG));
    const gigabytes = (perRecord * 1e7) / 1e9;
    const cells = [name, perRecord.toFixed(0), gigabytes.toFixed(1)];
    console.log(`| ${[...cells, get.toFixed(1), replace.toFixed(1)].join(" | ")} |`);
  } finally {
    await close();
  }
}

console.log(`${RECORDS} ended records, ${navigator.hardwareConcurrency} cores\n`);
console.log("| store | bytes a record | GB for 10,000,000 | get, µs | replace, µs |");
console.log("| ----- | -------------- | ----------------- | ------- | ----------- |");
await measure("memory", memory);
await measure("SQLite", sqlite);
if (hasRedis) await measure("Redis", redis);
if (hasPostgres) await measure("PostgreSQL", postgres);
