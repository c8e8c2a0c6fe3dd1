/** End to end: every server under every workload that applies to it, in rounds. */
import { join } from "node:path";
import {
  type Cookies,
  type Format,
  isNeeded,
  type ServerEntry,
  serverEntries,
  type Workload,
  workloads,
} from "./catalogue.ts";
import { type Child, startServer } from "./child.ts";
import { mintFile, signIn } from "./cookies.ts";
import { type Measurement, measure, type Work } from "./measure.ts";
import type { Options } from "./options.ts";
import { type Service, startPostgres, startRedis } from "./services.ts";

/** By server and workload, a measurement a round. */
export type Samples = Record<string, Record<string, Measurement[]>>;

export interface HttpResults {
  readonly samples: Samples;
  /** Servers that could not be measured, and why. */
  readonly unavailable: Record<string, string>;
}

/** What all steps of one run share. */
interface Run {
  readonly options: Options;
  readonly environment: Readonly<Record<string, string>>;
  readonly temporaryFolder: string;
  /** Valid cookies of many users in each format, for all of ours: they share a key. */
  readonly minted: ReadonlyMap<Format, readonly string[]>;
  readonly results: HttpResults;
}

interface Runner {
  readonly entry: ServerEntry;
  readonly child: Child;
  readonly jobs: ReadonlyMap<Workload, Work>;
}

export async function measureHttp(
  options: Options,
  secret: string,
  temporaryFolder: string,
): Promise<HttpResults> {
  const results: HttpResults = { samples: {}, unavailable: {} };
  const services = [await startRedis(temporaryFolder), await startPostgres()] as const;
  const runners: Runner[] = [];
  try {
    const run: Run = {
      options,
      environment: serverEnvironment(secret, temporaryFolder, ...services),
      temporaryFolder,
      minted: await mintAll(options, secret, temporaryFolder),
      results,
    };
    for (const entry of serverEntries) {
      if (options.only?.includes(entry.name) === false) continue;
      const runner = await prepare(entry, run);
      if (runner !== undefined) runners.push(runner);
    }
    await runRounds(runners, run);
  } finally {
    await Promise.all(runners.map(({ child }) => child.stop()));
    await Promise.all(services.map((service) => service.stop()));
  }
  return results;
}

function serverEnvironment(
  secret: string,
  temporaryFolder: string,
  redis: Service,
  postgres: Service,
): Record<string, string> {
  return {
    BENCH_SECRET: secret,
    BENCH_SQLITE: join(temporaryFolder, "bench.sqlite"),
    ...(redis.url !== undefined && { BENCH_REDIS_URL: redis.url }),
    ...(postgres.url !== undefined && { BENCH_POSTGRES_URL: postgres.url }),
  };
}

/** Those of the formats that the measured servers have. */
async function mintAll(
  { users, only }: Options,
  secret: string,
  temporaryFolder: string,
): Promise<ReadonlyMap<Format, readonly string[]>> {
  const measured = serverEntries.filter(({ name }) => only?.includes(name) !== false);
  const formats = new Set(measured.map(({ format = "HS256" }) => format));
  formats.delete("own");
  const minted = new Map<Format, readonly string[]>();
  for (const format of formats) {
    minted.set(format, await mint(users, secret, temporaryFolder, format));
  }
  return minted;
}

/** None where our library cannot be loaded: then its servers say why. */
async function mint(
  count: number,
  secret: string,
  temporaryFolder: string,
  format: Format,
): Promise<string[]> {
  const path = join(temporaryFolder, `users ${format}.txt`);
  try {
    await mintFile(count, path, secret, format);
  } catch {
    return [];
  }
  return (await Bun.file(path).text()).trimEnd().split("\n");
}

/** Starts a server, signs its users in, checks its answers, and warms it up. */
async function prepare(entry: ServerEntry, run: Run): Promise<Runner | undefined> {
  console.error(`starting ${entry.name}`);
  let child: Child | undefined;
  try {
    child = await startServer(entry.name, run.environment);
    const jobs = await makeJobs(entry, child.port, run);
    const [first] = jobs.values();
    if (first !== undefined) await measure(child, first, run.temporaryFolder);
    return { entry, child, jobs };
  } catch (error) {
    run.results.unavailable[entry.name] = error instanceof Error ? error.message : String(error);
    await child?.stop();
    return undefined;
  }
}

async function makeJobs(entry: ServerEntry, port: number, run: Run): Promise<Map<Workload, Work>> {
  const cookies = await collectCookies(entry, port, run);
  const jobs = new Map<Workload, Work>();
  for (const workload of workloads) {
    if (!workload.appliesTo(entry)) continue;
    if (run.options.isQuick && !isNeeded(workload, entry)) continue;
    const headers = workload.headers?.(cookies) ?? [];
    const users = entry.kind === "peer" ? peerUsers : run.options.users;
    const bodies = workload.bodies?.(users) ?? [];
    await checkAnswer(port, workload, headers[0], bodies[0]);
    const file = join(run.temporaryFolder, `${entry.name} ${workload.name}.txt`);
    jobs.set(workload, await makeJob(workload, headers, bodies, run.options.seconds, file));
  }
  return jobs;
}

/** The bare page knows no users, and its browsers have no cookie to send. */
async function collectCookies(
  { format = "HS256" }: ServerEntry,
  port: number,
  run: Run,
): Promise<Cookies> {
  const [one = "", stale = ""] = [await signIn(port), await signIn(port)];
  // Those that have no such page answer 404.
  await fetch(`http://127.0.0.1:${port}/logout`, {
    method: "POST",
    headers: { cookie: stale },
    redirect: "manual",
  });
  const minted = format === "own" ? await signInMany(port) : run.minted.get(format);
  return { one, stale, minted: minted ?? [] };
}

/**
 * A peer needs fewer users: it keeps no token in a cache, so that every read of it is as cold, and no list
 * of a user's sessions. better-auth looks each user up in a list of all of them.
 */
const peerUsers = 64;

async function signInMany(port: number): Promise<string[]> {
  const cookies: string[] = [];
  for (let user = 0; user < peerUsers; user++) cookies.push(await signIn(port, user));
  return cookies;
}

async function makeJob(
  { method, path }: Workload,
  headers: readonly string[],
  bodies: readonly string[],
  seconds: number,
  file: string,
): Promise<Work> {
  const [cookie = ""] = headers;
  const job: Work = { method, path, seconds };
  const lines = bodies.length > 0 ? bodies : headers;
  if (lines.length > 1) {
    await Bun.write(file, `${lines.join("\n")}\n`);
    return { ...job, list: { of: lines === bodies ? "body" : "cookie", file } };
  }
  return cookie === "" ? job : { ...job, cookie };
}

/** A fast wrong answer is no result: the first of each workload is looked at. */
async function checkAnswer(
  port: number,
  { name, method, path, expected }: Workload,
  cookie = "",
  body?: string,
): Promise<void> {
  const headers = new Headers();
  if (cookie !== "") headers.set("cookie", cookie);
  if (body !== undefined) headers.set("content-type", "application/x-www-form-urlencoded");
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers,
    redirect: "manual",
    signal: AbortSignal.timeout(10_000),
    ...(body !== undefined && { body }),
  });
  const text = await response.text();
  const isRight = expected === undefined ? response.status === 303 : text.includes(expected);
  if (!isRight) throw new Error(`wrong answer under "${name}": ${response.status}`);
}

/**
 * A round measures every workload on every server in turn, every second round backwards: a machine
 * that grows slower during a round then harms the first as often as the last. The peers are in
 * every second round: they are far from what they are compared with.
 */
async function runRounds(runners: readonly Runner[], run: Run): Promise<void> {
  const servers = [...runners];
  for (let round = 0; round < run.options.rounds; round++) {
    console.error(`round ${round + 1} of ${run.options.rounds}`);
    for (const group of workloadGroups()) {
      for (const runner of servers) {
        if (runner.entry.kind === "peer" && round % 2 === 1) continue;
        for (const workload of group) await measureOne(runner, workload, round, run);
      }
    }
    servers.reverse();
  }
}

/** Hostile cookies belong beside the visitor of the same server; all else is grouped by workload. */
function workloadGroups(): Workload[][] {
  const visitor = workloads.findIndex(({ name }) => name === "visitor");
  const single = workloads.slice(0, visitor).map((workload) => [workload]);
  return [...single, workloads.slice(visitor)];
}

async function measureOne(
  runner: Runner,
  workload: Workload,
  round: number,
  run: Run,
): Promise<void> {
  const { entry, child, jobs } = runner;
  const job = jobs.get(workload);
  if (job === undefined) return;
  const ofServer = (run.results.samples[entry.name] ??= {});
  const earlier = (ofServer[workload.name] ??= []);
  // Where the last round stopped: from the start again, a cache would know the first of the list.
  const firstLine = earlier.reduce((sum, { requests }) => sum + requests, 1);
  const measurement = await measure(child, { ...job, firstLine }, run.temporaryFolder, round);
  earlier.push(measurement);
  if (measurement.errors > 0) {
    console.error(`${entry.name}, ${workload.name}: ${measurement.errors} requests failed`);
  }
}
