import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { Database } from "bun:sqlite";
import { rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RedisClient, SQL } from "bun";
import type { Sessions, Store } from "../../session/mod.ts";
import { postgresStore } from "../../session/stores/postgres.ts";
import { redisStore } from "../../session/stores/redis.ts";
import { sqliteStore } from "../../session/stores/sqlite.ts";
import { Browser, createApp, send } from "../support/app.ts";
import { type Fault, listen, startFakeRedis } from "../support/fake_redis.ts";
import { hasPostgres, POSTGRES_URL, RUN } from "../support/store_harness.ts";
import { requestWith } from "../support/requests.ts";

// What ends a wait that has no other end: far above what any of the tests takes.
setDefaultTimeout(30_000);

/** An instance with users that are signed in, and the copy of a cookie that was logged out. */
interface Site {
  readonly instance: Sessions;
  readonly users: readonly Browser[];
  readonly loggedOut: string;
}

/** Opens a site; a store that takes its time to come up is asked until it answers. */
async function openSite(store: Store): Promise<Site> {
  const { sessions: instance } = createApp({ store, now: Date.now });
  const browsers = Array.from({ length: 6 }, () => new Browser());
  for (const [i, browser] of browsers.entries()) {
    browser.take(await send(instance, "", (session) => session.set("username", `user${i}`)));
  }
  const [last, ...users] = browsers;
  const loggedOut = last?.cookie ?? "";
  await untilAnswered(() => send(instance, loggedOut, (session) => session.destroy()));
  return { instance, users, loggedOut };
}

/** Asks until the answer is no 503: the time limit of the test ends a failure. */
async function untilAnswered(ask: () => Promise<Response>): Promise<Response> {
  for (;;) {
    const response = await ask();
    if (response.status !== 503) return response;
    await nextTurn();
  }
}

/** Lets sockets and timers have their turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A page that says whose session it is. */
async function page({ instance }: Site, cookie: string): Promise<Response> {
  const greet = instance.handler((_request, session) => {
    return new Response(String(session.get("username", "Nobody")));
  });
  return greet(requestWith(cookie));
}

/** How many pages of users were right; every other one has to be a 503. */
async function countRight(site: Site, rounds: number): Promise<number> {
  const asked = Array.from({ length: rounds }, () => site.users).flat();
  const answers = await Promise.all(asked.map(({ cookie }) => page(site, cookie)));
  let right = 0;
  for (const [i, answer] of answers.entries()) {
    if (answer.status === 503) {
      expect(answer.headers.get("retry-after")).toMatch(/^\d+$/);
      expect(answer.headers.getSetCookie()).toEqual([]);
    } else {
      expect(await answer.text()).toBe(`user${(i % site.users.length) + 1}`);
      right += 1;
    }
  }
  return right;
}

/** Visitors are served, and whoever is logged out stays so. */
async function expectNoSurprise(site: Site): Promise<void> {
  expect(await (await page(site, "")).text()).toBe("Nobody");
  const answer = await page(site, site.loggedOut);
  if (answer.status !== 503) expect(await answer.text()).toBe("Nobody");
}

/** By itself everything is as before: nobody was signed out, and nobody came back. */
async function expectRecovery(site: Site): Promise<void> {
  const [user] = site.users;
  await untilAnswered(() => page(site, user?.cookie ?? ""));
  for (const [i, { cookie }] of site.users.entries()) {
    const answer = await untilAnswered(() => page(site, cookie));
    expect(await answer.text()).toBe(`user${i + 1}`);
  }
  const answer = await untilAnswered(() => page(site, site.loggedOut));
  expect(await answer.text()).toBe("Nobody");
}

describe("Redis that fails", () => {
  test.concurrent.each<[string, Fault]>([
    ["refuses connections", "refuse"],
    ["stays silent", "silent"],
    ["answers by half", "half"],
  ])("%s: 503 for who has a session, until it is back", async (_title, fault) => {
    await using redis = await startFakeRedis();
    const options = { enableOfflineQueue: false, connectionTimeout: 1000 };
    const client = new RedisClient(redis.url, options);
    await client.connect();
    const site = await openSite(redisStore(client));
    expect(await countRight(site, 1)).toBe(site.users.length);
    await redis.fail(fault);
    expect(await countRight(site, 2)).toBe(0);
    await expectNoSurprise(site);
    const write = await send(site.instance, site.users[0]?.cookie ?? "", (session) =>
      session.set("username", "other"),
    );
    expect(write.status).toBe(503);
    await redis.fail("none");
    await expectRecovery(site);
    client.close();
  });

  test.concurrent("drops 5 % of its connections: right answers or 503, nobody else's", async () => {
    await using redis = await startFakeRedis();
    const client = new RedisClient(redis.url, { enableOfflineQueue: false });
    await client.connect();
    const site = await openSite(redisStore(client));
    await redis.fail("drop");
    await untilAnswered(() => page(site, site.users[0]?.cookie ?? ""));
    expect(await countRight(site, 100)).toBeLessThan(100 * site.users.length);
    let right = 0;
    for (let i = 0; i < 15 || right === 0; i += 1) {
      right += await countRight(site, 1);
      await nextTurn(); // So that the client gets to connect again.
    }
    await expectNoSurprise(site);
    await redis.fail("none");
    await expectRecovery(site);
    client.close();
  });
});

/** Another process that holds the lock of the file until it is told to let go. */
const LOCKER = `
  import { Database } from "bun:sqlite";
  const database = new Database(process.argv.at(-1));
  database.run("BEGIN IMMEDIATE");
  console.log("locked");
  for await (const _ of console) break;
  database.run("ROLLBACK");
  console.log("free");`;

test("SQLite that another process locks: readers are served, writers get a 503", async () => {
  const file = join(tmpdir(), `madeleine-${RUN}-locked.sqlite`);
  using database = new Database(file);
  const site = await openSite(sqliteStore(database));
  const [user] = site.users;
  const cookie = user?.cookie ?? "";
  const locker = Bun.spawn([process.execPath, "-e", LOCKER, file], {
    stdin: "pipe",
    stdout: "pipe",
  });
  const lines = locker.stdout.pipeThrough(new TextDecoderStream()).getReader();
  expect((await lines.read()).value).toBe("locked\n");
  expect(await countRight(site, 2)).toBe(2 * site.users.length);
  await expectNoSurprise(site);
  for (let i = 0; i < 3; i += 1) {
    const logout = await send(site.instance, cookie, (session) => session.destroy());
    expect(logout.status).toBe(503);
    expect(logout.headers.getSetCookie()).toEqual([]);
  }
  await locker.stdin.write("go\n");
  await locker.stdin.end();
  expect((await lines.read()).value).toBe("free\n");
  expect(await locker.exited).toBe(0);
  await expectRecovery(site);
  await untilAnswered(() => send(site.instance, cookie, (session) => session.destroy()));
  expect(await (await page(site, cookie)).text()).toBe("Nobody");
  database.close();
  await Promise.all(["", "-wal", "-shm"].map((end) => rm(file + end, { force: true })));
});

/** A way to a server that can be cut: connections end, and new ones do at once. */
async function startProxy(url: string, defaultPort: number) {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  let isCut = false;
  const listener = createServer((socket) => {
    const server = connect(Number(port) || defaultPort, hostname);
    for (const [from, to] of [
      [socket, server],
      [server, socket],
    ] as const) {
      sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => to.destroy());
      from.pipe(to);
    }
    if (isCut) socket.destroy();
  });
  return {
    port: await listen(listener, 0),
    cut(next: boolean) {
      isCut = next;
      if (isCut) for (const socket of sockets) socket.destroy();
    },
    [Symbol.dispose]() {
      listener.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

test.skipIf(!hasPostgres)("PostgreSQL that is gone: 503, until it is back", async () => {
  const schema = `test_${RUN}_gone`;
  await using direct = new SQL(POSTGRES_URL, { max: 1 });
  await direct`CREATE SCHEMA ${direct(schema)}`;
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(async () => {
    await direct`DROP SCHEMA ${direct(schema)} CASCADE`;
  });
  using proxy = await startProxy(POSTGRES_URL, 5432);
  const { username, password, pathname } = new URL(POSTGRES_URL);
  const sql = new SQL({
    adapter: "postgres",
    hostname: "127.0.0.1",
    port: proxy.port,
    username,
    password,
    database: pathname.slice(1),
    max: 4,
    connectionTimeout: 1,
    connection: { search_path: schema },
  });
  const site = await openSite(postgresStore(sql));
  for (let i = 0; i < 2; i += 1) {
    await expectRecovery(site);
    proxy.cut(true);
    expect(await countRight(site, 2)).toBe(0);
    await expectNoSurprise(site);
    proxy.cut(false);
  }
  await expectRecovery(site);
  await sql.close({ timeout: 0 });
});
