/**
 * Packs the library and installs it in each recipe's project, outside of this repository, with what its
 * `package.json` names. Builds the project without a secret, starts it as its users do, and runs the
 * script of `visit.ts` against it. `bun tests/recipes/run.ts [NAME…]`: all of them without a name.
 *
 * @module
 */
import { cp } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { pack, run, temporaryFolder } from "../runtimes/project.ts";
import { deno, installTools, newestNode } from "../runtimes/tools.ts";
import { countGlue, frameworkVersion, here, type Recipe, recipes, scriptOf } from "./catalogue.ts";
import { visit } from "./visit.ts";

/** npm leaves a record of addresses that nobody needs. No script of a package runs. */
const INSTALL = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"];
const root: string = join(here, "../..");
const STRICT: readonly string[] = [
  "--ignoreConfig --strict --noEmit --skipLibCheck --allowImportingTsExtensions".split(" "),
  "--target esnext --module nodenext --lib esnext,dom,dom.iterable --types".split(" "),
  join(root, "node_modules/bun-types"),
].flat();
/** Nothing is sent to the frameworks' makers. */
const QUIET = {
  ASTRO_TELEMETRY_DISABLED: "1",
  CI: "1",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  NEXT_TELEMETRY_DISABLED: "1",
  NUXT_TELEMETRY_DISABLED: "1",
  WRANGLER_SEND_METRICS: "false",
};
/** Milliseconds. */
const START_LIMIT = 60_000;

type Environment = Readonly<Record<string, string | undefined>>;

/** As in a shell of the project, with the newest runtimes. */
function environmentOf(folder: string): Environment {
  const ours = [dirname(newestNode), dirname(deno), dirname(process.execPath)];
  const path = [join(folder, "node_modules/.bin"), ...ours, process.env["PATH"]];
  return { ...QUIET, PATH: path.join(delimiter), HOME: process.env["HOME"] };
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  using server = Bun.serve({ port: 0, fetch: () => new Response() });
  return server.port ?? 0;
}

/** The servers that still run, by their process groups, so that none outlives this program. */
const running = new Set<number>();
function killAll(): void {
  for (const group of running) kill(group);
}
process.on("exit", killAll);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

function kill(group: number): void {
  try {
    process.kill(-group, "SIGKILL");
  } catch {
    // All of them have ended.
  }
  running.delete(group);
}

/** A process that serves a recipe, and what it printed. */
class Server implements AsyncDisposable {
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #output: Promise<string>;

  constructor(command: string, cwd: string, env: Environment) {
    const options = { stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
    // A group of processes, so that none of them outlives its parent.
    this.#process = Bun.spawn(["sh", "-c", command], { cwd, env, ...options, detached: true });
    running.add(this.#process.pid);
    const streams = [this.#process.stdout, this.#process.stderr];
    this.#output = Promise.all(streams.map(async (stream) => new Response(stream).text())).then(
      (texts) => texts.join(""),
    );
  }

  async isUp(origin: string): Promise<void> {
    const until = performance.now() + START_LIMIT;
    while (performance.now() < until && this.#process.exitCode === null) {
      const isUp = await fetch(origin).then(
        ({ ok }) => ok,
        () => false,
      );
      if (isUp) return;
      await Bun.sleep(100);
    }
    throw new Error(`Cannot reach the server: it printed ${await this.#end()}`);
  }

  async #end(): Promise<string> {
    kill(this.#process.pid);
    return this.#output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const output = await this.#end();
    if (process.env["VERBOSE"] !== undefined) console.log(output);
  }
}

/** Compiles the recipe against the package's declarations, where its framework has no check for that. */
async function checkTypes({ name, glue, pages }: Recipe, cwd: string, env: Environment) {
  if ((await scriptOf(name, "check")) !== undefined) return;
  const isConfigured = await Bun.file(join(here, name, "tsconfig.json")).exists();
  const options = isConfigured ? ["-p", "."] : [...STRICT, ...glue, ...pages];
  await run([join(root, "node_modules/.bin/tsc"), ...options], { cwd, env });
}

/** Whether the recipe shows the page that frameworks without templates share. */
async function usesPage({ name, pages }: Recipe): Promise<boolean> {
  const texts = pages.map(async (file) => Bun.file(join(here, name, file)).text());
  return (await Promise.all(texts)).some((text) => text.includes('"./page.ts"'));
}

/** The line of a recipe: what it ran with, and what the script found. */
async function tryOut(recipe: Recipe, tarball: string): Promise<string> {
  const { name, title, refusal = 403, others = {}, sockets = {} } = recipe;
  await using folder = await temporaryFolder();
  const cwd = folder.path;
  await cp(join(here, name), cwd, { recursive: true });
  if (await usesPage(recipe)) await cp(join(here, "page.ts"), join(cwd, "page.ts"));
  const port = String(await freePort());
  const origin = `http://localhost:${port}`;
  const address = { PORT: port, HOST: "127.0.0.1", ORIGIN: origin };
  const env = { ...environmentOf(cwd), ...address };
  const shell = async (...command: string[]): Promise<string> => run(command, { cwd, env });
  await shell("npm", "install", ...INSTALL, "--loglevel=error", tarball);
  for (const script of ["check", "build"]) {
    if ((await scriptOf(name, script)) !== undefined) await shell("npm", "run", script);
  }
  await checkTypes(recipe, cwd, env);
  const secretKey = crypto.randomUUID();
  const start = (await scriptOf(name, "start")) ?? "";
  const live = { ...env, NODE_ENV: "production", SECRET_KEY: secretKey };
  await using server = new Server(start, cwd, live);
  await server.isUp(origin);
  const findings = await visit({ origin, secretKey, refusal, others, sockets });
  const failed = findings.filter(({ error }) => error !== undefined);
  if (failed.length > 0) process.exitCode = 1;
  const version = await frameworkVersion(recipe);
  return [
    `${name}: ${findings.length - failed.length} passed, ${failed.length} failed`,
    `  ${`${title} ${version}`.trim()}, ${await countGlue(recipe)} lines of glue`,
    ...failed.map(({ name, error }) => `  ${name}: ${error}`),
  ].join("\n");
}

// Builds have no secret, whatever this was started with.
delete process.env["SECRET_KEY"];

const names = process.argv.slice(2);
const unknown = names.find((name) => recipes.every((recipe) => recipe.name !== name));
if (unknown !== undefined) throw new Error(`Cannot find the recipe ${unknown}`);

await using temporary = await temporaryFolder();
await installTools();
const tarball = await pack(temporary.path);
for (const recipe of recipes) {
  if (names.length > 0 && !names.includes(recipe.name)) continue;
  try {
    console.log(await tryOut(recipe, tarball));
  } catch (error) {
    process.exitCode = 1;
    console.log(`${recipe.name}: 0 passed, 1 failed\n  ${String(error)}`);
  }
}
