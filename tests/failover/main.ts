/**
 * `bun run test:failover [WORD …]`: kills the primary of a store while users sign in, change and sign
 * out, and says what of that was acknowledged and is not there after the failover. With words: only
 * the scenarios whose title has one of them.
 *
 * @module
 */
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { temporaryFolder } from "../runtimes/project.ts";
import { Program } from "../support/program.ts";
import { type History, look, startClients } from "./clients.ts";
import type { InstanceConfig } from "./instance.ts";
import { installIoredis } from "./ioredis.ts";
import { HOLDS_ALWAYS, judge, PROMISES, type Verdict } from "./judge.ts";
import { until, UNTIL_WE_END, versionOf } from "./processes.ts";
import { type Scenario, scenarios, servers } from "./scenarios.ts";

/** In milliseconds: the run ends by itself. */
const LONGEST_RUN = 300_000;
/** In milliseconds, of work before the link falls silent or the primary is killed. */
const WORK = 1500;
/** In milliseconds: how long the link is silent before the primary is killed. */
const SILENCE = 3000;
/** With so many logouts after the failover the instances have recovered. */
const LOGOUTS_AFTER = 50;
/** Browsers that look at once. */
const LOOKING = 8;

setTimeout(() => {
  console.log("Cannot finish in time");
  process.exit(1);
}, LONGEST_RUN).unref();

interface Outcome {
  readonly verdicts: readonly Verdict[];
  /** When the primary was killed. */
  readonly killed: number;
  /** When a request failed for the last time. */
  readonly lastFailure: number;
}

async function play(scenario: Scenario): Promise<Outcome> {
  await using folder = await temporaryFolder();
  await chmod(folder.path, 0o755); // PostgreSQL has another user.
  await using system = await scenario.start(folder.path);
  await using one = startInstance(system.config);
  await using other = startInstance(system.config);
  const origins = [await one.origin(), await other.origin()];
  const clients = startClients(origins);
  await Bun.sleep(WORK);
  if (scenario.isSilent) {
    system.silence();
    await Bun.sleep(SILENCE);
  }
  const killed = performance.now();
  await system.kill();
  await system.failover();
  const ready = performance.now();
  await until("the instances", () => clients.logoutsSince(ready) >= LOGOUTS_AFTER || undefined);
  const history = await clients.stop();
  const lastFailure = Math.max(killed, ...history.failures);
  return { verdicts: await judgeAll(history, origins), killed, lastFailure };
}

function startInstance(config: InstanceConfig): Program {
  const script = join(import.meta.dirname, "instance.ts");
  return new Program([...UNTIL_WE_END, process.execPath, script, JSON.stringify(config)]);
}

/** Looks at each session through both instances. */
async function judgeAll({ visits }: History, [one = "", other = ""]: string[]): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  const queue = visits.filter(({ cookies }) => cookies.length > 0).values();
  async function work(): Promise<void> {
    for (const visit of queue) {
      const { place, cookies } = visit;
      const oldest = await look(one, place, cookies.at(0) ?? "");
      const newest = await look(other, place, cookies.at(-1) ?? "");
      verdicts.push(...judge(visit, { oldest, newest }));
    }
  }
  await Promise.all(Array.from({ length: LOOKING }, work));
  return verdicts;
}

/** What is wrong with the outcome; undefined where it is as it should be. */
function findFault({ loses }: Scenario, { verdicts }: Outcome): string | undefined {
  const lost = verdicts.filter(({ isKept }) => !isKept);
  if (loses === "nothing" && lost.length > 0) return "lost what it acknowledged";
  if (loses === "something" && lost.length === 0) return "lost nothing, so it would see no loss";
  const always = lost.find(({ promised }) => HOLDS_ALWAYS.includes(promised));
  return always && `lost what a cookie holds (${always.promised})`;
}

function report({ verdicts, killed, lastFailure }: Outcome): void {
  for (const promised of PROMISES) {
    const own = verdicts.filter((verdict) => verdict.promised === promised);
    const lost = own.filter(({ isKept }) => !isKept).map(({ at }) => Math.max(0, killed - at));
    const [first, last] = [Math.max(...lost), Math.min(...lost)].map(Math.round);
    const times = lost.length === 0 ? "" : `, acknowledged ${first} to ${last} ms before the kill`;
    console.log(`  ${promised}: ${lost.length} of ${own.length} lost${times}`);
  }
  console.log(`  the last failed request: ${Math.round(lastFailure - killed)} ms after the kill`);
}

/** Plays a scenario and prints its figures. True if it was as it should be. */
async function isAsExpected(scenario: Scenario): Promise<boolean> {
  console.log(scenario.title);
  try {
    const outcome = await play(scenario);
    report(outcome);
    const fault = findFault(scenario, outcome);
    if (fault !== undefined) console.log(`  FAILED: it ${fault}`);
    return fault === undefined;
  } catch (error) {
    console.log(`  FAILED: ${Bun.inspect(error)}`);
    return false;
  }
}

for (const [name, program] of Object.entries(servers)) {
  if (program === undefined) console.log(`Skipped: ${name}, because this machine does not have it`);
  else console.log(`${name} ${await versionOf(program)}`);
}
const words = process.argv.slice(2);
const chosen = scenarios.filter(
  ({ title }) => words.length === 0 || words.some((word) => title.includes(word)),
);
await installIoredis();
let failures = 0;
for (const scenario of chosen) if (!(await isAsExpected(scenario))) failures += 1;
if (chosen.length === 0) failures += 1;
console.log(`${chosen.length - failures} passed, ${failures} failed`);
process.exit(failures === 0 ? 0 : 1);
