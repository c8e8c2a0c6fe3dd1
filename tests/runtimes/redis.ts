import { Redis } from "ioredis";
import { redisStore, type RedisCommands } from "madeleine/stores/redis";
import { createClient as createNodeRedis } from "redis";
import { runCases } from "./cases.ts";
import { storeCases } from "./store_cases.ts";

const url = process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379";
const prefix = `madeleine-runtimes-${crypto.randomUUID()}:`;

const ioredis = new Redis(url, { enableOfflineQueue: false, lazyConnect: true });
const nodeRedis = createNodeRedis({ url, disableOfflineQueue: true });
await Promise.all([ioredis.connect(), nodeRedis.connect()]);

const clients: Readonly<Record<string, RedisCommands>> = {
  ioredis: { send: (command, args) => ioredis.call(command, ...args) },
  "node-redis": { send: (command, args) => nodeRedis.sendCommand([command, ...args]) },
};

const cases = Object.entries(clients).flatMap(([name, commands]) =>
  storeCases(name, redisStore(commands, { prefix: `${prefix}${name}:` })),
);

console.log(JSON.stringify(await runCases(cases)));
const keys = await ioredis.keys(`${prefix}*`);
await ioredis.del(keys);
await Promise.all([ioredis.quit(), nodeRedis.close()]);
