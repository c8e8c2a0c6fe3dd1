import { describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { checkHealth, generateKey, openStore, readKey } from "../../server.ts";
import { KEY } from "../support/app.ts";
import { errorOf } from "../support/errors.ts";
import { startFakeRedis } from "../support/fake_redis.ts";
import { Program, SERVER, temporaryDirectory } from "../support/program.ts";

describe("openStore", () => {
  test("opens memory and SQLite", async () => {
    for (const url of ["memory:", "sqlite::memory:"]) {
      expect((await openStore(url)).get(["a"])).toEqual([undefined]);
    }
  });

  test("gives a store of Redis that answers at once", async () => {
    await using redis = await startFakeRedis();
    const store = await openStore(redis.url);
    expect(await store.get(["a"])).toEqual([undefined]);
  });

  test.each(["redis", "postgres"])("waits a second at most for a silent %s", async (scheme) => {
    using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const start = performance.now();
    await openStore(`${scheme}://127.0.0.1:${silent.port}`);
    expect(performance.now() - start).toBeWithin(900, 2000);
  });

  test.each([
    ["", /^Cannot use STORE_URL ":…": it must be/],
    ["data/madeleine.sqlite", /^Cannot use STORE_URL ":…": it must be/],
    ["sqlite:", /^Cannot use STORE_URL "sqlite:": it must name a file by a plain path, without /],
    ["sqlite://", /^Cannot use STORE_URL "sqlite:\/\/": it must name a file by a plain path, /],
    [
      "sqlite://user:password@host/x",
      /^Cannot use STORE_URL "sqlite:…": it must name a file by a /,
    ],
    ["memory:x", /^Cannot use STORE_URL "memory:…": it must be sqlite:FILE, memory:, redis:/],
    ["redis:", /^Cannot use STORE_URL "redis:…": it must be/],
    ["redis://", /^Cannot use STORE_URL "redis:…": it must be/],
    ["rediss:///1", /^Cannot use STORE_URL "rediss:…": it must be/],
    ["postgres:", /^Cannot use STORE_URL "postgres:…": it must be/],
    ["postgresql://", /^Cannot use STORE_URL "postgresql:…": it must be/],
    ["postgres:///test", /^Cannot use STORE_URL "postgres:…": it must be/],
    ["REDIS://user:password@host", /^Cannot use STORE_URL ":…": it must be/],
    ["postgres://user:password%@host", /^Cannot use STORE_URL "postgres:…": /],
    ["mysql://user:password@host/", /^Cannot use STORE_URL "mysql:…"/],
    [
      "sqlite:/dev/null/file",
      /^Cannot use STORE_URL "sqlite:\/dev\/null\/file": .*(?:EEXIST|ENOTDIR)/,
    ],
    ["sqlite:tests", /^Cannot use STORE_URL "sqlite:tests": unable to open database file$/],
    [
      "sqlite:package.json",
      /^Cannot use STORE_URL "sqlite:package\.json": file is not a database$/,
    ],
    ["redis://user:password@host:port", /^Cannot use STORE_URL "redis:…": Invalid URL/],
    ["postgres://user:password@host:port", /^Cannot use STORE_URL "postgres:…": Invalid URL/],
  ])("refuses %j in one line, without a password", async (url, message) => {
    const error = await errorOf(() => openStore(url));
    const reason = error instanceof Error ? error.message : "";
    expect(reason).toMatch(message);
    expect(reason).not.toMatch(/\n|password/);
  });
});

/** The rights of a path, as in `chmod`. */
function modeOf(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

/** The modes of everything in a folder, by name. */
function modesIn(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, modeOf(join(folder, name))]));
}

const ALONE = {
  "madeleine.sqlite": "600",
  "madeleine.sqlite-shm": "600",
  "madeleine.sqlite-wal": "600",
  "secret.key": "600",
};

/** A shell that sets the umask before it becomes the server. */
function withUmask(umask: string): string[] {
  return ["/bin/sh", "-c", `umask ${umask}; exec "$@"`, "sh", ...SERVER];
}

describe("files are the owner's alone", () => {
  test.each(["0", "022", "077", "0777"])("where the umask is %s", async (umask) => {
    using directory = temporaryDirectory();
    await using program = new Program(withUmask(umask), { PORT: "0" }, directory.path);
    await program.origin();
    const data = join(directory.path, "data");
    expect([modeOf(data), modesIn(data)]).toEqual(["700", ALONE]);
  });

  test("folders on the way to another file too, and what is not ours stays as it is", async () => {
    using directory = temporaryDirectory();
    chmodSync(directory.path, 0o755);
    const STORE_URL = `sqlite:${directory.path}/a/b/c.sqlite`;
    const environment = { PORT: "0", SECRET_KEY: KEY, STORE_URL };
    await using program = new Program(withUmask("0"), environment, directory.path);
    await program.origin();
    expect(modeOf(directory.path)).toBe("755");
    expect(modesIn(directory.path)).toEqual({ a: "700" });
    expect(modesIn(join(directory.path, "a"))).toEqual({ b: "700" });
    expect(modesIn(join(directory.path, "a/b"))).toMatchObject({ "c.sqlite": "600" });
  });

  test("where they were there before, and open to others", async () => {
    using directory = temporaryDirectory();
    const data = join(directory.path, "data");
    mkdirSync(data);
    for (const name of Object.keys(ALONE)) await Bun.write(join(data, name), "");
    await Bun.write(join(data, "secret.key"), KEY);
    for (const name of Object.keys(ALONE)) chmodSync(join(data, name), 0o666);
    chmodSync(data, 0o777);
    await using program = new Program(SERVER, { PORT: "0" }, directory.path);
    await program.origin();
    expect([modeOf(data), modesIn(data)]).toEqual(["700", ALONE]);
  });

  test("what STORE_URL names by mistake keeps its rights: a folder, and another file", async () => {
    using directory = temporaryDirectory();
    const [folder, text] = [join(directory.path, "folder"), join(directory.path, "text")];
    mkdirSync(folder, { mode: 0o755 });
    await Bun.write(text, "This is not a database, and longer than the head of one is. ".repeat(9));
    chmodSync(text, 0o644);
    for (const path of [folder, `${folder}/`, text]) {
      expect(await errorOf(() => openStore(`sqlite:${path}`))).toBeInstanceOf(Error);
    }
    expect(modesIn(directory.path)).toEqual({ folder: "755", text: "644" });
  });

  test.each([`a/b/${"c".repeat(300)}`, `a/b/${"c".repeat(300)}/d`])(
    "a path that cannot be opened leaves no folder behind: %p",
    async (path) => {
      using directory = temporaryDirectory();
      const error = await errorOf(() => openStore(`sqlite:${directory.path}/${path}`));
      expect(String(error)).toMatch(/^Error: Cannot use STORE_URL "sqlite:[^"]*": /);
      expect(readdirSync(directory.path)).toEqual([]);
    },
  );

  test.each(["a/b/", "a/b.sqlite?mode=ro", "a/b#c", "~/b", "~", "file:a", "file:///a/b", "a/b//"])(
    "a path that is no plain one is refused, and makes nothing: %p",
    async (path) => {
      using directory = temporaryDirectory();
      for (const url of [`sqlite:${path}`, `sqlite://${path}`]) {
        const environment = { PORT: "0", SECRET_KEY: KEY, STORE_URL: url };
        await using program = new Program(SERVER, environment, directory.path);
        const { code, errors } = await program.end();
        expect([code, errors.length]).toEqual([1, 1]);
        expect(errors[0]).toMatch(
          /^Cannot use STORE_URL "sqlite:[^"]*": it must name a file by a /,
        );
        expect(readdirSync(directory.path)).toEqual([]);
      }
    },
  );

  test("sqlite://FILE is beside the program, and sqlite:///FILE is not", async () => {
    using directory = temporaryDirectory();
    const elsewhere = join(directory.path, "elsewhere");
    for (const url of ["sqlite://q.sqlite", `sqlite://${elsewhere}/q.sqlite`]) {
      const environment = { PORT: "0", SECRET_KEY: KEY, STORE_URL: url };
      await using program = new Program(SERVER, environment, directory.path);
      await program.origin();
    }
    expect(existsSync(join(directory.path, "q.sqlite"))).toBe(true);
    expect(existsSync(join(elsewhere, "q.sqlite"))).toBe(true);
  });
});

describe("the key", () => {
  test("that is kept is said at start, and the next start takes it", async () => {
    using directory = temporaryDirectory();
    const lines = [];
    const keys = [];
    for (let start = 0; start < 2; start++) {
      await using program = new Program(SERVER, { PORT: "0" }, directory.path);
      lines.push(await program.line());
      keys.push(readFileSync(join(directory.path, "data/secret.key"), "utf8"));
    }
    for (const line of lines) expect(line).toEndWith(" with the key in data/secret.key");
    expect(keys[0]).toMatch(/^[\w-]{43}$/);
    expect(keys[1]).toBe(keys[0] ?? "");
  });

  test("is one for all that start at once", async () => {
    using directory = temporaryDirectory();
    const script = `
      import { readKey } from ${JSON.stringify(SERVER[1])};
      console.log(readKey({ from: "DATA_FOLDER", file: "data/secret.key" }));`;
    const programs = Array.from(
      { length: 8 },
      () => new Program([process.execPath, "-e", script], {}, directory.path),
    );
    const ends = await Promise.all(programs.map(async (program) => program.end()));
    const keys = new Set(ends.map(({ output }) => output.join()));
    expect([...keys].join()).toMatch(/^[\w-]{43}$/);
    expect(readdirSync(join(directory.path, "data"))).toEqual(["secret.key"]);
  });

  test("of SECRET_KEY_FILE is its text without the white space around it", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "key");
    await Bun.write(file, `${KEY}\r\n`);
    expect(readKey({ from: "SECRET_KEY_FILE", file })).toBe(KEY);
    await Bun.write(file, "\n");
    const read = (): string => readKey({ from: "SECRET_KEY_FILE", file });
    expect(read).toThrow(/^Cannot use SECRET_KEY_FILE: it is empty$/);
  });

  test.each([
    ["random bytes", Buffer.from(KEY, "base64url")],
    ["a key in Latin-1", Buffer.from(`${KEY}é`, "latin1")],
    ["a key in UTF-16", Buffer.from(`\uFEFF${KEY}\r\n`, "utf16le")],
  ])("is text in UTF-8, and not %s", async (_what, bytes) => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "key");
    await Bun.write(file, bytes);
    const read = (): string => readKey({ from: "SECRET_KEY_FILE", file });
    expect(read).toThrow(/^Cannot use SECRET_KEY_FILE: it must be text in UTF-8$/);
  });

  test("that stands in place of the file's name is not shown", () => {
    expect(() => readKey({ from: "SECRET_KEY_FILE", file: KEY })).toThrow(
      /^Cannot read the file that SECRET_KEY_FILE names: ENOENT$/,
    );
  });

  test("that cannot be kept is one line that says what to do", () => {
    expect(() => readKey({ from: "DATA_FOLDER", file: "/dev/null/secret.key" })).toThrow(
      /^Cannot keep a key: .*(?:ENOTDIR|EEXIST).*\. Set SECRET_KEY$/,
    );
  });

  test("of keygen is 32 random bytes", () => {
    const keys = Array.from({ length: 100 }, generateKey);
    expect(new Set(keys).size).toBe(100);
    for (const key of keys) expect(Buffer.from(key, "base64url")).toHaveLength(32);
  });
});

describe("healthcheck", () => {
  test.each([
    ["127.0.0.1", undefined],
    ["0.0.0.0", undefined],
    ["::", undefined],
    ["::1", undefined],
    ["localhost", undefined],
    ["127.0.0.1", "http://127.0.0.1:1"],
  ])("exits with 0 where the server of HOST %s answers, with the proxy %p", async (host, proxy) => {
    using server = Bun.serve({
      hostname: host,
      port: 0,
      fetch: ({ url }) => new Response(null, { status: url.endsWith("/healthz") ? 200 : 404 }),
    });
    const environment = { HOST: host, PORT: String(server.port) };
    const proxies = proxy === undefined ? {} : { HTTP_PROXY: proxy, http_proxy: proxy };
    await using program = new Program([...SERVER, "healthcheck"], { ...environment, ...proxies });
    expect(await program.end()).toEqual({ code: 0, output: [], errors: [] });
  });

  test("exits with 1 and a line where nothing answers, or not with 200", async () => {
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response(null, { status: 302, headers: { location: "/" } }),
    });
    for (const port of [1, server.port ?? 0]) {
      await using program = new Program([...SERVER, "healthcheck"], { PORT: String(port) });
      const { code, output, errors } = await program.end();
      expect([code, output, errors.length]).toEqual([1, [], 1]);
      expect(errors[0]).toMatch(/^Cannot .* http:\/\/127\.0\.0\.1:\d+\/healthz/);
    }
  });

  test("gives up on a server that is silent", async () => {
    using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
    const reason = await checkHealth({ PORT: String(silent.port) }).catch(String);
    expect(reason).toMatch(/^Error: Cannot reach .*timed out/);
  });
});
