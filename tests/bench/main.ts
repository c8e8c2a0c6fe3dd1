/**
 * The benchmark: `bun run bench`, or `bun run bench --quick`. What it measures and how to read it
 * stands in `README.md`.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { growthChart, serverChart } from "./charts.ts";
import { runScript, script, serverCore, stopChildrenAtExit } from "./child.ts";
import { measureGrowth } from "./growth.ts";
import { measureHttp } from "./http.ts";
import { describeMachine } from "./machine.ts";
import { type Options, type Part, readOptions } from "./options.ts";
import type { ProcessRow } from "./process.ts";
import { printReport } from "./report.ts";
import type { Results } from "./results.ts";
import { measureStarts } from "./startup.ts";
import { judge, type Verdict } from "./targets.ts";

const root = resolve(import.meta.dir, "../..");

/** The peers are no dependency of the library: they are installed here, at the first run. */
function installPeers(): void {
  if (existsSync(join(import.meta.dir, "node_modules"))) return;
  const { exitCode } = Bun.spawnSync([process.execPath, "install", "--frozen-lockfile"], {
    cwd: import.meta.dir,
    stdout: "inherit",
    stderr: "inherit",
  });
  if (exitCode !== 0) throw new Error("Cannot install the peers that are measured");
}

async function measureAll(options: Options, temporaryFolder: string): Promise<Results> {
  const secret = crypto.getRandomValues(new Uint8Array(32)).toHex();
  return {
    machine: describeMachine(options.command),
    http: await runPart(options, "http", () => measureHttp(options, secret, temporaryFolder)),
    process: await runPart(options, "process", () => measureProcess(options, secret)),
    growth: await runPart(options, "growth", () => measureGrowth(options, secret, temporaryFolder)),
    starts: await runPart(options, "startup", () =>
      measureStarts(options, secret, temporaryFolder),
    ),
  };
}

/** A part that fails is reported, and leaves the others alone. */
async function runPart<T>(options: Options, part: Part, run: () => Promise<T>): Promise<T | null> {
  if (!options.parts.includes(part)) return null;
  console.error(`measuring: ${part}`);
  try {
    return await run();
  } catch (error) {
    console.error(`${part}: not available (${error instanceof Error ? error.message : error})`);
    return null;
  }
}

async function measureProcess(options: Options, secret: string): Promise<ProcessRow[]> {
  const nanoseconds = options.isQuick ? 1e8 : 1e9;
  const command = script("process.ts", `${options.users}`, `${nanoseconds}`);
  return (await runScript(serverCore, command, 120, { BENCH_SECRET: secret })) as ProcessRow[];
}

async function writeResults(
  folder: string,
  results: Results,
  verdicts: readonly Verdict[],
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, "bench.json");
  await Bun.write(path, JSON.stringify({ verdicts, ...results }, roundNumber, 2));
  // Like every file of the repository, so that its checks pass.
  Bun.spawnSync([process.execPath, "fmt", path], { cwd: root });
  const { http, growth, machine } = results;
  if (http !== null) await Bun.write(join(folder, "bench.svg"), serverChart(http, machine));
  if (growth !== null) {
    await Bun.write(join(folder, "bench-growth.svg"), growthChart(growth, machine));
  }
}

/** Five digits: more would only be noise in what changes from run to run. */
function roundNumber(_key: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(5)) : value;
}

const options = readOptions(process.argv.slice(2));
installPeers();
stopChildrenAtExit();
const temporaryFolder = mkdtempSync(join(tmpdir(), "madeleine-bench-"));
process.on("exit", () => rmSync(temporaryFolder, { recursive: true, force: true }));

const results = await measureAll(options, temporaryFolder);
const verdicts = judge(results);
printReport(results, verdicts);
await writeResults(resolve(root, options.outputFolder), results, verdicts);
console.log(`\nwritten to ${options.outputFolder}`);
