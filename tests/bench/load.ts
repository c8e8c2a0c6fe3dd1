/** Load for one server: by wrk where it is installed, else by `loader.ts`. */
import { join } from "node:path";
import { loadCore, runScript, script } from "./child.ts";
import { wrkScript } from "./wrk.ts";

export interface Job {
  readonly port: number;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** One `Cookie` header for every request. None where neither this nor a list is given. */
  readonly cookie?: string;
  /** A file of `Cookie` headers, or of bodies, one a line: each request takes the next. */
  readonly list?: { readonly of: "cookie" | "body"; readonly file: string };
  /** Where in the list to begin, counted on around its end. 0 by default. */
  readonly firstLine?: number;
  /** How long; undefined sends every line of the list once. */
  readonly seconds?: number;
  readonly connections: number;
}

export interface LoadResult {
  readonly requests: number;
  readonly seconds: number;
  readonly p99Milliseconds: number;
  /** Answers of 400 and more, and sockets that failed. */
  readonly errors: number;
}

/** Seconds. A list sent once may take long; a run that takes longer is broken. */
const onceTimeout = 180;

export const loaderName: string = Bun.which("wrk") === null ? "tests/bench/loader.ts" : "wrk";

let jobCount = 0;

export async function runLoad(job: Job, temporaryFolder: string): Promise<LoadResult> {
  const stem = join(temporaryFolder, `job-${jobCount++}`);
  const { seconds, connections, port, path } = job;
  if (seconds === undefined || loaderName !== "wrk") {
    await Bun.write(`${stem}.json`, JSON.stringify(job));
    const timeout = seconds === undefined ? onceTimeout : seconds + 10;
    return run(script("loader.ts", `${stem}.json`), timeout);
  }
  await Bun.write(`${stem}.lua`, wrkScript(job));
  const limits = ["--threads", "1", "--connections", `${connections}`, "--duration", `${seconds}s`];
  const url = `http://127.0.0.1:${port}${path}`;
  return run(["wrk", ...limits, "--script", `${stem}.lua`, url], seconds + 10);
}

/** Either loader ends with a line `result {…}` of this form. */
async function run(command: readonly string[], timeoutSeconds: number): Promise<LoadResult> {
  return (await runScript(loadCore, command, timeoutSeconds)) as LoadResult;
}
