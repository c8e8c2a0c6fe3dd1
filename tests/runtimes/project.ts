import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root: string = new URL("../..", import.meta.url).pathname;

/** Runs a command to its end and gives what it wrote. Throws where it fails. */
export async function run(
  command: readonly string[],
  options: {
    readonly cwd?: string;
    readonly env?: Readonly<Record<string, string | undefined>>;
  } = {},
): Promise<string> {
  const env = { ...process.env, ...options.env };
  const child = Bun.spawn([...command], { cwd: options.cwd ?? root, env, stderr: "pipe" });
  const [output, errors] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  if ((await child.exited) !== 0) {
    throw new Error(`Cannot run ${command.join(" ")}: ${output}${errors}`);
  }
  return output;
}

/** Installs packages of npm into a folder. No script of theirs runs. */
export async function install(folder: string, packages: readonly string[]): Promise<void> {
  await Bun.write(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
  await run(["npm", "install", ...options, ...packages], { cwd: folder });
}

/** A folder outside of this repository, so that nothing resolves from its `node_modules`. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "madeleine-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Packs what npm would publish into the folder, and gives the tarball's path. */
export async function pack(folder: string): Promise<string> {
  const output = await run(["npm", "pack", "--json", "--pack-destination", folder]);
  const name = /"filename": "([^"]+)"/.exec(output)?.[1];
  if (name === undefined) throw new Error(`Cannot find the tarball: ${output}`);
  return join(folder, name);
}

/** How many packages are installed in the folder, and the bytes of their files. */
export async function measure(folder: string): Promise<{ packages: number; bytes: number }> {
  const modules = join(folder, "node_modules");
  const files = await readdir(modules, { recursive: true, withFileTypes: true });
  const installed = files.filter((file) => file.isFile() && file.parentPath !== modules);
  const sizes = installed.map(async (file) => (await stat(join(file.parentPath, file.name))).size);
  const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
  const packages = (await readdir(modules)).filter((name) => !name.startsWith(".")).length;
  return { packages, bytes };
}

/** Bundles a program for a project: `external` modules are resolved from there. */
export async function bundle(
  entry: string,
  folder: string,
  external: readonly string[],
  target: "browser" | "node" = "browser",
): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [entry],
    outdir: folder,
    target,
    format: "esm",
    external: [...external],
  });
  const [output] = outputs;
  if (output === undefined) throw new Error(`Cannot bundle ${entry}`);
  return output.path;
}
