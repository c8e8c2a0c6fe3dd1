/** What a request costs, and what memory is taken, as sessions, endings and headers grow. */
import { join } from "node:path";
import { type Child, startServer } from "./child.ts";
import { mintFile, signIn } from "./cookies.ts";
import { LineReader } from "./lines.ts";
import { runLoad } from "./load.ts";
import { type Measurement, measure, medianOf, ratioOf, type Work } from "./measure.ts";
import type { Options } from "./options.ts";
import { residentMegabytes } from "./usage.ts";

/** One server after a number of other sessions, against one that has only the browser's own. */
export interface GrowthPoint {
  readonly count: number;
  readonly requestsPerSecond: number | undefined;
  readonly cpuMicroseconds: number | undefined;
  readonly residentMegabytes: number | undefined;
  /** The same browser's requests a second against those of the server with no other session. */
  readonly toEmpty: number | undefined;
}

/** One length of the other cookies in the header, ours and the bare page with the same bytes. */
export interface HeaderPoint {
  readonly bytes: number;
  readonly requestsPerSecond: number | undefined;
  readonly cpuMicroseconds: number | undefined;
  readonly toBare: number | undefined;
}

export interface GrowthResults {
  /** Sessions that were opened and live on. */
  readonly seen: readonly GrowthPoint[];
  /** Sessions that were logged out. */
  readonly ended: readonly GrowthPoint[];
  /** The bare page after as many requests as `seen`. */
  readonly bareMegabytes: readonly (number | undefined)[];
  readonly headers: readonly HeaderPoint[];
}

const ours = "madeleine-memory";

interface Servers {
  readonly bare: Child;
  readonly empty: Child;
  readonly seen: Child;
  readonly ended: Child;
}

export async function measureGrowth(
  options: Options,
  secret: string,
  temporaryFolder: string,
): Promise<GrowthResults> {
  // Every ended session is a record for as long as its cookie could come back.
  // A mark takes about 450 bytes of the bound, and each session may leave two.
  const maxBytes = 1_000 * (2 * (options.sessionCounts.at(-1) ?? 0) + 1_000);
  const environment = { BENCH_SECRET: secret, BENCH_MAX_BYTES: `${maxBytes}` };
  const started: Child[] = [];
  async function start(name: string): Promise<Child> {
    const child = await startServer(name, environment);
    started.push(child);
    return child;
  }
  try {
    const servers: Servers = {
      bare: await start("bare"),
      empty: await start(ours),
      seen: await start(ours),
      ended: await start(ours),
    };
    const files = await mint(options.sessionCounts, secret, temporaryFolder);
    const headers = await measureHeaders(servers, options, temporaryFolder);
    return { ...(await measureSessions(servers, files, options, temporaryFolder)), headers };
  } finally {
    await Promise.all(started.map((child) => child.stop()));
  }
}

/** One file of cookies for each step, so that no session is counted twice. */
async function mint(
  counts: readonly number[],
  secret: string,
  temporaryFolder: string,
): Promise<string[]> {
  const path = join(temporaryFolder, "minted.txt");
  const total = counts.at(-1) ?? 0;
  console.error(`minting ${total} cookies`);
  await mintFile(total, path, secret);
  const reader = new LineReader(path);
  const files: string[] = [];
  let read = 0;
  for (const count of counts) {
    const file = join(temporaryFolder, `minted-${count}.txt`);
    const writer = Bun.file(file).writer();
    for (; read < count; read++) {
      writer.write(`${reader.read() ?? ""}\n`);
      if (read % 10_000 === 0) await writer.flush();
    }
    await writer.end();
    files.push(file);
  }
  reader.close();
  return files;
}

async function measureSessions(
  servers: Servers,
  files: readonly string[],
  options: Options,
  temporaryFolder: string,
): Promise<Omit<GrowthResults, "headers">> {
  const seen: GrowthPoint[] = [];
  const ended: GrowthPoint[] = [];
  const bareMegabytes: (number | undefined)[] = [];
  const browsers = await Promise.all(
    [servers.empty, servers.seen, servers.ended].map(async (child) => ({
      child,
      cookie: await signIn(child.port),
    })),
  );
  // Not counted: until a server has compiled its code it is slower than one that has.
  await readInTurn(browsers, { ...options, rounds: 1 }, temporaryFolder);
  for (const [step, count] of options.sessionCounts.entries()) {
    console.error(`${count} sessions`);
    await fill(servers, files[step] ?? "", temporaryFolder);
    const rounds = await readInTurn(browsers, options, temporaryFolder);
    seen.push(growthPoint(count, rounds[1], rounds[0]));
    ended.push(growthPoint(count, rounds[2], rounds[0]));
    bareMegabytes.push(residentMegabytes(servers.bare.pid));
  }
  return { seen, ended, bareMegabytes };
}

/** Every cookie once, over HTTP: read on one server, logged out on another. */
async function fill(servers: Servers, cookieFile: string, temporaryFolder: string) {
  const list = { of: "cookie", file: cookieFile } as const;
  const read = { method: "GET", path: "/", list, connections: 32 } as const;
  const logout = { ...read, method: "POST", path: "/logout" } as const;
  for (const [child, job] of [
    [servers.bare, read],
    [servers.seen, read],
    [servers.ended, logout],
  ] as const) {
    const { errors } = await runLoad({ ...job, port: child.port }, temporaryFolder);
    if (errors > 0) throw new Error(`Cannot fill the servers: ${errors} requests failed`);
  }
}

interface Browser {
  readonly child: Child;
  readonly cookie: string;
}

/** Rounds of one measurement a server: what they are compared with is measured beside them. */
async function readInTurn(
  browsers: readonly Browser[],
  options: Options,
  temporaryFolder: string,
): Promise<Measurement[][]> {
  const results: Measurement[][] = browsers.map(() => []);
  const order = [...browsers.entries()];
  // No target hangs on these rates: fewer rounds leave more time for those.
  for (let round = 0; round < Math.min(3, options.rounds); round++) {
    for (const [index, { child, cookie }] of order) {
      const work: Work = {
        method: "GET",
        path: "/",
        seconds: options.seconds,
        ...(cookie !== "" && { cookie }),
      };
      results[index]?.push(await measure(child, work, temporaryFolder, round));
    }
    order.reverse();
  }
  return results;
}

function growthPoint(
  count: number,
  measurements: readonly Measurement[] | undefined,
  empty: readonly Measurement[] | undefined,
): GrowthPoint {
  return {
    count,
    requestsPerSecond: medianOf(measurements, "requestsPerSecond"),
    cpuMicroseconds: medianOf(measurements, "cpuMicroseconds"),
    residentMegabytes: measurements?.at(-1)?.residentMegabytes,
    toEmpty: ratioOf(measurements, empty, "requestsPerSecond"),
  };
}

/** Ours stands last, behind all the cookies of other programs. */
async function measureHeaders(
  { bare, empty }: Servers,
  options: Options,
  temporaryFolder: string,
): Promise<HeaderPoint[]> {
  const session = await signIn(empty.port);
  const points: HeaderPoint[] = [];
  for (const bytes of options.headerBytes) {
    const cookie = otherCookies(bytes) + session;
    const browsers = [
      { child: bare, cookie },
      { child: empty, cookie },
    ];
    const rounds = await readInTurn(browsers, options, temporaryFolder);
    points.push({
      bytes,
      requestsPerSecond: medianOf(rounds[1], "requestsPerSecond"),
      cpuMicroseconds: medianOf(rounds[1], "cpuMicroseconds"),
      toBare: ratioOf(rounds[1], rounds[0], "requestsPerSecond"),
    });
  }
  return points;
}

/** Cookies as other programs set them, of 50 bytes each. */
function otherCookies(bytes: number): string {
  const cookies = Array.from(
    { length: bytes / 50 },
    (_, index) => `other${String(index).padStart(4, "0")}=${"0123456789".repeat(4).slice(2)}; `,
  );
  return cookies.join("");
}
