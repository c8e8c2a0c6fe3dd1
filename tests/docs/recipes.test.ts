import { expect, test } from "bun:test";

const root = new URL("../..", import.meta.url).pathname;
const document = await Bun.file(`${root}docs/recipes.md`).text();
const shown = Array.from(
  document.matchAll(/<!-- (\S+) -->\n\n```ts\n(.*?)```\n/gs),
  ([, path = "", text = ""]) => [path, text] as const,
);

test("docs/recipes.md shows every recipe", () => {
  const files = [...new Bun.Glob("tests/recipes/apps/*.ts").scanSync(root)];
  const recipes = files.filter((file) => !file.endsWith("-server.ts"));
  expect(shown.map(([path]) => path).toSorted()).toEqual(recipes.toSorted());
});

test.each(shown)("docs/recipes.md shows %s as it runs, in 15 lines of ours", async (path, text) => {
  expect(text).toBe(await Bun.file(root + path).text());
  // Types are no code: they are gone when it runs.
  const code = text.replace(/^declare global \{\n.*?^\}\n/ms, "");
  const lines = code.split("\n").filter((line) => line !== "" && !line.startsWith("import "));
  expect(lines.length).toBeLessThanOrEqual(15);
});
