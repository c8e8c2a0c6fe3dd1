/**
 * `bun run fuzz`: tries what must not happen, a million times and more. It prints its seed, and a
 * seed as its argument repeats a run. It ends after a quarter of an hour or so, however slow the machine.
 */
import { availableParallelism } from "node:os";
import { startInstance } from "../support/instance.ts";
import { restartInTurn } from "./restarts.ts";
import { fuzzCookies, fuzzCookiesOverHttp } from "./cookies.ts";
import { measureCost } from "./cost.ts";
import { FORMATS } from "./formats.ts";
import { fuzzIdentity } from "./identity.ts";
import type { Report } from "./report.ts";
import { fuzzRequests } from "./requests.ts";
import { trySlow } from "./slow.ts";

const [given] = process.argv.slice(2);
const seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`Cannot use the seed ${given}`);

function print({ name, count, asked, seconds, failures, tally }: Report): void {
  const figures = `${count} of ${asked} in ${seconds.toFixed(1)} s, ${failures.length} failures`;
  console.log(`\n${name}: ${figures}`);
  for (const [event, times] of Object.entries(tally)) {
    console.log(times === 1 ? `  ${event}` : `  ${event}: ${times}`);
  }
  for (const failure of failures) console.log(`  FAILURE ${failure}`);
}

async function printCosts(): Promise<void> {
  console.log("\nthe cost of a Cookie header of 16 kB (a half costs half where it is linear)");
  for (const { kind, microseconds, toPlain, toHalf } of await measureCost()) {
    const figures = [`${microseconds.toFixed(1)} µs`, `${toPlain.toFixed(1)} × one cookie`];
    console.log(`  ${kind}: ${figures.join(", ")}, ${toHalf.toFixed(1)} × its half`);
  }
}

async function run(): Promise<readonly Report[]> {
  await using instance = await startInstance({ isLogged: false });
  const parts: readonly (() => Promise<Report>)[] = [
    ...FORMATS.map(
      (format) => async () => fuzzCookies({ seed, count: 1_000_000, seconds: 240 }, format),
    ),
    async () => fuzzCookiesOverHttp({ seed, count: 100_000, seconds: 60 }, instance),
    async () => fuzzIdentity({ seed, count: 100_000, seconds: 60 }, instance),
    async () => fuzzRequests({ seed, count: 100_000, seconds: 60 }, instance),
    async () => trySlow({ seed, count: 1000, seconds: 10 }, instance),
    async () => restartInTurn({ seed, count: 3, seconds: 100 }, "server.ts"),
  ];
  const reports: Report[] = [];
  for (const part of parts) {
    const report = await part();
    print(report);
    reports.push(report);
  }
  return reports;
}

console.log(
  `seed ${seed}, Bun ${Bun.version}, ${process.platform}, ${availableParallelism()} cores`,
);
const reports = await run();
await printCosts();
const failures = reports.reduce((sum, report) => sum + report.failures.length, 0);
console.log(`\n${failures} failures, seed ${seed}`);
process.exitCode = failures === 0 ? 0 : 1;
