import { expect, test } from "bun:test";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readOrMake } from "../../../routes/shared/files.ts";
import { temporaryDirectory } from "../../support/program.ts";

test("readOrMake makes a text once, and then reads it", () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "key");
  expect(readOrMake(file, () => "first")).toBe("first");
  expect(readOrMake(file, () => "second")).toBe("first");
  expect(readdirSync(directory.path)).toEqual(["key"]);
});

test("readOrMake gives the text of another process that made its own meanwhile", () => {
  using directory = temporaryDirectory();
  const file = join(directory.path, "key");
  function makeLate(): string {
    writeFileSync(file, "theirs");
    return "ours";
  }
  expect(readOrMake(file, makeLate)).toBe("theirs");
  expect(readdirSync(directory.path)).toEqual(["key"]);
});
