/** The program itself, with SQLite in a file of the benchmark's temporary folder. */
import { serveProgram } from "./program.ts";

await serveProgram(`sqlite:${process.env["BENCH_SQLITE"] ?? ":memory:"}.server`);
