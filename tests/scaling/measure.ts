/**
 * Prints what docs/scaling.md quotes: what the library's entries take in each store, how long a call
 * takes there, and how many changes of one session at once fit into `storeTimeout`.
 *
 * `bun run scaling`, or `bun run scaling 1000000` for so many entries of each kind.
 *
 * @module
 */
import { Database } from "bun:sqlite";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient, SQL } from "bun";
import {
  createSessions,
  memoryStore,
  type Session,
  SessionStoreError,
  type Store,
} from "../../session/mod.ts";
import { postgresStore } from "../../session/stores/postgres.ts";
import { redisStore } from "../../session/stores/redis.ts";
import { sqliteStore } from "../../session/stores/sqlite.ts";
import { randomId } from "../../session/token/token.ts";
import { cookieOf, requestWith } from "../support/requests.ts";
import { SECRET } from "../support/secrets.ts";
import { hasPostgres, hasRedis, POSTGRES_URL, REDIS_URL, RUN } from "../support/store_harness.ts";

const ENTRIES = Number(process.argv[2] ?? 100_000);
const CALLS = 2_000;
/** Calls of the store at a time while it is filled. */
const AT_ONCE = 4;
/** Seconds: as long as the end of a session with the default `idleTimeout`. */
const LONG = 7 * 24 * 60 * 60 + 120;

/** What the library put into a store under a key. */
interface Entry {
  readonly key: string;
  readonly text: string;
}

interface Subject {
  readonly store: Store;
  /** The bytes that the store takes in all. */
  readonly bytes: () => Promise<number>;
  readonly close: () => Promise<void>;
}

/** One entry of each kind, as sessions leave them. */
async function captureEntries(): Promise<ReadonlyMap<string, Entry>> {
  const store = memoryStore();
  let last: Entry = { key: "", text: "" };
  const sessions = createSessions({
    secretKey: SECRET,
    store: {
      get: (keys) => store.get(keys),
      replace(key, previous, next, ttl) {
        last = { key, text: next };
        return store.replace(key, previous, next, ttl);
      },
    },
  });
  let cookie: string | undefined;
  async function visit(act: (session: Session) => void): Promise<Entry> {
    const session = await sessions.open(requestWith(cookie));
    act(session);
    cookie = cookieOf(await sessions.commit(session, new Response()));
    return last;
  }
  const cart = [
    { id: "tea-42", count: 2 },
    { id: "cup-7", count: 1 },
  ];
  await visit((session) => session.set("username", "admin"));
  await visit((session) => session.signIn("user-1"));
  const record = await visit((session) => session.set("cart", cart));
  const mark = await visit((session) => session.destroy());
  await sessions.endAll("user-1");
  const generation = last;
  return new Map([
    ["mark", mark],
    ["record", record],
    ["generation", generation],
    ["list of one session", await captureList(1)],
    ["list of ten sessions", await captureList(10)],
  ]);
}

/** The list of a user with so many sessions, each with a label. */
async function captureList(count: number): Promise<Entry> {
  const store = memoryStore();
  let last: Entry = { key: "", text: "" };
  const sessions = createSessions({
    secretKey: SECRET,
    list: true,
    store: {
      get: (keys) => store.get(keys),
      replace(key, previous, next, ttl) {
        last = { key, text: next };
        return store.replace(key, previous, next, ttl);
      },
    },
  });
  for (let session = 0; session < count; session += 1) {
    const opened = await sessions.open(requestWith());
    opened.signIn("user-1", { label: "Firefox on Linux" });
    await sessions.commit(opened, new Response());
  }
  return last;
}

/** The same kind of entry for another session or subject. */
function another({ key, text }: Entry): Entry {
  const [kind = ""] = /^\w+:/.exec(key) ?? [];
  const fresh = `${kind}${randomId()}${randomId()}`.slice(0, key.length);
  return { key: fresh, text: text.replaceAll(key, fresh) };
}

/** Kept, since what one measurement frees would be where the next one's entries go. */
const kept: Store[] = [];

async function memory(): Promise<Subject> {
  const store = memoryStore();
  kept.push(store);
  return {
    store,
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
  // Makes the table, which may take longer than a call may.
  for (let tries = 0; tries < 10 && !(await succeeds(() => store.get(["begin"]))); tries += 1);
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

/** Whether the call succeeded: on a machine that others use, one may be late now and then. */
async function succeeds(call: () => unknown): Promise<boolean> {
  try {
    await call();
    return true;
  } catch (error) {
    if (error instanceof SessionStoreError) return false;
    throw error;
  }
}

/** Puts that many entries like this one into the store, some at a time. */
async function fill(store: Store, entry: Entry): Promise<void> {
  async function work(count: number): Promise<void> {
    for (let put = 0; put < count;) {
      const { key, text } = another(entry);
      if (await succeeds(() => store.replace(key, undefined, text, LONG))) put += 1;
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, () => work(ENTRIES / AT_ONCE)));
}

/** The median of what a call takes, in microseconds. */
async function time(entry: Entry, call: (entry: Entry) => unknown): Promise<number> {
  const times: number[] = [];
  while (times.length < CALLS) {
    const one = another(entry);
    const start = performance.now();
    if (await succeeds(() => call(one))) times.push((performance.now() - start) * 1000);
  }
  return times.toSorted((one, other) => one - other)[CALLS / 2] ?? 0;
}

async function measureStore(
  name: string,
  open: () => Promise<Subject>,
  entries: ReadonlyMap<string, Entry>,
): Promise<void> {
  for (const [kind, entry] of entries) {
    const { store, bytes, close } = await open();
    try {
      const before = await bytes();
      await fill(store, entry);
      const each = ((await bytes()) - before) / ENTRIES;
      const get = await time(entry, ({ key }) => store.get([key]));
      const replace = await time(entry, ({ key, text }) =>
        store.replace(key, undefined, text, LONG),
      );
      const cells = [name, kind, each.toFixed(0), get.toFixed(1), replace.toFixed(1)];
      console.log(`| ${cells.join(" | ")} |`);
    } finally {
      await close();
    }
  }
}

/** A store that takes so many milliseconds for each call. */
function slowStore(latency: number): Store {
  const store = memoryStore();
  return {
    async get(keys) {
      await Bun.sleep(latency);
      return store.get(keys);
    },
    async replace(...change) {
      await Bun.sleep(latency);
      return store.replace(...change);
    },
  };
}

/** How many changes of one session at once are all committed: in one process, and in one each. */
async function changesThatFit(
  latency: number,
  storeTimeout: number,
  isShared: boolean,
): Promise<number> {
  for (let count = 2; ; count += 1) {
    const store = slowStore(latency);
    const instances = Array.from({ length: isShared ? 1 : count }, () =>
      createSessions({ secretKey: SECRET, store, storeTimeout }),
    );
    const [first] = instances;
    if (first === undefined) return 0;
    const begun = await first.open(requestWith());
    begun.set("start", 1);
    const cookie = cookieOf(await first.commit(begun, new Response()));
    const changes = Array.from({ length: count }, async (_, index) => {
      const sessions = instances[index % instances.length] ?? first;
      const session = await sessions.open(requestWith(cookie));
      session.set(`key-${index}`, index);
      await sessions.commit(session, new Response());
    });
    const results = await Promise.allSettled(changes);
    if (results.some(({ status }) => status === "rejected") || count === 20) return count - 1;
  }
}

const entries = await captureEntries();
console.log(`${ENTRIES} entries of each kind, ${navigator.hardwareConcurrency} cores\n`);
console.log("| entry | key and text, characters |");
console.log("| ----- | ------------------------ |");
for (const [kind, { key, text }] of entries) {
  console.log(`| ${kind} | ${key.length + text.length} |`);
}
console.log("\n| store | entry | bytes each | get, µs | replace, µs |");
console.log("| ----- | ----- | ---------- | ------- | ----------- |");
await measureStore("memory", memory, entries);
await measureStore("SQLite", sqlite, entries);
if (hasRedis) await measureStore("Redis", redis, entries);
if (hasPostgres) await measureStore("PostgreSQL", postgres, entries);

console.log("\n| a call, ms | storeTimeout, ms | changes at once in a process | in one each |");
console.log("| ---------- | ---------------- | ---------------------------- | ----------- |");
const latencies: readonly (readonly [latency: number, storeTimeout: number])[] = [
  [10, 250],
  [30, 250],
  [90, 250],
  [90, 500],
  [90, 1000],
  [90, 1500],
];
for (const [latency, storeTimeout] of latencies) {
  const inOne = await changesThatFit(latency, storeTimeout, true);
  const inEach = await changesThatFit(latency, storeTimeout, false);
  console.log(`| ${latency} | ${storeTimeout} | ${inOne} | ${inEach} |`);
}
