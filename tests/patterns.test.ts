/** A pattern that matches no file would leave tests out without a word. */
import { expect, test } from "bun:test";
import bunfig from "../bunfig.toml";

const root = new URL("..", import.meta.url).pathname;
const { concurrentTestGlob, pathIgnorePatterns } = bunfig.test;

test.each([...concurrentTestGlob, ...pathIgnorePatterns])("%s matches a file", (pattern) => {
  expect([...new Bun.Glob(pattern).scanSync(root)]).not.toEqual([]);
});
