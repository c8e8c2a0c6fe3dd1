import { Redis } from "ioredis";
import { createSessions } from "madeleine";
import { redisStore, type RedisCommands } from "madeleine/stores/redis";
import { createClient } from "madeleine/testing";
import { createClient as createNodeRedis } from "redis";
import { type Data, KEY, loginPage, readsAs, signIn } from "./app.ts";
import { equal } from "./assert.ts";
import { type Case, runCases } from "./cases.ts";

const url = process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379";
const prefix = `madeleine-runtimes-${crypto.randomUUID()}:`;

const ioredis = new Redis(url, { enableOfflineQueue: false, lazyConnect: true });
const nodeRedis = createNodeRedis({ url, disableOfflineQueue: true });
await Promise.all([ioredis.connect(), nodeRedis.connect()]);

const clients: Readonly<Record<string, RedisCommands>> = {
  ioredis: { send: (command, args) => ioredis.call(command, ...args) },
  "node-redis": { send: (command, args) => nodeRedis.sendCommand([command, ...args]) },
};

const cases = Object.entries(clients).flatMap(([name, commands]): Case[] => {
  const store = redisStore(commands, { prefix: `${prefix}${name}:` });
  return [
    {
      name: `${name}: a record is read, replaced and compared`,
      async run() {
        equal(await store.get(["a", "b"]), [undefined, undefined]);
        equal(await store.replace("a", undefined, "1 é", 60), true);
        equal(await store.replace("a", undefined, "2", 60), false);
        equal(await store.replace("a", "1 é", "2", 60), true);
        equal(await store.get(["a", "b"]), ["2", undefined]);
      },
    },
    {
      name: `${name}: signed in, and signed out for another instance`,
      async run() {
        const client = createClient(loginPage(createSessions<Data>({ secretKey: KEY, store })));
        const other = createClient(loginPage(createSessions<Data>({ secretKey: KEY, store })));
        const copy = await signIn(client);
        await readsAs(other, copy, "You are admin");
        await client.get("/logout");
        await readsAs(other, copy, "You are nobody");
      },
    },
  ];
});

console.log(JSON.stringify(await runCases(cases)));
const keys = await ioredis.keys(`${prefix}*`);
await ioredis.del(keys);
await Promise.all([ioredis.quit(), nodeRedis.close()]);
