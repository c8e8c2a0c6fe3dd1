import { createRequire } from "node:module";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { RedisCommands } from "../../session/stores/redis.ts";
import { install } from "../runtimes/project.ts";

/** What the tests need of the package, which the project does not depend on. */
interface Ioredis {
  readonly Cluster: new (nodes: readonly Address[], options: object) => Cluster;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

interface Pipeline {
  call(command: string, ...args: string[]): Pipeline;
  wait(replicas: number, milliseconds: number): Pipeline;
  exec(): Promise<readonly (readonly [Error | null, unknown])[] | null>;
}

export interface Cluster {
  call(command: string, ...args: string[]): Promise<unknown>;
  pipeline(): Pipeline;
  connect(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
}

const folder: string = join(import.meta.dirname, "../../node_modules/.cache/failover");

/** Installs the package into a folder that is kept. */
export async function installIoredis(): Promise<void> {
  await mkdir(folder, { recursive: true });
  await install(folder, ["ioredis@6"]);
}

export function loadIoredis(): Ioredis {
  const load: (name: string) => Ioredis = createRequire(join(folder, "package.json"));
  return load("ioredis");
}

/** Commands that succeed only once a replica has all that they wrote and all that they read. */
export function replicated(cluster: Cluster): RedisCommands {
  return {
    async send(command, args) {
      const answers = await cluster
        .pipeline()
        .call(command, ...args)
        .wait(1, 150)
        .exec();
      const [[error, reply] = [], [waitError, replicas] = []] = answers ?? [];
      if (error ?? waitError) throw error ?? waitError;
      if (replicas === 0) throw new Error("No replica has it");
      return reply;
    },
  };
}
