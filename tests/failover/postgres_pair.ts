import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { SQL } from "bun";
import { freePort } from "../support/instance.ts";
import { run } from "../runtimes/project.ts";
import { openLink } from "./link.ts";
import { asUser, type Server, startServer, until } from "./processes.ts";

/** A primary and its standby. */
export interface PostgresPair extends AsyncDisposable {
  /** Leads to the primary, and after the failover to what was its standby. */
  readonly url: string;
  /** From now on the standby gets nothing from the primary. */
  silence(): void;
  /** Kills the primary. What it sent to the standby and did not arrive is lost. */
  kill(): Promise<void>;
  /** Promotes the standby, and moves the address to it. */
  failover(): Promise<void>;
}

interface PairOptions {
  /** Where the programs are. */
  readonly bin: string;
  readonly folder: string;
  /** In milliseconds, from the primary to the standby. */
  readonly delay: number;
  /** More settings of the primary. */
  readonly settings: readonly string[];
}

/** PostgreSQL does not run as root. */
const AS_POSTGRES = asUser("postgres");

/** The folder of the newest PostgreSQL's programs; undefined where there is none. */
export function findPostgres(): string | undefined {
  const found = [...new Bun.Glob("/usr/lib/postgresql/*/bin/initdb").scanSync({ absolute: true })];
  const newest = found.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
  return newest?.replace(/\/initdb$/, "");
}

export async function startPostgresPair(options: PairOptions): Promise<PostgresPair> {
  const { bin, delay, settings } = options;
  await using stack = new AsyncDisposableStack();
  const folder = join(options.folder, "postgres");
  await mkdir(folder, { recursive: true });
  if (AS_POSTGRES.length > 0) await run(["chown", "postgres", folder]);
  const [primaryData, standbyData] = [join(folder, "primary"), join(folder, "standby")];
  const [port, standbyPort] = [await freePort(), await freePort()];

  const start = (data: string, port: number, more: readonly string[]): Server => {
    const own = [`port=${port}`, "listen_addresses=127.0.0.1", "unix_socket_directories="];
    const words = [...own, "shared_buffers=16MB", ...more].flatMap((word) => ["-c", word]);
    const log = join(options.folder, `postgres-${port}.log`);
    return stack.use(startServer([join(bin, "postgres"), "-D", data, ...words], log, AS_POSTGRES));
  };

  await runAsPostgres([
    join(bin, "initdb"),
    "-D",
    primaryData,
    "-A",
    "trust",
    "-U",
    "postgres",
    "-N",
  ]);
  const primary = start(primaryData, port, settings);
  await until("the primary", () => ask(port, "SELECT 1"));
  const link = stack.use(await openLink(port, delay));
  const source = `host=127.0.0.1 port=${link.port} user=postgres application_name=standby`;
  const copy = ["-D", standbyData, "-c", "fast", "-X", "stream", "--no-sync"];
  await runAsPostgres([
    join(bin, "pg_basebackup"),
    "-d",
    `host=127.0.0.1 port=${port} user=postgres`,
    ...copy,
  ]);
  await runAsPostgres(["touch", join(standbyData, "standby.signal")]);
  start(standbyData, standbyPort, [`primary_conninfo=${source}`]);
  await until("the standby", async () => {
    const [row] = await ask(port, "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'");
    return row;
  });
  const address = stack.use(await openLink(port));
  const owned = stack.move();
  return {
    url: urlOf(address.port),
    silence: () => link.silence(),
    async kill() {
      link.cut();
      await primary.kill();
    },
    async failover() {
      await ask(standbyPort, "SELECT pg_promote()");
      address.moveTo(standbyPort);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function runAsPostgres(command: readonly string[]): Promise<void> {
  await run(["setpriv", ...AS_POSTGRES, "--", ...command], { cwd: "/" });
}

function urlOf(port: number): string {
  return `postgres://postgres@127.0.0.1:${port}/postgres`;
}

/** Runs one query over a connection of its own, and gives its rows. */
async function ask(port: number, query: string): Promise<unknown[]> {
  await using sql = new SQL(urlOf(port), { max: 1, connectionTimeout: 1 });
  const rows: unknown[] = await sql.unsafe(query);
  return rows;
}
