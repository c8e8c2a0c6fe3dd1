import { join } from "node:path";
import type { InstanceConfig, Wait } from "./instance.ts";
import { findPostgres, startPostgresPair } from "./postgres_pair.ts";
import { startRedisCluster } from "./redis_cluster.ts";

/** A store on several machines, whose primary can be killed. */
export interface System extends AsyncDisposable {
  readonly config: InstanceConfig;
  silence(): void;
  kill(): Promise<void>;
  failover(): Promise<void>;
}

export interface Scenario {
  readonly title: string;
  /** Whether the replica gets nothing from the primary in the last seconds before that is killed. */
  readonly isSilent: boolean;
  /** What may be lost. Where it is `something` and nothing is, the test has lost its sight. */
  readonly loses: "nothing" | "something" | "anything";
  start(folder: string): Promise<System>;
}

/** In milliseconds, from the primary to its replica. */
const DELAY = 5;

interface RedisOptions {
  readonly isSilent?: boolean;
  readonly loses?: Scenario["loses"];
  readonly wait?: Wait;
  readonly settings?: readonly string[];
}

function redis(program: string, name: string, setting: string, options: RedisOptions): Scenario {
  const { isSilent = true, loses = "something", wait = "nothing", settings = [] } = options;
  return {
    title: titleOf(name, setting, isSilent),
    isSilent,
    loses,
    async start(folder) {
      const cluster = await startRedisCluster({ program, folder, delay: DELAY, settings });
      const { masters: nodes, natMap } = cluster;
      return Object.assign(cluster, { config: { kind: "redis", nodes, natMap, wait } as const });
    },
  };
}

const MIN_REPLICAS = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "1"];

function redisScenarios(program: string, name: string): Scenario[] {
  return [
    redis(program, name, "as it is", { isSilent: false, loses: "anything" }),
    redis(program, name, "as it is", {}),
    redis(program, name, "min-replicas", { settings: MIN_REPLICAS }),
    // Loses what was answered with an error, then tried again and found done.
    redis(program, name, "WAIT after writes", { wait: "writes", loses: "anything" }),
    redis(program, name, "WAIT after reads and writes", { wait: "everything", loses: "nothing" }),
  ];
}

function postgres(bin: string, setting: string, loses: Scenario["loses"]): Scenario {
  const settings = ["synchronous_standby_names=standby", `synchronous_commit=${setting}`];
  return {
    title: titleOf("PostgreSQL", `synchronous_commit = ${setting}`, true),
    isSilent: true,
    loses,
    async start(folder) {
      const pair = await startPostgresPair({ bin, folder, delay: DELAY, settings });
      return Object.assign(pair, { config: { kind: "postgres", url: pair.url } as const });
    },
  };
}

function titleOf(name: string, setting: string, isSilent: boolean): string {
  return `${name}, ${setting}${isSilent ? ", the link silent" : ""}`;
}

const bin = findPostgres();

/** The servers, each with its program; undefined where this machine has none. */
export const servers: Readonly<Record<string, string | undefined>> = {
  Redis: Bun.which("redis-server") ?? undefined,
  Valkey: Bun.which("valkey-server") ?? undefined,
  PostgreSQL: bin && join(bin, "postgres"),
};

const ofRedis = ["Redis", "Valkey"].flatMap((name) => {
  const program = servers[name];
  return program === undefined ? [] : redisScenarios(program, name);
});
const ofPostgres =
  bin === undefined ? [] : [postgres(bin, "local", "something"), postgres(bin, "on", "nothing")];

export const scenarios: readonly Scenario[] = [...ofRedis, ...ofPostgres];
