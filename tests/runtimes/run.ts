/**
 * Packs the library, installs the tarball in an empty project, and runs the same cases there on Bun,
 * two versions of Node, Deno and workerd. On Node it runs the stores on foreign clients, and the
 * middleware in foreign frameworks. The runtimes come from npm, into a folder that is kept.
 *
 * @module
 */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "madeleine/testing";
import { signIn } from "./app.ts";
import type { Result } from "./cases.ts";
import { bundle, install, measure, pack, run, temporaryFolder } from "./project.ts";
import { deno, installTools, newestNode, node20, tools } from "./tools.ts";

const here: string = import.meta.dirname;
const tsc: string = join(here, "../../node_modules/.bin/tsc");

/** Bytes of both packages as they lie on the disk: npm's own files not counted. */
const SIZE_LIMIT = 600_000;

const parse: (text: string) => Result[] = JSON.parse;
const isRedisThere: boolean = await isOpen(process.env["REDIS_URL"] ?? "redis://127.0.0.1:6379");
if (!isRedisThere) console.log("Skipped: the Redis clients, because there is no Redis");
const isPostgresThere: boolean = await isOpen(
  process.env["POSTGRES_URL"] ?? "postgres://127.0.0.1:5432",
);
if (!isPostgresThere) console.log("Skipped: pg and Postgres.js, because there is no PostgreSQL");

let failures = 0;

async function isOpen(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const connection = { hostname, port: Number(port || 6379), socket: { data: () => {} } };
  const socket = await Bun.connect(connection).catch(() => undefined);
  socket?.end();
  return socket !== undefined;
}

/** Runs one part and prints its line. Whatever fails counts, and the next part runs. */
async function report(name: string, part: () => Promise<readonly Result[]>): Promise<void> {
  try {
    const results = await part();
    const failed = results.filter(({ error }) => error !== undefined);
    for (const { name: title, error } of failed) console.log(`  ${title}: ${error}`);
    failures += results.length === 0 ? 1 : failed.length;
    console.log(`${name}: ${results.length - failed.length} passed, ${failed.length} failed`);
  } catch (error) {
    failures += 1;
    console.log(`${name}: 0 passed, 1 failed\n  ${String(error)}`);
  }
}

async function versionOf(command: string, option = "--version"): Promise<string> {
  return /\d[\w.-]*/.exec(await run([command, option]))?.[0] ?? "";
}

async function versionsIn(folder: string, names: readonly string[]): Promise<string> {
  const versions = names.map(async (name) => {
    const manifest = await Bun.file(join(folder, "node_modules", name, "package.json")).text();
    return `${name.replace(/-\d$/, "")} ${/"version": "([^"]+)"/.exec(manifest)?.[1]}`;
  });
  return (await Promise.all(versions)).join(", ");
}

async function runProgram(command: readonly string[], cwd: string): Promise<Result[]> {
  return parse(await run(command, { cwd, env: { DENO_DIR: join(tools, "deno") } }));
}

/** Compiles the cases against the package's own declarations. */
async function checkTypes(cwd: string, files: readonly string[], strict: boolean): Promise<void> {
  const resolutions = [
    ["--module", "nodenext"],
    ["--module", "esnext", "--moduleResolution", "bundler"],
  ];
  const lib = ["--lib", "esnext,dom,dom.iterable", "--target", "esnext"];
  const types = strict ? ["--types", ""] : ["--types", "bun-types", "--skipLibCheck"];
  const options = [...lib, ...types, "--noEmit", "--allowImportingTsExtensions"];
  for (const resolution of resolutions) {
    await run([tsc, "--ignoreConfig", "--strict", ...options, ...resolution, ...files], { cwd });
  }
}

function send(request: Request): Promise<Response> {
  return fetch(request, { redirect: "manual" });
}

async function runWorkerd(workerd: string, folder: string): Promise<Result[]> {
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "internet", network = (allow = ["local"])), (name = "main", worker = (
    modules = [(name = "worker", esModule = embed "worker.js")],
    compatibilityDate = "2026-11-01",
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`;
  await Bun.write(join(folder, "worker.capnp"), config);
  const command = [workerd, "serve", "--control-fd=1", "worker.capnp"];
  const server = Bun.spawn(command, { cwd: folder, stderr: "inherit" });
  try {
    const { value } = await server.stdout.getReader().read();
    const port = /"port":(\d+)/.exec(new TextDecoder().decode(value))?.[1];
    const origin = `http://127.0.0.1:${port}`;
    const clients = Array.from({ length: 8 }, () => createClient(send, { origin }));
    await Promise.all(clients.map(signIn));
    const response = await fetch(`${origin}/cases`);
    return [
      ...parse(await response.text()),
      { name: "first requests of a Worker share its sessions" },
    ];
  } finally {
    server.kill();
    await server.exited;
  }
}

await using temporary = await temporaryFolder();
const project = join(temporary.path, "project");
const stores = join(temporary.path, "stores");
const frameworks = join(temporary.path, "frameworks");
const tarball = await pack(temporary.path);
await Promise.all([
  installTools(),
  install(project, [tarball]),
  install(stores, [tarball, "ioredis", "redis", "pg", "postgres", "@types/pg", "bun-types"]),
  install(frameworks, [
    tarball,
    "express-4@npm:express@4",
    "@types/express-4@npm:@types/express@4",
    "express-5@npm:express@5",
    "@types/express-5@npm:@types/express@5",
    ...["connect", "polka", "body-parser", "compression"].flatMap((name) => [
      name,
      `@types/${name}`,
    ]),
    "fastify",
    "bun-types",
  ]),
]);
for (const folder of [project, stores, frameworks])
  await cp(here, join(folder, "suite"), { recursive: true });

const external = ["madeleine", "madeleine/*", "ioredis", "redis", "pg", "postgres"];
const served = ["express-4", "express-5", "connect", "polka", "fastify"];
const besides = ["body-parser", "compression"];
const suite = await bundle(join(project, "suite/main.ts"), project, external);
await bundle(join(project, "suite/worker.ts"), project, []);
const redis = await bundle(join(stores, "suite/redis.ts"), stores, external);
const postgres = await bundle(join(stores, "suite/postgres.ts"), stores, external);
const middleware = await bundle(
  join(frameworks, "suite/middleware.ts"),
  frameworks,
  [...external, ...served, ...besides],
  "node",
);
const sqlite = await bundle(join(stores, "suite/sqlite.ts"), stores, external, "node");

const { packages, bytes } = await measure(project);
console.log(`Installed: ${packages} packages, ${Math.ceil(bytes / 1000)} kB`);
if (packages !== 2 || bytes > SIZE_LIMIT) failures += 1;

await report("Type declarations", async () => {
  await checkTypes(project, ["suite/main.ts", "suite/worker.ts"], true);
  await checkTypes(stores, ["suite/types.ts", "suite/redis.ts", "suite/postgres.ts"], false);
  await checkTypes(frameworks, ["suite/middleware.ts"], false);
  return [{ name: "nodenext" }, { name: "bundler" }];
});
await report(`Bun ${Bun.version}`, () => runProgram([process.execPath, suite], project));
for (const node of [node20, newestNode]) {
  const name = `Node ${await versionOf(node)}`;
  await report(name, () => runProgram([node, suite], project));
  if (isRedisThere) await report(`${name} with Redis`, () => runProgram([node, redis], stores));
  if (isPostgresThere) {
    await report(`${name} with PostgreSQL`, () => runProgram([node, postgres], stores));
  }
  await report(`${name} with ${await versionsIn(frameworks, served)}`, () =>
    runProgram([node, middleware], frameworks),
  );
}
// Node has SQLite of its own from version 22.5.
await report("node:sqlite of the newest Node", () => runProgram([newestNode, sqlite], stores));
await report(`Deno ${await versionOf(deno)}`, () =>
  runProgram([deno, "run", "--allow-net=127.0.0.1", suite], project),
);
// The platform's own program: npm's wrapper of it would not hand on its end.
const platforms = new Bun.Glob("@cloudflare/workerd-*/bin/workerd*");
for (const workerd of platforms.scanSync({ cwd: join(tools, "node_modules"), absolute: true })) {
  await report(`workerd ${await versionOf(workerd)}`, () => runWorkerd(workerd, project));
}

process.exitCode = failures === 0 ? 0 : 1;
