import { afterAll, beforeAll, expect, test } from "bun:test";
import { Database } from "bun:sqlite";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sqliteStore } from "../../session/stores/sqlite.ts";
import { Browser, createApp } from "../support/app.ts";
import { startFakeRedis } from "../support/fake_redis.ts";
import { requestWith } from "../support/requests.ts";

const SERVER = join(import.meta.dir, "../../server.ts");
const KILLED = join(import.meta.dir, "../support/killed.ts");
const CHILD = join(import.meta.dir, "../support/logouts.ts");
const SECRET_KEY = "h4Vw9_TzQ1rLx8KmYc3NbP6sJd0FgE7aUoIi2RtX5qM";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "madeleine-restart-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The lines that a child prints, one by one. */
async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  const decoder = new TextDecoder();
  for await (const bytes of stream) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/** The cookies of the logouts that an instance acknowledged before it was killed. */
async function killAfter(file: string, logouts: number): Promise<string[]> {
  const child = Bun.spawn([process.execPath, CHILD, file], { stdout: "pipe", stderr: "inherit" });
  const acknowledged: string[] = [];
  for await (const cookie of linesOf(child.stdout)) {
    acknowledged.push(cookie);
    if (acknowledged.length === logouts) child.kill("SIGKILL");
  }
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  return acknowledged;
}

test("20 instances killed while they write: no acknowledged logout is lost, the file is sound", async () => {
  const file = join(folder, "killed.sqlite");
  const acknowledged: string[] = [];
  for (let round = 0; round < 5; round += 1) {
    const kills = [0, 1, 2, 3].map((i) => killAfter(file, 1 + 4 * round + i));
    acknowledged.push(...(await Promise.all(kills)).flat());
  }
  expect(acknowledged.length).toBeGreaterThanOrEqual(210);
  using database = new Database(file);
  const app = createApp({ store: sqliteStore(database), now: Date.now });
  for (const cookie of acknowledged) expect(await app.look(cookie)).toEqual({});
  expect(database.query("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
});

/** Which of these cookies' sessions are live, and not in the list of ann's sessions. */
async function unlisted(file: string, cookies: readonly string[]): Promise<string[]> {
  using database = new Database(file);
  const { sessions } = createApp({ store: sqliteStore(database), list: true, now: Date.now });
  const refs = new Set((await sessions.list("ann")).map(({ ref }) => ref));
  const opened = await Promise.all(
    cookies.map(async (cookie) => sessions.open(requestWith(cookie))),
  );
  return opened.filter((one) => one.subject === "ann" && !refs.has(one.ref)).map(({ ref }) => ref);
}

test.each([
  ["login", 2],
  ["new id", 4],
  ["logout", 2],
  ["end", 2],
  ["end others", 5],
])("a process killed before each write of a %s hides no live session", async (what, count) => {
  for (let writes = 0; writes <= count; writes += 1) {
    const file = join(folder, `${what} ${writes}.sqlite`);
    const [one, two] = [new Browser(), new Browser()];
    {
      using database = new Database(file);
      const options = { store: sqliteStore(database), list: true, now: Date.now } as const;
      const app = createApp({ ...options, dataIn: "store" });
      for (const browser of [one, two])
        await app.visit(browser, (session) => session.signIn("ann"));
    }
    const child = Bun.spawn([process.execPath, KILLED, file, one.cookie, what, `${writes}`]);
    await child.exited;
    expect([writes, child.signalCode]).toEqual([writes, writes < count ? "SIGKILL" : null]);
    expect(await unlisted(file, [one.cookie, two.cookie])).toEqual([]);
  }
});

/** The login page as a process of its own. */
async function startServer(environment: Record<string, string>) {
  const child = Bun.spawn([process.execPath, SERVER], {
    cwd: folder,
    env: { PATH: process.env["PATH"], SECRET_KEY, PORT: "0", ...environment },
    stdout: "pipe",
    stderr: "ignore",
  });
  const { value } = await linesOf(child.stdout).next();
  const origin = /http:\S+/.exec(value ?? "")?.[0] ?? "";

  async function get(path: string, cookie = ""): Promise<Response> {
    return fetch(origin + path, { headers: { cookie }, redirect: "manual" });
  }

  /** Sends a form, and gives the cookie that comes back. */
  async function post(path: string, cookie = ""): Promise<string> {
    const body = new URLSearchParams({ username: "admin" });
    const headers = { cookie, origin };
    const init = { method: "POST", body, headers, redirect: "manual" } as const;
    const response = await fetch(origin + path, init);
    return response.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  }

  return {
    get,
    post,
    isSignedIn: async (cookie: string) =>
      (await (await get("/", cookie)).text()).includes("Logged in as admin"),
    async stop() {
      child.kill("SIGTERM");
      return child.exited;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

test("with SECRET_KEY the server keeps sessions and logouts over a restart", async () => {
  let signedIn = "";
  let loggedOut = "";
  {
    await using server = await startServer({});
    signedIn = await server.post("/login");
    loggedOut = await server.post("/login");
    expect(await server.isSignedIn(loggedOut)).toBe(true);
    await server.post("/logout", loggedOut);
    expect(await server.stop()).toBe(0);
  }
  await using server = await startServer({});
  expect(await server.isSignedIn(signedIn)).toBe(true);
  expect(await server.isSignedIn(loggedOut)).toBe(false);
});

test("a server whose Redis comes and goes says so, serves visitors, and recovers by itself", async () => {
  await using redis = await startFakeRedis();
  await redis.fail("refuse");
  await using server = await startServer({ STORE_URL: redis.url });

  /** Asks until the answer has that status: the time limit of the test ends a failure. */
  async function untilReadyIs(status: number): Promise<void> {
    while ((await server.get("/readyz")).status !== status);
  }

  async function expectOutage(cookie: string): Promise<void> {
    await untilReadyIs(503);
    expect((await server.get("/healthz")).status).toBe(200);
    expect(await (await server.get("/")).text()).toContain("You are not logged in");
    if (cookie !== "") expect((await server.get("/", cookie)).status).toBe(503);
  }

  await expectOutage("");
  await redis.fail("none");
  await untilReadyIs(200);
  const cookie = await server.post("/login");
  expect(await server.isSignedIn(cookie)).toBe(true);
  await redis.fail("silent");
  await expectOutage(cookie);
  await redis.fail("none");
  await untilReadyIs(200);
  expect(await server.isSignedIn(cookie)).toBe(true);
});
