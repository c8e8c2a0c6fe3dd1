import { expect, test } from "bun:test";

/** A file imports only from layers of a lower number. */
const LAYERS: readonly (readonly string[])[] = [
  ["session/errors.ts", "session/maybe.ts"],
  [
    "session/origin.ts",
    "session/entries.ts",
    "session/token/cache.ts",
    "session/token/deflate.ts",
    "session/cookie/response.ts",
    "routes/shared/html.ts",
  ],
  [
    "session/cookie/attributes.ts",
    "session/token/json.ts",
    "session/token/keys.ts",
    "session/stores/store.ts",
    "session/record.ts",
    "session/flask.ts",
  ],
  [
    "session/state.ts",
    "session/token/token.ts",
    "session/testing/jar.ts",
    "session/records.ts",
    "session/stores/*.ts",
  ],
  ["session/session.ts"],
  ["session/options.ts"],
  ["session/write.ts"],
  ["session/commit.ts"],
  ["session/sessions.ts"],
  ["session/mod.ts"],
  ["session/testing/mod.ts"],
  ["routes/shared/types.ts", "routes/shared/limit.ts", "routes/shared/address.ts"],
  ["routes/shared/*.ts"],
  ["routes/*.ts"],
  ["routes/mod.ts"],
  ["server.ts"],
];

const JOSE = new Set(["session/token/keys.ts", "session/token/token.ts"]);
const RUNTIME_STORES = new Set([
  "session/stores/sqlite.ts",
  "session/stores/redis.ts",
  "session/stores/postgres.ts",
]);

const root = new URL("..", import.meta.url).pathname;
const files = [
  ...new Bun.Glob("{session,routes}/**/*.ts").scanSync(root),
  ...new Bun.Glob("server.ts").scanSync(root),
].toSorted();

/** The layer whose list names the file, or else the one whose pattern holds it. */
function layerOf(file: string): number {
  const named = LAYERS.findIndex((layer) => layer.includes(file));
  if (named !== -1) return named;
  return LAYERS.findIndex((layer) => layer.some((name) => new Bun.Glob(name).match(file)));
}

async function importsOf(file: string): Promise<string[]> {
  const source = await Bun.file(root + file).text();
  const imports = source.matchAll(/^(?:import|export)\b[^;]*?\bfrom "([^"]+)";$/gm);
  return Array.from(imports, ([, path]) => path ?? "");
}

function resolve(file: string, path: string): string {
  return new URL(path, `file:///${file}`).pathname.slice(1);
}

test.each(files)("%s imports from lower layers alone", async (file) => {
  const layer = layerOf(file);
  expect(layer).not.toBe(-1);
  for (const path of (await importsOf(file)).filter((path) => path.startsWith("."))) {
    const imported = resolve(file, path);
    expect(`${imported} ${layerOf(imported) < layer}`).toBe(`${imported} true`);
  }
});

test.each(files.filter((file) => file.startsWith("session/")))(
  "%s needs Web APIs alone, and jose where it signs",
  async (file) => {
    const packages = (await importsOf(file)).filter((path) => !path.startsWith("."));
    const allowed = JOSE.has(file)
      ? ["jose"]
      : RUNTIME_STORES.has(file)
        ? ["bun", "bun:sqlite"]
        : [];
    expect(packages.filter((name) => !allowed.includes(name))).toEqual([]);
  },
);
