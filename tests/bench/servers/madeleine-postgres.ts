/** Ours with PostgreSQL, at the address that the benchmark gives. */
import { SQL } from "bun";
import { postgresStore } from "../../../session/stores/postgres.ts";
import { serveMadeleine } from "./madeleine.ts";

const url = process.env["BENCH_POSTGRES_URL"];
if (url === undefined) throw new TypeError("no PostgreSQL: set BENCH_POSTGRES_URL or install it");
serveMadeleine(postgresStore(new SQL(url)));
