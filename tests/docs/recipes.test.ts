import { expect, test } from "bun:test";
import {
  countGlue,
  frameworkVersion,
  manifestOf,
  type Recipe,
  recipes,
} from "../recipes/catalogue.ts";

const root = new URL("../..", import.meta.url).pathname;
const document = await Bun.file(`${root}docs/recipes.md`).text();
const shown = Array.from(
  document.matchAll(/^\[`\S+`\]\(\.\.\/(\S+)\)\n\n```\w+\n(.*?)```\n/gms),
  ([, path = "", text = ""]) => [path, text] as const,
);

test("docs/recipes.md shows every file that connects or uses a session", () => {
  const files = recipes.flatMap(({ name, glue, pages }) =>
    [...glue, ...pages].map((file) => `tests/recipes/${name}/${file}`),
  );
  expect(shown.map(([path]) => path)).toEqual([...files, "tests/recipes/page.ts"]);
});

test.each(shown)("docs/recipes.md shows %s as it runs", async (path, text) => {
  expect(text).toBe(await Bun.file(root + path).text());
});

async function rowOf(recipe: Recipe): Promise<string[]> {
  const { title, runtime } = recipe;
  return [title, await frameworkVersion(recipe), runtime, String(await countGlue(recipe))];
}

test("docs/recipes.md has a row for each recipe, with its version and its lines of glue", async () => {
  const rows = Array.from(document.matchAll(/^\| (.*) \|$/gm), ([, row = ""]) =>
    row.split(" | ").map((cell) => cell.trim()),
  );
  const expected = await Promise.all(recipes.map(rowOf));
  expect(rows.slice(2).map((row) => row.slice(0, 4))).toEqual(expected);
});

test.each(recipes.map((recipe) => [recipe.name, recipe] as const))(
  "the recipe %s names exact versions, and its glue stays short",
  async (name, recipe) => {
    const { dependencies, devDependencies } = await manifestOf(name);
    for (const version of Object.values({ ...dependencies, ...devDependencies })) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
    }
    expect(await countGlue(recipe)).toBeLessThanOrEqual(recipe.limit ?? 8);
  },
);
