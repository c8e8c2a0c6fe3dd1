import { expect, test } from "bun:test";
import { RULES, rowsOf } from "./rules/all.ts";
import { isNamedTest } from "./rules/mutation.ts";

const root = new URL("../../", import.meta.url).pathname;

test("the README's table has every rule, with what shows it", async () => {
  const readme = await Bun.file(`${root}tests/simulation/README.md`).text();
  const [, , ...lines] = readme
    .slice(readme.search(/^\| rule /m))
    .trimEnd()
    .split("\n");
  const rows = lines.map((line) => line.split("|").slice(1, -1));
  expect(rows.map((cells) => cells.map((cell) => cell.trim()))).toEqual(rowsOf(RULES));
});

test.each(RULES.map((rule) => [rule.rule, rule.how, rule] as const))(
  "%s: one place in the sources holds it (without it: %s)",
  async (_, __, { file, find, replace }) => {
    const source = await Bun.file(`${root}session/${file}`).text();
    expect(source.split(find)).toHaveLength(2);
    expect(replace).not.toBe(find);
  },
);

test("the tests that show a rule are there", async () => {
  for (const { shows } of RULES) {
    if (!isNamedTest(shows)) continue;
    expect(await Bun.file(root + shows.path).exists()).toBe(true);
  }
});
