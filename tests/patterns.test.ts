/** A pattern in bunfig.toml that matches no file would leave tests out without a word. */
import { expect, test } from "bun:test";

const root = new URL("..", import.meta.url).pathname;
const bunfig = await Bun.file(`${root}bunfig.toml`).text();
const patterns = Array.from(bunfig.matchAll(/"([^"]*\*[^"]*)"/g), ([, pattern = ""]) => pattern);

test("there are patterns", () => {
  expect(patterns.length).toBeGreaterThan(1);
});

test.each(patterns)("%s matches a file", (pattern) => {
  expect([...new Bun.Glob(pattern).scanSync(root)]).not.toEqual([]);
});
