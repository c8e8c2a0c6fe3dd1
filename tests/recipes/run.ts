/**
 * Installs the packed library beside each framework's current release, in an empty project each, and
 * signs a browser in and out of every recipe over HTTP. Then it sends what other sites would send.
 *
 * @module
 */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { createClient } from "madeleine/testing";
import { equal } from "../runtimes/assert.ts";
import { install, pack, temporaryFolder } from "../runtimes/project.ts";
import { attack, userOfRecipe } from "./attacks.ts";

interface Recipe {
  /** Of npm; the first one is what the recipe is about. */
  readonly packages: readonly string[];
  readonly program: string;
  readonly runtime: string;
}

const newestNode: string = join(
  import.meta.dirname,
  "../../node_modules/.cache/runtimes/node_modules/node-newest/bin/node",
);
const bun: string = process.execPath;

const recipes: readonly Recipe[] = [
  { packages: [], program: "bun.ts", runtime: bun },
  { packages: ["hono@latest"], program: "hono.ts", runtime: bun },
  { packages: ["elysia@latest"], program: "elysia.ts", runtime: bun },
  { packages: ["h3@latest"], program: "h3.ts", runtime: bun },
  {
    packages: ["react-router@latest", "react", "react-dom"],
    program: "react-router-server.ts",
    runtime: bun,
  },
  { packages: ["express@latest"], program: "express.ts", runtime: newestNode },
];

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  using server = Bun.serve({ port: 0, fetch: () => new Response() });
  return server.port ?? 0;
}

async function isUp(origin: string): Promise<void> {
  const until = performance.now() + 10_000;
  while (
    !(await fetch(origin).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    if (performance.now() > until) throw new Error("It did not answer in 10 s");
    await Bun.sleep(50);
  }
}

/** Signed in, read, signed out; then a copy of the cookie is worth nothing. */
async function visit(origin: string): Promise<void> {
  const client = createClient((request) => fetch(request, { redirect: "manual" }), { origin });
  const page = async (): Promise<string> => (await client.get("/")).text();
  equal(await page(), "You are nobody");
  equal(client.cookies(), []);
  await client.post("/login", { username: "admin" });
  equal(await page(), "You are admin");
  const [cookie] = client.cookies();
  await client.post("/logout", {});
  equal(await page(), "You are nobody");
  equal(client.cookies(), []);
  client.setCookie(`${cookie?.name}=${cookie?.value}; Path=/; Secure; HttpOnly`);
  equal(await page(), "You are nobody");
}

async function tryOut({ packages, program, runtime }: Recipe, tarball: string): Promise<string> {
  await using folder = await temporaryFolder();
  await install(folder.path, [tarball, ...packages]);
  await cp(join(import.meta.dirname, "apps"), folder.path, { recursive: true });
  const port = await freePort();
  const secrets = { SECRET_KEY: crypto.randomUUID(), PORT: String(port) };
  const start = (): Bun.Subprocess =>
    Bun.spawn([runtime, program], {
      cwd: folder.path,
      env: { ...process.env, ...secrets },
      stdout: "ignore",
      stderr: "ignore",
      timeout: 60_000,
    });
  const server = start();
  try {
    await isUp(`http://localhost:${port}`);
    // Ends of itself, because the port is taken, and not by the time limit's signal.
    equal(await start().exited, 1);
    await visit(`http://localhost:${port}`);
    await attack({ origin: `http://localhost:${port}`, userOf: userOfRecipe });
    return await versionsOf(folder.path, packages);
  } finally {
    server.kill();
    await server.exited;
  }
}

async function versionsOf(folder: string, packages: readonly string[]): Promise<string> {
  const versions = packages.map(async (specifier) => {
    const name = specifier.replace(/(?<!^)@.*/, "");
    const manifest = await Bun.file(join(folder, "node_modules", name, "package.json")).text();
    return `${name} ${/"version": "([^"]+)"/.exec(manifest)?.[1]}`;
  });
  return (await Promise.all(versions)).join(", ");
}

await using temporary = await temporaryFolder();
const tarball = await pack(temporary.path);

const lines = recipes.map(async (recipe) => {
  try {
    const versions = await tryOut(recipe, tarball);
    return `${recipe.program}: 1 passed, 0 failed ${versions && `(${versions})`}`;
  } catch (error) {
    process.exitCode = 1;
    return `${recipe.program}: 0 passed, 1 failed\n  ${String(error)}`;
  }
});
console.log((await Promise.all(lines)).join("\n"));
