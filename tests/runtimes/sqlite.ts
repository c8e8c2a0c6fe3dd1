import { DatabaseSync } from "node:sqlite";
import { createSessions } from "madeleine";
import { sqliteStore } from "madeleine/stores/sqlite";
import { createClient } from "madeleine/testing";
import { type Data, KEY, loginPage, readsAs, signIn } from "./app.ts";
import { equal } from "./assert.ts";
import { type Case, runCases } from "./cases.ts";

const database = new DatabaseSync(":memory:");
const store = sqliteStore(database);

const cases: readonly Case[] = [
  {
    name: "node:sqlite: a record is read, replaced and compared",
    async run() {
      equal(await store.get(["a", "b"]), [undefined, undefined]);
      equal(await store.replace("a", undefined, "1 é", 60), true);
      equal(await store.replace("a", undefined, "2", 60), false);
      equal(await store.replace("a", "1 é", "2", 60), true);
      equal(await store.get(["a", "b"]), ["2", undefined]);
    },
  },
  {
    name: "node:sqlite: signed in, and signed out for another instance",
    async run() {
      const client = createClient(loginPage(createSessions<Data>({ secretKey: KEY, store })));
      const other = createClient(loginPage(createSessions<Data>({ secretKey: KEY, store })));
      const copy = await signIn(client);
      await readsAs(other, copy, "You are admin");
      await client.get("/logout");
      await readsAs(other, copy, "You are nobody");
    },
  },
];

console.log(JSON.stringify(await runCases(cases)));
database.close();
