import { join } from "node:path";

/** Where the recipes' projects are, a folder each. */
export const here: string = import.meta.dirname;

type Texts = Readonly<Record<string, string>>;

/** A recipe: a project in the folder of its name. */
export interface Recipe {
  readonly name: string;
  /** As the documentation calls the framework. */
  readonly title: string;
  /** The framework's package of npm; none for a runtime alone. */
  readonly framework?: string;
  /** What its server runs on. */
  readonly runtime: "Bun" | "Deno" | "Node" | "workerd";
  /** The files that connect the framework to the library, and do nothing else. */
  readonly glue: readonly string[];
  /** The files that use the session, or that it needs. */
  readonly pages: readonly string[];
  /** The most lines of glue: 8 if left out. */
  readonly limit?: number;
  /** The status with which the framework itself refuses other sites' forms; ours is 403. */
  readonly refusal?: number;
  /** Other pages by their paths, and what each says. */
  readonly others?: Texts;
  /** WebSockets by their paths, and the first message of each. */
  readonly sockets?: Texts;
}

export const recipes: readonly Recipe[] = [
  {
    name: "next",
    title: "Next",
    framework: "next",
    runtime: "Node",
    glue: ["session.ts", "proxy.ts"],
    pages: ["app/page.tsx", "app/actions.ts"],
    limit: 15,
  },
  {
    name: "sveltekit",
    title: "SvelteKit",
    framework: "@sveltejs/kit",
    runtime: "Node",
    glue: ["src/env.ts", "src/session.server.ts", "src/hooks.server.ts"],
    pages: ["src/routes/+page.server.ts", "src/routes/+page.svelte", "vite.config.ts"],
  },
  {
    name: "hono",
    title: "Hono",
    framework: "hono",
    runtime: "Bun",
    glue: ["session.ts"],
    pages: ["server.ts"],
    others: { "/address": "You came from IPv6" },
    sockets: { "/live": "You are nobody" },
  },
  {
    name: "worker",
    title: "Cloudflare Workers",
    framework: "wrangler",
    runtime: "workerd",
    glue: ["session.ts"],
    pages: ["worker.ts", "store.ts"],
  },
  {
    name: "astro",
    title: "Astro",
    framework: "astro",
    runtime: "Node",
    glue: ["src/session.ts", "src/middleware.ts"],
    pages: ["src/pages/index.astro"],
  },
  {
    name: "elysia",
    title: "Elysia",
    framework: "elysia",
    runtime: "Bun",
    glue: ["session.ts"],
    pages: ["server.ts"],
    others: { "/address": "You came from IPv6" },
  },
  {
    name: "h3",
    title: "h3",
    framework: "h3",
    runtime: "Bun",
    glue: ["session.ts"],
    pages: ["server.ts"],
  },
  {
    name: "react-router",
    title: "React Router",
    framework: "react-router",
    runtime: "Node",
    glue: ["app/session.server.ts"],
    pages: ["app/root.tsx", "app/routes/home.tsx"],
    refusal: 400,
  },
  {
    name: "nuxt",
    title: "Nuxt",
    framework: "nuxt",
    runtime: "Node",
    glue: ["server/middleware/1.session.ts"],
    pages: [
      "server/middleware/2.home.ts",
      "server/utils/home.ts",
      "server/api/home.get.ts",
      "server/routes/login.post.ts",
      "server/routes/add.post.ts",
      "server/routes/logout.post.ts",
      "app/app.vue",
    ],
  },
  {
    name: "tanstack-start",
    title: "TanStack Start",
    framework: "@tanstack/react-start",
    runtime: "Node",
    glue: ["src/session.server.ts", "src/server.ts"],
    pages: ["src/routes/index.tsx"],
  },
  {
    name: "express",
    title: "Express",
    framework: "express",
    runtime: "Node",
    glue: ["session.ts"],
    pages: ["server.ts"],
  },
  {
    name: "fastify",
    title: "Fastify",
    framework: "fastify",
    runtime: "Node",
    glue: ["session.ts"],
    pages: ["server.ts"],
  },
  { name: "deno", title: "Deno", runtime: "Deno", glue: ["session.ts"], pages: ["server.ts"] },
  { name: "bun", title: "Bun", runtime: "Bun", glue: ["session.ts"], pages: ["server.ts"] },
];

/** Lines of glue: all of its files but for imports, comments and blank lines. */
export async function countGlue({ name, glue }: Recipe): Promise<number> {
  const texts = glue.map(async (file) => Bun.file(join(here, name, file)).text());
  return (await Promise.all(texts)).map(countLines).reduce((sum, lines) => sum + lines, 0);
}

function countLines(text: string): number {
  const code = text.replaceAll(/^import [^;]*;$/gm, "").replaceAll(/^\s*\/\*.*?\*\/$/gms, "");
  return code.split("\n").filter((line) => /^\s*(?!\/\/)\S/.test(line)).length;
}

/** The exact version of the recipe's framework: empty for a runtime alone. */
export async function frameworkVersion({ name, framework }: Recipe): Promise<string> {
  if (framework === undefined) return "";
  const { dependencies, devDependencies } = await manifestOf(name);
  return { ...dependencies, ...devDependencies }[framework] ?? "";
}

interface Manifest {
  readonly scripts?: Texts;
  readonly dependencies?: Texts;
  readonly devDependencies?: Texts;
}

const readManifest: (text: string) => Manifest = JSON.parse;

/** The recipe's `package.json`. */
export async function manifestOf(name: string): Promise<Manifest> {
  return readManifest(await Bun.file(join(here, name, "package.json")).text());
}

/** A script of the recipe's `package.json`. */
export async function scriptOf(name: string, script: string): Promise<string | undefined> {
  return (await manifestOf(name)).scripts?.[script];
}
