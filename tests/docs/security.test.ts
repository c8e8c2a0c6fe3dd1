/** SECURITY.md names tests that exist. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/program.ts";

const document = await Bun.file(join(ROOT, "SECURITY.md")).text();
const named = new Set(Array.from(document.matchAll(/`(tests\/[^`]+)`/g), ([, path = ""]) => path));

test("SECURITY.md names tests that exist", () => {
  expect(named.size).toBeGreaterThan(10);
  expect([...named].filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
});
