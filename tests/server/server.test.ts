import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { SECURITY_HEADERS } from "../../routes/shared/answers.ts";
import { Browser, KEY, readPage } from "../support/app.ts";
import { startFakeRedis } from "../support/fake_redis.ts";
import { freePort } from "../support/instance.ts";
import {
  connect,
  type Connection,
  exchange,
  Program,
  ROOT,
  SERVER,
  temporaryDirectory,
} from "../support/program.ts";

// Processes start and stop here, on a machine that may be busy.
setDefaultTimeout(60_000);

const MEMORY = { PORT: "0", STORE_URL: "memory:", SECRET_KEY: KEY } as const;
const FAULTY = [process.execPath, join(ROOT, "tests/fixtures/faulty_server.ts")];
const FORM = "Content-Type: application/x-www-form-urlencoded\r\n";

function serve(environment: Readonly<Record<string, string>> = {}): Program {
  return new Program(SERVER, { ...MEMORY, ...environment });
}

function browserOf(origin: string): Browser {
  return new Browser(async (request) => fetch(request), origin);
}

describe.concurrent("the command", () => {
  test.each([
    ["127.0.0.1", "127\\.0\\.0\\.1"],
    ["localhost", "localhost"],
    ["::1", "\\[::1\\]"],
    ["0.0.0.0", "localhost"],
    ["::", "localhost"],
  ])("says at start where HOST=%s can be opened: %s", async (host, shown) => {
    await using program = serve({ HOST: host });
    const line = (await program.line()) ?? "";
    expect(line).toMatch(new RegExp(`^Listening on http://${shown}:[1-9]\\d* with SECRET_KEY$`));
    const [origin = ""] = /http:\S+/.exec(line) ?? [];
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
  });

  test("says at start what users see, where PUBLIC_ORIGIN says it", async () => {
    await using program = serve({ PUBLIC_ORIGIN: "https://example.org" });
    expect(await program.line()).toBe("Listening on https://example.org with SECRET_KEY");
  });

  test.each<[string, Record<string, string>, number]>([
    ["0.0.0.0", {}, 1],
    ["::", {}, 1],
    ["0.0.0.0", { PUBLIC_ORIGIN: "https://example.org" }, 0],
    ["0.0.0.0", { PUBLIC_ORIGIN: "http://example.org" }, 0],
    ["127.0.0.1", {}, 0],
    ["localhost", {}, 0],
  ])("warns at start where HOST=%s has %j: %d lines", async (host, environment, count) => {
    await using program = serve({ HOST: host, ...environment });
    await program.line();
    program.signal("SIGTERM");
    program.signal("SIGINT");
    const { errors } = await program.end();
    expect(errors).toHaveLength(count);
    for (const line of errors)
      expect(line).toMatch(/Z insecure reason="PUBLIC_ORIGIN is missing: /);
  });

  test("COOKIE_NAME names the cookie, and a wrong one is refused with one line", async () => {
    await using program = serve({ COOKIE_NAME: "shop" });
    const response = await browserOf(await program.origin()).login("admin");
    expect(response.headers.getSetCookie().join()).toStartWith("shop=");
    for (const name of ["a b", "__Host-shop"]) {
      await using wrong = serve({ COOKIE_NAME: name });
      const { code, errors } = await wrong.end();
      expect([code, errors.length]).toEqual([1, 1]);
    }
  });

  const wrong: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ HOST: "0.0.0.0", SECRET_KEY: "" }, /^Cannot listen on 0\.0\.0\.0: SECRET_KEY is missing/],
    [{ SECRET_KEY: "secret" }, /^Cannot use secretKey: it has 6 bytes/],
    [{ SECRET_KEY: "a".repeat(40) }, /^Cannot use secretKey: it has fewer than 8 different/],
    [
      { SECRET_KEY: `change-me-${KEY}` },
      /^Cannot use secretKey: it contains a word or a key from documentation/,
    ],
    [{ SECRET_KEY: KEY, SECRET_KEY_FALLBACKS: "old" }, /^Cannot use secretKeyFallbacks\[0\]/],
    [{ PORT: "http" }, /^Cannot use PORT "http"/],
    [{ PUBLIC_ORIGIN: "example" }, /^Cannot use PUBLIC_ORIGIN "example"/],
    [{ STORE_URL: "mysql://u:password@host" }, /^Cannot use STORE_URL "mysql:…"/],
    [{ STORE_URL: "sqlite:/dev/null/x" }, /^Cannot use STORE_URL "sqlite:\/dev\/null\/x"/],
    [{ TRUSTED_PROXIES: "all" }, /^Cannot use TRUSTED_PROXIES: "all"/],
    [{ LOG: "xml" }, /^Cannot use LOG "xml"/],
    [{ HOST: "192.0.2.1" }, /^Cannot listen on 192\.0\.2\.1, port 0: /],
  ];
  test.each(wrong)("C11: refuses %j with one line", async (environment, message) => {
    await using program = serve(environment);
    const { code, output, errors } = await program.end();
    expect([code, output, errors.length]).toEqual([1, [], 1]);
    expect(errors[0]).toMatch(message);
    expect(errors[0]).not.toMatch(/password|change-me/);
  });

  test("refuses a port that another process of the server has, with one line", async () => {
    await using first = serve();
    const { port } = new URL(await first.origin());
    await using second = serve({ PORT: port });
    const { code, output, errors } = await second.end();
    expect([code, output, errors.length]).toEqual([1, [], 1]);
    expect(errors[0]).toStartWith(`Cannot listen on 127.0.0.1, port ${port}: `);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  });

  test("keygen prints a key that the server takes", async () => {
    await using keygen = new Program([...SERVER, "keygen"]);
    const { code, output, errors } = await keygen.end();
    expect([code, output.length, errors]).toEqual([0, 1, []]);
    await using program = serve({ SECRET_KEY: output[0] ?? "" });
    expect(await program.line()).toEndWith(" with SECRET_KEY");
  });

  test("--version and --help print, and exit with 0", async () => {
    await using version = new Program([...SERVER, "--version"]);
    expect(await version.end()).toEqual({ code: 0, output: [manifest.version], errors: [] });
    await using help = new Program([...SERVER, "--help"]);
    const { code, output, errors } = await help.end();
    expect([code, errors]).toEqual([0, []]);
    for (const word of ["SECRET_KEY", "STORE_URL", "TRUSTED_PROXIES", "keygen"]) {
      expect(output.join("\n")).toContain(word);
    }
  });

  test.each(["serve", "--hlep", "keygen --help"])("refuses %s", async (words) => {
    await using program = new Program([...SERVER, ...words.split(" ")]);
    const { code, output, errors } = await program.end();
    expect([code, output]).toEqual([1, []]);
    expect(errors).toEqual([`Cannot run ${JSON.stringify(words)}: see --help`]);
  });
});

/** Takes a connection and its greeting, and answers no question. */
function silentRedis(onQuestion: () => void): Bun.TCPSocketListener {
  return Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        if (bytes.includes("HELLO")) socket.write("%1\r\n+proto\r\n:3\r\n");
        if (bytes.includes("GET")) onQuestion();
      },
    },
  });
}

describe.concurrent("on the wire", () => {
  test("A4: a login has one Set-Cookie line", async () => {
    await using program = serve();
    const origin = await program.origin();
    const answer = await exchange(
      origin,
      `POST /login HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${FORM}Content-Length: 14\r\n\r\nusername=admin`,
    );
    expect(answer).toStartWith("HTTP/1.1 303 See Other\r\n");
    expect(answer.match(/^set-cookie: /gim)).toHaveLength(1);
    expect(answer).not.toMatch(/^(?:server|x-powered-by): /im);
  });

  test("F5: TRACE is refused with the methods that are not", async () => {
    await using program = serve();
    const origin = await program.origin();
    const answer = await exchange(
      origin,
      "TRACE /login HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    );
    expect(answer).toStartWith("HTTP/1.1 405 Method Not Allowed\r\n");
    expect(answer).toMatch(/^allow: GET, HEAD, POST\r$/im);
  });

  test("E6: a form over 16 kB comes again, and far longer ones are refused", async () => {
    await using program = serve();
    const browser = browserOf(await program.origin());
    const response = await browser.login("a".repeat(20_000));
    expect(response.status).toBe(413);
    expect((await readPage(response)).words).toBe("Log in Username The form was too long Log in");
    expect((await browser.login("a".repeat(100_000))).status).toBe(413);
    expect((await browser.login("admin")).status).toBe(303);
  });

  test("/readyz is 503 while a store is silent, and visitors are served", async () => {
    const questions: true[] = [];
    using silent = silentRedis(() => void questions.push(true));
    await using program = serve({ STORE_URL: `redis://127.0.0.1:${silent.port}` });
    const origin = await program.origin();
    do {
      expect((await fetch(`${origin}/readyz`)).status).toBe(503);
    } while (questions.length === 0);
    expect((await fetch(`${origin}/healthz`)).status).toBe(200);
    expect((await fetch(origin)).status).toBe(200);
    silent.stop(true);
  });

  test("/readyz and the log say so where a store is too slow for sessions", async () => {
    await using redis = await startFakeRedis();
    await using program = serve({ STORE_URL: redis.url });
    const browser = browserOf(await program.origin());
    const ask = async (): Promise<number[]> => [
      (await browser.get("/")).status,
      (await browser.get("/readyz")).status,
    ];
    await browser.login("admin");
    expect(await program.errorLine()).toContain("Z login ");
    expect(await ask()).toEqual([200, 200]);
    await redis.fail("slow");
    expect(await ask()).toEqual([503, 503]);
    expect(await program.errorLine()).toContain("Z unavailable ");
    expect(await program.errorLine()).toEndWith('Z store-down reason="No answer in 250 ms"');
  });

  test.each([
    ["redis://u:hunter2@127.0.0.1:6379", "WRONGPASS"],
    ["redis://u:hunter2@127.0.0.1:1", "connect ECONNREFUSED"],
    ["postgres://u:hunter2@127.0.0.1:1/test", "Failed to connect"],
  ])("I: the log says once why %s is down: %s", async (url, reason) => {
    await using program = serve({ STORE_URL: url });
    const browser = browserOf(await program.origin());
    expect((await browser.get("/readyz")).status).toBe(503);
    expect(await program.errorLine()).toContain(`Z store-down reason="${reason}`);
    for (let count = 0; count < 3; count++) {
      expect((await browser.get("/readyz")).status).toBe(503);
      expect((await browser.login("admin")).status).toBe(503);
    }
    program.signal("SIGTERM");
    program.signal("SIGINT");
    const { errors } = await program.end();
    for (const line of errors) expect(line).toMatch(/Z unavailable address="127.0.0.1"$/);
    expect(errors).toHaveLength(3);
  });

  test("I: the log is JSON lines with LOG=json", async () => {
    await using program = serve({ LOG: "json" });
    await browserOf(await program.origin()).login("admin");
    expect(JSON.parse((await program.errorLine()) ?? "")).toMatchObject({
      events: [{ event: "login", user: "admin" }],
      address: "127.0.0.1",
    });
  });
});

/** A request of which a part of the form was sent. */
async function halfPost(origin: string, path: string): Promise<Connection> {
  const connection = await connect(origin);
  const head = `POST ${path} HTTP/1.1\r\nHost: a\r\n${FORM}Content-Length: 14\r\n\r\n`;
  connection.send(`${head}username=`);
  await fetch(`${origin}/healthz`); // What was sent before was read before.
  return connection;
}

async function untilNotReady(origin: string): Promise<Response> {
  const response = await fetch(`${origin}/readyz`);
  return response.status === 503 ? response : untilNotReady(origin);
}

async function untilRefused(origin: string): Promise<void> {
  const isRefused = await fetch(`${origin}/healthz`).then(
    () => false,
    () => true,
  );
  if (!isRefused) await untilRefused(origin);
}

describe.concurrent("stopping", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s: sends new requests elsewhere, answers running ones, exits with 0",
    async (signal) => {
      await using program = serve();
      const origin = await program.origin();
      using connection = await halfPost(origin, "/login");
      program.signal(signal);
      const response = await untilNotReady(origin);
      expect(response.headers.get("connection")).toBe("close");
      await untilRefused(origin);
      connection.send("admin");
      const answer = await connection.ended;
      expect(answer).toStartWith("HTTP/1.1 303 See Other\r\n");
      expect(answer).toMatch(/^connection: close\r$/im);
      const { code, errors } = await program.end();
      expect(code).toBe(0);
      expect(errors.at(-1)).toContain('login user="admin"');
    },
  );

  test("a second signal exits at once, though a request would run for ever", async () => {
    await using program = new Program(FAULTY);
    const origin = await program.origin();
    using connection = await connect(origin);
    connection.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    await fetch(origin); // What was sent before was read before.
    program.signal("SIGTERM");
    await untilRefused(origin);
    program.signal("SIGTERM");
    expect(await program.exited).toBe(0);
    expect(await connection.ended).toBe("");
  });
});

/** The server with other times, and with a log that the code makes. */
function script(times: string, log: string): string[] {
  const [, file = ""] = SERVER;
  const source = `
    import { start, supervise } from ${JSON.stringify(file)};
    import { readConfiguration } from ${JSON.stringify(join(ROOT, "routes/shared/configuration.ts"))};
    import { createLog } from ${JSON.stringify(join(ROOT, "routes/shared/log.ts"))};
    const log = ${log};
    supervise(await start(readConfiguration(process.env), log, ${times}), log);`;
  return [process.execPath, "-e", source];
}

const LOG = 'createLog("text", (line) => console.error(line))';

describe.concurrent("the deadline", () => {
  test("ends the server though a request never does", async () => {
    const times = "{ idleTimeout: 0, drainTime: 0, stopDeadline: 300 }";
    await using program = new Program(script(times, LOG), MEMORY);
    const origin = await program.origin();
    using connection = await halfPost(origin, "/login");
    program.signal("SIGTERM");
    expect(await program.exited).toBe(0);
    expect(await connection.ended).toBe("");
  });
});

describe.concurrent("F1, F6: an error that nothing caught", () => {
  test("is a page with the headers of every page, and without a reason", async () => {
    const times = "{ idleTimeout: 10, drainTime: 0, stopDeadline: 1000 }";
    const broken = `{ ...${LOG}, around: () => () => { throw new Error("/home/secret/log.ts") } }`;
    await using program = new Program(script(times, broken), MEMORY);
    const origin = await program.origin();
    for (const init of [{}, { method: "POST", body: "{}", headers: { accept: "text/html" } }]) {
      const response = await fetch(`${origin}/login`, init);
      expect(response.status).toBe(500);
      for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
        expect(response.headers.get(name)).toBe(value);
      }
      const text = await response.text();
      expect(text).toContain("<h1>Something went wrong</h1>");
      expect(text).not.toMatch(/secret|\.ts|script/);
    }
  });
});

describe.concurrent("what a restart keeps", () => {
  const keys: readonly Record<string, string>[] = [{ SECRET_KEY: KEY }, {}];
  test.each(keys)("with %j: sessions and logouts in data/, even after SIGKILL", async (key) => {
    using directory = temporaryDirectory();
    const restart = (): Program => new Program(SERVER, { PORT: "0", ...key }, directory.path);
    await using first = restart();
    const origin = await first.origin();
    const [stays, goes] = [browserOf(origin), browserOf(origin)];
    await stays.login("stays");
    await goes.login("goes");
    const copy = goes.copy();
    await goes.post("/logout");
    first.signal("SIGKILL");
    await first.exited;
    expect(await Bun.file(join(directory.path, "data/madeleine.sqlite")).exists()).toBe(true);

    await using second = restart();
    const after = browserOf(await second.origin());
    after.cookies.set("session", stays.cookies.get("session") ?? "");
    expect(await after.words("/")).toContain("Logged in as stays");
    after.cookies.set("session", copy.cookies.get("session") ?? "");
    expect(await after.words("/")).toContain("You are not logged in");
  });
});

test("bun --hot takes changed code, and keeps users signed in without SECRET_KEY", async () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "hot.ts");
  const source = `
    import { serve } from ${JSON.stringify(SERVER[1])};
    serve(process.env);`;
  await Bun.write(file, source);
  const port = String(await freePort());
  const command = [process.execPath, "--hot", "--no-clear-screen", file];
  await using program = new Program(command, { PORT: port }, directory.path);
  const browser = browserOf(await program.origin());
  await browser.login("admin");
  await Bun.write(file, `${source}\nconsole.log("changed");`);
  let line: string | undefined;
  do line = await program.line();
  while (line !== undefined && line !== "changed");
  expect(line).toBe("changed");
  expect(await browser.words("/")).toContain("Logged in as admin");
});

describe.concurrent("a late write", () => {
  test("in time is none", async () => {
    await using program = new Program(FAULTY);
    const response = await fetch(`${await program.origin()}/in-time`);
    expect(await response.text()).toBe("written");
    expect(response.headers.getSetCookie()).toHaveLength(1);
  });

  test("while the body is sent is ERR_SESSION_COMMITTED, and in the log", async () => {
    await using program = new Program(FAULTY);
    const response = await fetch(`${await program.origin()}/stream`);
    expect(await response.text()).toStartWith(
      'ERR_SESSION_COMMITTED: Cannot set "count": the response was already made.',
    );
    expect(await program.errorLine()).toEndWith("Z late-write");
  });

  test.each(["/timer", "/promise"])(
    "of %s is in the log, then running requests are answered, and the exit is 1",
    async (path) => {
      await using program = new Program(FAULTY);
      const origin = await program.origin();
      using running = await halfPost(origin, "/slow");
      const response = await fetch(origin + path);
      expect([response.status, await response.text()]).toEqual([200, "answered"]);
      expect(await program.errorLine()).toEndWith("Z late-write");
      expect(await program.errorLine()).toMatch(
        /Z uncaught error="Cannot set \\"count\\": .*" code="ERR_SESSION_COMMITTED"$/,
      );
      running.send("admin");
      expect(await running.ended).toEndWith("\r\n\r\nusername=admin");
      expect(await program.exited).toBe(1);
    },
  );
});
