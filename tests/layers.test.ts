import { describe, expect, test } from "bun:test";

const root = new URL("..", import.meta.url).pathname;
const files = [
  ...new Bun.Glob("{session,routes}/**/*.ts").scanSync(root),
  ...new Bun.Glob("server.ts").scanSync(root),
].toSorted();

/** An import of a file by another, or of a package. Types count: they are read as well. */
interface Import {
  readonly file: string;
  /** A file of ours, from the root, or the name of a package. */
  readonly imported: string;
}

const FROM = /^(?:import|export)\b[^;]*?\bfrom "([^"]+)";$/gm;
const OTHERS = /\bimport(?: |\()"([^"]+)"/g;

async function importsOf(file: string): Promise<Import[]> {
  const source = await Bun.file(root + file).text();
  const paths = [...source.matchAll(FROM), ...source.matchAll(OTHERS)].map(
    ([, path]) => path ?? "",
  );
  return paths.map((path) => ({
    file,
    imported: path.startsWith(".") ? new URL(path, `file:///${file}`).pathname.slice(1) : path,
  }));
}

const imports: readonly Import[] = (await Promise.all(files.map(importsOf))).flat();

function matches(path: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => new Bun.Glob(pattern).match(path));
}

/** The imports of the files of `from`. Throws where there are no such files: a rule of none holds. */
function importsIn(from: string): readonly Import[] {
  if (!files.some((file) => matches(file, [from]))) throw new Error(`There is no file ${from}`);
  return imports.filter(({ file }) => matches(file, [from]));
}

function linesOf(found: readonly Import[]): string[] {
  return found.map(({ file, imported }) => `${file} imports ${imported}`);
}

/** The imports of `kind` in the files of `from` that are not allowed there. */
function strangers(from: string, allowed: readonly string[], kind = /./): string[] {
  const found = importsIn(from).filter(({ imported }) => kind.test(imported));
  return linesOf(found.filter(({ imported }) => !matches(imported, allowed)));
}

/** The imports of `guests` in the files of `from` other than the hosts. */
function guestsIn(from: string, guests: readonly string[], hosts: readonly string[]): string[] {
  const found = importsIn(from).filter(({ imported }) => matches(imported, guests));
  return linesOf(found.filter(({ file }) => !matches(file, hosts)));
}

/** A way from the file back to itself, by imports alone; undefined where there is none. */
function cycleFrom(start: string): string | undefined {
  const ways = new Map([[start, start]]);
  for (const [at, way] of ways) {
    for (const { imported } of imports.filter(({ file }) => file === at)) {
      if (imported === start) return `${way} → ${start}`;
      if (!ways.has(imported)) ways.set(imported, `${way} → ${imported}`);
    }
  }
  return undefined;
}

/** What is ours and no package. */
const OURS = /^(?:session|routes|server)\b/;
const FOREIGN_STORES = ["sqlite", "redis", "postgres"].map((name) => `session/stores/${name}.ts`);

test("the walk finds every import", () => {
  expect(imports).toContainEqual({ file: "session/mod.ts", imported: "session/sessions.ts" });
  expect(imports).toContainEqual({ file: "session/token/keys.ts", imported: "jose" });
  expect(imports).toContainEqual({ file: "server.ts", imported: "routes/mod.ts" });
  const missing = imports.filter(
    ({ imported }) => OURS.test(imported) && !files.includes(imported),
  );
  expect(missing).toEqual([]);
});

test.each(files)("%s is in no circle of imports", (file) => {
  expect(cycleFrom(file)).toBeUndefined();
});

describe("inside session/", () => {
  const BASE = ["errors", "maybe", "state"].map((name) => `session/${name}.ts`);

  test.each(["token", "cookie", "stores"])("%s/ is below the rest", (folder) => {
    const allowed = [`session/${folder}/*`, ...BASE];
    expect(strangers(`session/${folder}/*`, allowed, OURS)).toEqual([]);
  });

  test("nothing of routes and the server is there", () => {
    expect(strangers("session/**", ["session/**"], OURS)).toEqual([]);
  });

  test("whoever wants a foreign store, the test kit or another optional part imports it", () => {
    const parts = ["flask", "node", "verify"].map((name) => `session/${name}.ts`);
    const alone = [...FOREIGN_STORES, ...parts, "session/testing/*"];
    expect(guestsIn("session/**", alone, ["session/testing/*"])).toEqual([]);
    expect(guestsIn("session/**", ["session/hold.ts"], ["session/node.ts"])).toEqual([]);
    expect(guestsIn("session/**", ["session/token/jwks.ts"], ["session/verify.ts"])).toEqual([]);
    const handle = ["session/stores/postgres_handle.ts"];
    expect(guestsIn("session/**", handle, ["session/stores/postgres.ts"])).toEqual([]);
  });

  test("what keeps the list of a user's sessions is loaded when it is used", async () => {
    const others = files.filter((file) => /^session\/(?!list)/.test(file));
    const sources = await Promise.all(others.map((file) => Bun.file(root + file).text()));
    const loaded = /^(?:import|export) (?!type )[^;]*"\.\/list\w*\.ts";$/gm;
    expect(sources.flatMap((source) => source.match(loaded) ?? [])).toEqual([]);
    expect(sources.join("").match(/await import\("\.\/list_\w+\.ts"\)/g)).toHaveLength(4);
  });

  test("jose is in token/ alone", () => {
    expect(guestsIn("session/**", ["jose", "jose/**"], ["session/token/*"])).toEqual([]);
  });

  test("there is no other package, and no runtime but in its own store", () => {
    const packages = /^(?!session\/)/;
    expect(strangers("session/token/*", ["session/**", "jose"], packages)).toEqual([]);
    const stores = "stores/{store,guarded,memory,postgres,postgres_handle}.ts";
    const others = ["*", "cookie/*", "testing/*", stores];
    for (const name of others) {
      expect(strangers(`session/${name}`, ["session/**"], packages)).toEqual([]);
    }
    const runtime = ["session/**", "bun", "bun:*", "node:*"];
    for (const store of FOREIGN_STORES) expect(strangers(store, runtime)).toEqual([]);
  });
});

describe("outside of session/", () => {
  const PUBLIC = ["session/mod.ts", "session/origin.ts"];

  test("routes import the library's public modules alone", () => {
    expect(strangers("routes/**", ["routes/**", ...PUBLIC], OURS)).toEqual([]);
  });

  test("a page imports what pages share, and no other page", () => {
    for (const page of files.filter((file) => /^routes\/(?!mod\.ts)[^/]+$/.test(file))) {
      expect(strangers(page, ["routes/shared/*", "session/mod.ts"])).toEqual([]);
    }
  });

  test("what pages share imports no page", () => {
    expect(strangers("routes/shared/*", ["routes/shared/*", ...PUBLIC], OURS)).toEqual([]);
  });

  test("the server imports the routes and what the library exports", () => {
    const exported = [...PUBLIC, ...FOREIGN_STORES];
    expect(strangers("server.ts", ["routes/**", ...exported], OURS)).toEqual([]);
    expect(guestsIn("{session,routes}/**", ["server.ts"], [])).toEqual([]);
  });
});
