/**
 * `bun run soak`: the server under steady load for ten minutes, or as many seconds as the argument
 * says. It gets half of the requests that it could answer, from members, visitors, logins and
 * cookies of no use; every few seconds its memory, its file descriptors and the p99 are put down.
 * Writes docs/soak.json and docs/soak.svg. Needs Linux, for its /proc.
 */
import { readdir } from "node:fs/promises";
import { arch, availableParallelism, cpus, release } from "node:os";
import { type Instance, startInstance, temporaryFolder } from "../support/instance.ts";
import { createLoad, type Load } from "./load.ts";
import { percentile } from "./slow.ts";
import { drawSoak, type Sample, type Soak, slopeOf } from "./soak_chart.ts";

/** More logins than the server remembers tokens: what it keeps is as large as it gets. */
const WARM_UP = 70_000;
/** Seconds at full speed, to know what half of it is. */
const PEAK = 5;
/** Seconds until what is measured is to be flat. */
const SETTLED = 120;

const [given = "600"] = process.argv.slice(2);
const seconds = Number(given);
if (!Number.isSafeInteger(seconds) || seconds < 30) {
  throw new RangeError(`Cannot soak for ${given} seconds: it is no whole number from 30`);
}

async function residentMegabytes(pid: number): Promise<number> {
  const status = await Bun.file(`/proc/${pid}/status`).text();
  return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

async function sample(load: Load, pid: number, second: number): Promise<Sample> {
  const { milliseconds, errors } = load.take();
  return {
    second: Math.round(second),
    requests: milliseconds.length,
    errors,
    p99: Number(percentile(milliseconds, 0.99).toFixed(3)),
    megabytes: Number((await residentMegabytes(pid)).toFixed(2)),
    descriptors: (await readdir(`/proc/${pid}/fd`)).length,
  };
}

async function measure(load: Load, pid: number): Promise<{ rate: number; samples: Sample[] }> {
  await load.login(WARM_UP);
  load.take();
  await load.run(Infinity, AbortSignal.timeout(PEAK * 1000));
  const rate = Math.round(load.take().milliseconds.length / PEAK / 2);
  const step = Math.max(1, seconds / 120);
  const samples: Sample[] = [];
  const start = performance.now();
  const running = load.run(rate, AbortSignal.timeout(seconds * 1000));
  for (let next = step; next <= seconds; next += step) {
    await Bun.sleep(start + next * 1000 - performance.now());
    samples.push(await sample(load, pid, (performance.now() - start) / 1000));
  }
  await running;
  return { rate, samples };
}

async function run(instance: Instance): Promise<Soak> {
  const { rate, samples } = await measure(await createLoad(instance, 1), instance.pid);
  const settled = Math.min(SETTLED, seconds / 5);
  const flat = samples.filter(({ second }) => second > settled);
  const third = Math.ceil(flat.length / 3);
  const [first, last] = [flat.slice(0, third), flat.slice(-third)].map((part) =>
    percentile(
      part.map(({ p99 }) => p99),
      0.5,
    ),
  );
  const descriptors = flat.map(({ descriptors }) => descriptors);
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model ?? arch()}, ${availableParallelism()} cores, Linux ${release()}`,
    bun: Bun.version,
    seconds,
    settled,
    rate,
    errors: samples.reduce((sum, { errors }) => sum + errors, 0),
    megabytesPerMinute: slopeOf(flat.map(({ second, megabytes }) => [second / 60, megabytes])),
    descriptors: [Math.min(...descriptors), Math.max(...descriptors)],
    p99Drift: (last ?? 0) / (first ?? 1) - 1,
    samples,
  };
}

await using folder = await temporaryFolder();
const environment = { STORE_URL: `sqlite:${folder.path}/store.sqlite` };
await using instance = await startInstance({ environment, isLogged: false });
const soak = await run(instance);
const docs = new URL("../../docs/", import.meta.url).pathname;
await Bun.write(`${docs}soak.json`, `${JSON.stringify(soak, null, 2)}\n`);
await Bun.write(`${docs}soak.svg`, drawSoak(soak));

const { samples, ...figures } = soak;
console.table(samples.filter((_, index) => (index + 1) % Math.ceil(samples.length / 20) === 0));
console.log(figures);
