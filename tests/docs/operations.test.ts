/** The inventory of log lines in docs/operations.md is whole. */
import { expect, test } from "bun:test";

const root = new URL("../..", import.meta.url).pathname;

async function read(file: string): Promise<string> {
  return Bun.file(root + file).text();
}

test("every event that the server logs is in the inventory", async () => {
  const inventory = await read("docs/operations.md");
  const files = ["server.ts", ...new Bun.Glob("routes/**/*.ts").scanSync(root)];
  const sources = (await Promise.all(files.map(read))).join("\n");
  const notes = sources.matchAll(/\bnote\(\s*"([^"]+)"/g);
  const types = (await read("session/events.ts")).matchAll(/readonly type: "([^"]+)"/g);
  const events = Array.from([...notes, ...types], ([, event]) => event ?? "");
  expect(events.length).toBeGreaterThan(15);
  expect(events.filter((event) => !inventory.includes(`\`${event}\``))).toEqual([]);
});
