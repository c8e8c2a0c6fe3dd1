/**
 * `bun run test:system [WORD …]`: the tests that need a browser, a build, another language, a killed
 * process or a minute: `tests/**\/*.system.ts`, or those whose path has one of the words.
 */
const root = new URL("..", import.meta.url).pathname;
const words = process.argv.slice(2);
const files = [...new Bun.Glob("tests/**/*.system.ts").scanSync(root)]
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .toSorted();
if (files.length === 0)
  throw new Error(`Cannot test: no file has ${words.join(" or ")} in its path`);

const command = [
  process.execPath,
  "test",
  "--timeout",
  "60000",
  ...files.map((file) => `./${file}`),
];
const { exited } = Bun.spawn(command, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
process.exitCode = await exited;
