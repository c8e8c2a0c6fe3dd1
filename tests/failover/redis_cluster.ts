import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { RedisClient } from "bun";
import { freePort } from "../support/instance.ts";
import type { Address } from "./ioredis.ts";
import { type Link, openLink } from "./link.ts";
import { startServer, until } from "./processes.ts";

const MASTERS = 3;
const SLOTS = 16_384;
/** In milliseconds, after which a node that is silent has failed. */
const NODE_TIMEOUT = 1000;

/** Three masters with a replica each. */
export interface RedisCluster extends AsyncDisposable {
  readonly masters: readonly Address[];
  /** For the client: the real address of each master by the one that the cluster tells. */
  readonly natMap: Readonly<Record<string, Address>>;
  /** From now on the first master's replica gets nothing from it. */
  silence(): void;
  /** Kills the first master. What it sent to its replica and did not arrive is lost. */
  kill(): Promise<void>;
  /** Waits until its replica has taken its place, and starts it again as the replica of that. */
  failover(): Promise<void>;
}

interface ClusterOptions {
  /** `redis-server` or `valkey-server`. */
  readonly program: string;
  readonly folder: string;
  /** In milliseconds, from a master to its replica. */
  readonly delay: number;
  /** More options of each server. */
  readonly settings: readonly string[];
}

interface Node {
  readonly port: number;
  readonly busPort: number;
  /** The port that the cluster tells: a master's leads over the link. */
  readonly announced: number;
  readonly command: readonly string[];
  readonly log: string;
}

export async function startRedisCluster(options: ClusterOptions): Promise<RedisCluster> {
  await using stack = new AsyncDisposableStack();
  const links: Link[] = [];
  const nodes: Node[] = [];
  for (let place = 0; place < 2 * MASTERS; place += 1) {
    const port = await freePort();
    if (place < MASTERS) links.push(stack.use(await openLink(port, options.delay)));
    nodes.push(await prepareNode(options, place, port, links[place]?.port ?? port));
  }
  const servers = nodes.map(({ command, log }) => stack.use(startServer(command, log)));
  await form(nodes);

  const [first, , , successor] = nodes;
  const [link] = links;
  const [server] = servers;
  if (!first || !successor || !link || !server) throw new Error("There are too few nodes");
  const masters = nodes.slice(0, MASTERS);
  const natMap = masters.map((node) => [`127.0.0.1:${node.announced}`, addressOf(node)] as const);
  const owned = stack.move();
  return {
    masters: masters.map(addressOf),
    natMap: Object.fromEntries<Address>(natMap),
    silence: () => link.silence(),
    async kill() {
      link.cut();
      await server.kill();
    },
    async failover() {
      await until(
        "the failover",
        async () => (await infoOf(successor, "role:master")) || undefined,
      );
      owned.use(startServer(first.command, first.log));
      await isLinked(first);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function prepareNode(
  { program, folder, settings }: ClusterOptions,
  place: number,
  port: number,
  announced: number,
): Promise<Node> {
  const directory = join(folder, `node-${place}`);
  await mkdir(directory, { recursive: true });
  const busPort = await freePort();
  const own = {
    port,
    bind: "127.0.0.1",
    dir: directory,
    save: "",
    appendonly: "no",
    "cluster-enabled": "yes",
    "cluster-port": busPort,
    "cluster-node-timeout": NODE_TIMEOUT,
    "cluster-require-full-coverage": "no",
    "cluster-announce-ip": "127.0.0.1",
    "cluster-announce-port": announced,
    "cluster-announce-bus-port": busPort,
    "repl-diskless-sync-delay": 0,
    // The cluster tells of a replica once that has heard from its master.
    "repl-ping-replica-period": 1,
  };
  const words = Object.entries(own).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const log = join(directory, "log");
  return { port, busPort, announced, command: [program, ...words, ...settings], log };
}

/** Makes one cluster of the nodes: the masters, then a replica of each. */
async function form(nodes: readonly Node[]): Promise<void> {
  const ids: string[] = [];
  for (const [place, node] of nodes.entries()) {
    ids.push(String(await until("a node", () => ask(node, "CLUSTER", "MYID"))));
    await ask(node, "CLUSTER", "SET-CONFIG-EPOCH", String(place + 1));
    if (place >= MASTERS) continue;
    const first = Math.ceil((SLOTS * place) / MASTERS);
    const last = Math.ceil((SLOTS * (place + 1)) / MASTERS) - 1;
    await ask(node, "CLUSTER", "ADDSLOTSRANGE", String(first), String(last));
  }
  const [first, ...others] = nodes;
  if (first === undefined) return;
  for (const { announced, busPort } of others) {
    await ask(first, "CLUSTER", "MEET", "127.0.0.1", String(announced), String(busPort));
  }
  for (const [place, node] of nodes.entries()) {
    if (place < MASTERS) continue;
    const master = ids[place - MASTERS] ?? "";
    // Refused until the node has heard of its master.
    await until("a replica", () => ask(node, "CLUSTER", "REPLICATE", master));
  }
  for (const node of nodes.slice(MASTERS)) await isLinked(node);
  for (const node of nodes) {
    await until("the cluster", async () => {
      const slots = await ask(node, "CLUSTER", "SLOTS");
      const isWhole = Array.isArray(slots) && slots.length === MASTERS;
      const hasReplicas =
        isWhole && slots.every((slot) => Array.isArray(slot) && slot.length === 4);
      const state = String(await ask(node, "CLUSTER", "INFO"));
      return (hasReplicas && state.includes("cluster_state:ok")) || undefined;
    });
  }
}

/** Waits until the node is a replica that follows its master. */
async function isLinked(node: Node): Promise<void> {
  await until(
    "a replica's link",
    async () => (await infoOf(node, "master_link_status:up")) || undefined,
  );
}

async function infoOf(node: Node, line: string): Promise<boolean> {
  return String(await ask(node, "INFO", "replication")).includes(line);
}

function addressOf({ port }: Node): Address {
  return { host: "127.0.0.1", port };
}

/** Sends one command over a connection of its own. */
async function ask({ port }: Node, command: string, ...args: string[]): Promise<unknown> {
  const client = new RedisClient(`redis://127.0.0.1:${port}`, {
    connectionTimeout: 1000,
    autoReconnect: false,
  });
  try {
    await client.connect();
    return await client.send(command, args);
  } finally {
    client.close();
  }
}
