import { Database } from "bun:sqlite";
import { RedisClient, SQL } from "bun";
import { describe, expect, test } from "bun:test";
import { SessionOptionsError } from "../../session/errors.ts";
import { memoryStore } from "../../session/stores/memory.ts";
import { postgresStore } from "../../session/stores/postgres.ts";
import { redisStore } from "../../session/stores/redis.ts";
import { sqliteStore } from "../../session/stores/sqlite.ts";

/** Calls a store's function as plain JavaScript may, with any arguments. */
function call(make: unknown, ...args: unknown[]): unknown {
  return typeof make === "function" ? Reflect.apply(make, undefined, args) : make;
}

function expectOptionsError(action: () => unknown, message: string): void {
  expect(action).toThrow(SessionOptionsError);
  expect(action).toThrow(new SessionOptionsError(message));
}

/** Shaped like the client of ioredis. */
class Redis {
  call(): void {}
  sendCommand(): void {}
}

/** Shaped like the client of node-redis. */
class Commander {
  sendCommand(): void {}
}

const sqlite = new Database(":memory:");
const postgres = new SQL("postgres://nobody@127.0.0.1:1/none");

const SQLITE =
  "Cannot make an SQLite store: expected a Database of bun:sqlite or a DatabaseSync of node:sqlite";
const SQLITE_LINE = `Write sqliteStore(new Database("data/sessions.sqlite"))`;
const REDIS =
  "Cannot make a Redis store: expected a client with the method send, such as RedisClient of Bun";
const REDIS_LINE = "Write redisStore(new RedisClient(url))";
const POSTGRES =
  "Cannot make a PostgreSQL store: expected an SQL of Bun, a Pool of pg or an sql of Postgres.js";
const POOL_LINE = "postgresStore(new Pool({ connectionString }))";
const POSTGRES_LINE = `Write postgresStore(new SQL(url)) or ${POOL_LINE} or postgresStore(postgres(url))`;

/** Shaped like a single connection of pg. */
class Client {
  connect(): void {}
  query(): void {}
}

describe("a wrong handle is an error at once, which names the right line", () => {
  test.each<[string, unknown, unknown]>([
    [`${SQLITE}, got undefined. ${SQLITE_LINE}`, sqliteStore, undefined],
    [`${SQLITE}, got null. ${SQLITE_LINE}`, sqliteStore, null],
    [`${SQLITE}, got a string. ${SQLITE_LINE}`, sqliteStore, "sessions.sqlite"],
    [`${SQLITE}, got a function. ${SQLITE_LINE}`, sqliteStore, Database],
    [`${SQLITE}, got an object. ${SQLITE_LINE}`, sqliteStore, Object.create(null)],
    [`${SQLITE}, got an instance of SQL. ${SQLITE_LINE}`, sqliteStore, postgres],
    [`${POSTGRES}, got undefined. ${POSTGRES_LINE}`, postgresStore, undefined],
    [`${POSTGRES}, got a string. ${POSTGRES_LINE}`, postgresStore, "postgres://:pw@db/"],
    [`${POSTGRES}, got a function. ${POSTGRES_LINE}`, postgresStore, SQL],
    [`${POSTGRES}, got an instance of Database. ${POSTGRES_LINE}`, postgresStore, sqlite],
    [`${POSTGRES}, got an instance of Client. Write ${POOL_LINE}`, postgresStore, new Client()],
    [
      `${POSTGRES}, got a promise: await it. ${POSTGRES_LINE}`,
      postgresStore,
      Promise.resolve(postgres),
    ],
    [
      `${POSTGRES}, got an SQL of Bun for sqlite. ${POSTGRES_LINE}`,
      postgresStore,
      new SQL("sqlite://:memory:"),
    ],
    [
      `${POSTGRES}, got an SQL of Bun for mysql. ${POSTGRES_LINE}`,
      postgresStore,
      new SQL("mysql://nobody@127.0.0.1:1/none"),
    ],
    [`${REDIS}, got undefined. ${REDIS_LINE}`, redisStore, undefined],
    [`${REDIS}, got a promise: await it. ${REDIS_LINE}`, redisStore, Promise.resolve({})],
    [`${REDIS}, got a string. ${REDIS_LINE}`, redisStore, "redis://:pw@db/"],
    [`${REDIS}, got a function. ${REDIS_LINE}`, redisStore, RedisClient],
    [`${REDIS}, got an instance of Database. ${REDIS_LINE}`, redisStore, sqlite],
    [
      `${REDIS}, got a client like that of ioredis. ` +
        "Write redisStore({ send: (command, args) => client.call(command, ...args) })",
      redisStore,
      new Redis(),
    ],
    [
      `${REDIS}, got a client like that of node-redis. ` +
        "Write redisStore({ send: (command, args) => client.sendCommand([command, ...args]) })",
      redisStore,
      new Commander(),
    ],
  ])("%s", (message, make, handle) => {
    expectOptionsError(() => call(make, handle), message);
  });
});

test.each([
  ["", '""'],
  ["1st", '"1st"'],
  ["App", '"App"'],
  ["a-b", '"a-b"'],
  ["public.a", '"public.a"'],
  ['a"; DROP TABLE b; --', String.raw`"a\"; DROP TABLE b; --"`],
  ["a\n", String.raw`"a\n"`],
  ["é", '"é"'],
  ["a".repeat(49), `"${"a".repeat(49)}"`],
  [null, "null"],
  [1, "a number"],
])("the table %p is an error at once", (table, given) => {
  const message =
    "Cannot use option table of a store: expected 1 to 48 characters of a-z 0-9 _ " +
    `that do not start with a digit, got ${given}`;
  expectOptionsError(() => call(sqliteStore, sqlite, { table }), message);
  expectOptionsError(() => call(postgresStore, postgres, { table }), message);
});

test.each(["a", "_", "a1_b", "a".repeat(48)])("the table %p is good", (table) => {
  expect(call(sqliteStore, sqlite, { table })).toBeObject();
  expect(call(postgresStore, postgres, { table })).toBeObject();
});

test("a prefix that is not a string is an error at once", () => {
  const client = { send: () => Promise.resolve() };
  expectOptionsError(
    () => call(redisStore, client, { prefix: 1 }),
    "Cannot make a Redis store: prefix must be a string, got a number",
  );
  expect(call(redisStore, client, { prefix: "" })).toBeObject();
});

describe("options that a store does not have are an error at once", () => {
  test.each<[string, unknown, unknown[], string]>([
    ["memoryStore", memoryStore, [], "maxBytes or now"],
    ["sqliteStore", sqliteStore, [sqlite], "table"],
    ["postgresStore", postgresStore, [postgres], "table"],
    ["redisStore", redisStore, [{ send: () => {} }], "prefix"],
  ])("%s", (_name, make, handles, expected) => {
    expectOptionsError(
      () => call(make, ...handles, { tabel: "a" }),
      `Cannot use option tabel of a store: expected ${expected}`,
    );
    for (const [options, given] of [
      [null, "null"],
      ["a", "a string"],
    ]) {
      expectOptionsError(
        () => call(make, ...handles, options),
        `Cannot use the options of a store: expected an object, got ${given}`,
      );
    }
    expect(call(make, ...handles, {})).toBeObject();
  });
});
