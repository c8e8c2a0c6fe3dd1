import { DatabaseSync } from "node:sqlite";
import { sqliteStore } from "madeleine/stores/sqlite";
import { runCases } from "./cases.ts";
import { storeCases } from "./store_cases.ts";

const database = new DatabaseSync(":memory:");
console.log(JSON.stringify(await runCases(storeCases("node:sqlite", sqliteStore(database)))));
database.close();
