/** `postgresStore` on a Pool of pg and on Postgres.js, against a real server. */

import { postgresStore, type PostgresHandle } from "madeleine/stores/postgres";
import pg from "pg";
import postgres from "postgres";
import { equal, throwsCode } from "./assert.ts";
import { type Case, runCases } from "./cases.ts";
import { storeCases } from "./store_cases.ts";

const url = process.env["POSTGRES_URL"] ?? "postgres://root@127.0.0.1:5432/test";
const schema = `runtimes_${crypto.randomUUID().slice(0, 8)}`;

function openPool(max = 4): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    options: `-c search_path=${schema}`,
    application_name: `${schema}_pg`,
    max,
  });
  pool.on("error", () => {});
  return pool;
}

function openPostgresJs(max = 4): postgres.Sql {
  const connection = { search_path: schema, application_name: `${schema}_js` };
  return postgres(url, { max, connection, onnotice: () => {} });
}

const admin = new pg.Pool({ connectionString: url, max: 1 });
await admin.query(`CREATE SCHEMA ${schema}`);
const pool = openPool();
const sql = openPostgresJs();
const KINDS = [
  ["pg", pool, "pg"],
  ["Postgres.js", sql, "js"],
] as const;

function casesOf(name: string, handle: PostgresHandle, end: string): Case[] {
  const table = `t_${end}`;
  const store = postgresStore(handle, { table: `${table}_more` });
  return [
    ...storeCases(name, postgresStore(handle, { table })),
    {
      name: `${name}: many instances start at once, and one of many writers wins`,
      async run() {
        const stores = Array.from({ length: 8 }, () =>
          postgresStore(handle, { table: `${table}_many` }),
        );
        const results = await Promise.all(
          stores.map((store, index) => store.replace("a", undefined, String(index), 60)),
        );
        equal(results.filter(Boolean).length, 1);
      },
    },
    {
      name: `${name}: no key, many keys, an empty value, and one that is odd`,
      async run() {
        equal(await store.get([]), []);
        for (const value of ["", `{"a":"'\\",é🍵"}`, "x".repeat(1_000_000)]) {
          const key = `k-_:${value.length}`;
          equal(await store.replace(key, undefined, value, 60), true);
          equal((await store.get(["none", key, "other"])) ?? [], [undefined, value, undefined]);
          equal(await store.replace(key, value, "next", 34_646_400), true);
          equal(await store.replace(key, value, "next", 60), false);
        }
      },
    },
    {
      name: `${name}: a record expires`,
      async run() {
        await store.replace("old", undefined, "1", 60);
        await admin.query(`UPDATE ${schema}.${table}_more SET expires = now() WHERE key = 'old'`);
        equal(await store.get(["old"]), [undefined]);
        equal(await store.replace("old", undefined, "2", 60), true);
      },
    },
    {
      name: `${name}: a table of other columns is an error`,
      async run() {
        await admin.query(
          `CREATE TABLE ${schema}.${table}_bad (key text PRIMARY KEY, value bytea, expires timestamptz)`,
        );
        const bad = postgresStore(handle, { table: `${table}_bad` });
        await throwsCode(() => bad.get(["a"]), "ERR_SESSION_STORE");
      },
    },
    {
      name: `${name}: a connection that is ended is an error once, and the store works again`,
      async run() {
        await store.replace("ended", undefined, "1", 60);
        await admin.query("BEGIN");
        await admin.query(`SELECT FROM ${schema}.${table}_more WHERE key = 'ended' FOR UPDATE`);
        const waiting = throwsCode(() => store.replace("ended", "1", "2", 60), "ERR_SESSION_STORE");
        const isBlocked = `FROM pg_stat_activity
          WHERE application_name = '${schema}_${end}' AND wait_event_type = 'Lock'`;
        while ((await admin.query(`SELECT ${isBlocked}`)).rowCount === 0);
        await admin.query(`SELECT pg_terminate_backend(pid) ${isBlocked}`);
        await waiting;
        await admin.query("COMMIT");
        const readAll = (): Promise<unknown>[] =>
          Array.from({ length: 8 }, async () => store.get(["ended"]));
        // Postgres.js gives the same error to the next query of that connection as well.
        if (end === "js") await Promise.allSettled(readAll());
        for (const values of await Promise.all(readAll())) equal(values, ["1"]);
      },
    },
    {
      name: `${name}: twenty calls at once on a few connections`,
      async run() {
        const keys = Array.from({ length: 20 }, (_, index) => `many${index}`);
        await Promise.all(keys.map((key) => store.replace(key, undefined, key, 60)));
        equal(await Promise.all(keys.map(async (key) => (await store.get([key]))[0])), keys);
      },
    },
  ];
}

const cases: Case[] = [
  ...KINDS.flatMap(([name, handle, end]) => casesOf(name, handle, end)),
  {
    name: "pg: a Client is an error at once",
    run: () =>
      throwsCode(() => {
        // @ts-expect-error It has one connection, and nobody to open it again.
        postgresStore(new pg.Client(url));
      }, "ERR_SESSION_OPTIONS"),
  },
];

const results = await runCases(cases);
await Promise.all([pool.end(), sql.end()]);
await admin.query(`DROP SCHEMA ${schema} CASCADE`);
await admin.end();
console.log(JSON.stringify(results));
