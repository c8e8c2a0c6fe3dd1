import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { install } from "./project.ts";

/** Where the runtimes are kept. */
export const tools: string = join(import.meta.dirname, "../../node_modules/.cache/runtimes");

const NODE = `npm:node-${process.platform === "win32" ? "win" : process.platform}-${process.arch}`;

export const node20: string = join(tools, "node_modules/node-20/bin/node");
export const newestNode: string = join(tools, "node_modules/node-newest/bin/node");
export const deno: string = join(tools, "node_modules/.bin/deno");

/** Installs the runtimes from npm, the newest of each. */
export async function installTools(): Promise<void> {
  await mkdir(tools, { recursive: true });
  await install(tools, [
    "deno@latest",
    "workerd@latest",
    `node-20@${NODE}@20`,
    `node-newest@${NODE}@latest`,
  ]);
}
