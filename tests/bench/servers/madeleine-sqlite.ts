/** Ours with SQLite in a file of the benchmark's temporary folder. */
import { Database } from "bun:sqlite";
import { sqliteStore } from "../../../session/stores/sqlite.ts";
import { serveMadeleine } from "./madeleine.ts";

serveMadeleine(sqliteStore(new Database(process.env["BENCH_SQLITE"] ?? ":memory:")));
