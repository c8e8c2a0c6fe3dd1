/** Redis and PostgreSQL for one run: those that the environment names, else own ones. */
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient, SQL, type Subprocess } from "bun";
import { loadCore, pin, stopChild, track } from "./child.ts";

export interface Service {
  /** Undefined where there is none: the servers that need it say so. */
  readonly url: string | undefined;
  stop(): Promise<void>;
}

const startTimeout = 15_000;
const none: Service = { url: undefined, stop: async () => {} };

export async function startRedis(temporaryFolder: string): Promise<Service> {
  const url = process.env["BENCH_REDIS_URL"];
  if (url !== undefined) return { ...none, url };
  if (Bun.which("redis-server") === null) return none;
  const port = freePort();
  const options = ["--bind", "127.0.0.1", "--port", `${port}`, "--dir", temporaryFolder];
  const child = spawnService(["redis-server", ...options, "--save", "", "--appendonly", "no"]);
  const service = { url: `redis://127.0.0.1:${port}`, stop: () => stopChild(child) };
  return waitFor(service, async () => {
    const client = new RedisClient(service.url, { autoReconnect: false });
    await client.ping();
    client.close();
  });
}

export async function startPostgres(): Promise<Service> {
  const url = process.env["BENCH_POSTGRES_URL"];
  if (url !== undefined) return { ...none, url };
  if (Bun.which("initdb") === null || Bun.which("postgres") === null) return none;
  const folder = mkdtempSync(join(tmpdir(), "madeleine-bench-postgres-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const prefix = unprivileged(folder);
  if (prefix === undefined) return none;
  const data = join(folder, "data");
  const initdb = ["initdb", "--auth", "trust", "--username", "bench", "--no-sync", "-D", data];
  if (Bun.spawnSync([...prefix, ...initdb]).exitCode !== 0) return none;
  const port = freePort();
  const options = ["-D", data, "-p", `${port}`, "-h", "127.0.0.1", "-k", ""];
  const child = spawnService([...prefix, "postgres", ...options], "SIGQUIT");
  const service = {
    url: `postgres://bench@127.0.0.1:${port}/postgres`,
    // Its fast shutdown: it ends its own workers before itself.
    stop: () => stopChild(child, "SIGINT"),
  };
  return waitFor(service, async () => {
    const sql = new SQL(service.url, { max: 1 });
    await sql`select 1`;
    await sql.close();
  });
}

/** PostgreSQL refuses to run as root: there it is started as its own user, if there is one. */
function unprivileged(folder: string): string[] | undefined {
  if (process.getuid?.() !== 0) return [];
  const line = Bun.spawnSync(["id", "-u", "postgres"]).stdout.toString().trim();
  if (line === "" || Bun.which("setpriv") === null) return undefined;
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, "data"), { mode: 0o700 });
  chownSync(join(folder, "data"), Number(line), Number(line));
  return ["setpriv", `--reuid=${line}`, `--regid=${line}`, "--clear-groups"];
}

/** A store works on the loader's core: the server's core shows what the server costs. */
function spawnService(command: readonly string[], last?: NodeJS.Signals): Subprocess {
  const child = Bun.spawn(pin(loadCore, command), {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  return track(child, last);
}

/** A port that was free a moment ago. */
export function freePort(): number {
  using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  if (server.port === undefined) throw new Error("Cannot find a free port");
  return server.port;
}

async function waitFor(service: Service, isReady: () => Promise<void>): Promise<Service> {
  const deadline = Date.now() + startTimeout;
  while (Date.now() < deadline) {
    try {
      await isReady();
      return service;
    } catch {
      await Bun.sleep(100);
    }
  }
  await service.stop();
  return none;
}
