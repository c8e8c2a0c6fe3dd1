import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openPrivately, readOrMake } from "../../../routes/shared/files.ts";
import { sqliteStore } from "../../../session/stores/sqlite.ts";
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

/** The rights of everything in a folder, as in `chmod`, by name. */
function modesIn(folder: string): Record<string, string> {
  const modes = readdirSync(folder).map((name) => {
    return [name, (statSync(join(folder, name)).mode & 0o777).toString(8)] as const;
  });
  return Object.fromEntries(modes);
}

const DATABASE = { database: "600", "database-shm": "600", "database-wal": "600" };

describe("openPrivately", () => {
  test.each([true, false])(
    "makes the files of a linked database private: it exists: %p",
    (exists) => {
      using directory = temporaryDirectory();
      const [own, other] = [join(directory.path, "own"), join(directory.path, "other")];
      for (const folder of [own, other]) mkdirSync(folder);
      if (exists) writeFileSync(join(other, "database"), "");
      for (const path of readdirSync(other)) chmodSync(join(other, path), 0o666);
      for (const folder of [own, other]) chmodSync(folder, 0o755);
      const link = join(own, "link");
      symlinkSync("../other/database", link);
      using databases = new DisposableStack();
      openPrivately(link, own, () => sqliteStore(databases.use(new Database(link))));
      expect(modesIn(other)).toEqual(DATABASE);
      expect(modesIn(directory.path)).toEqual({ own: "700", other: "755" });
    },
  );

  test.each(["", "SQLite format 3\0\x10\0"])(
    "makes a database private before it opens: %j",
    (head) => {
      using directory = temporaryDirectory();
      const file = join(directory.path, "database");
      for (const name of Object.keys(DATABASE)) writeFileSync(join(directory.path, name), head);
      for (const name of Object.keys(DATABASE)) chmodSync(join(directory.path, name), 0o644);
      openPrivately(file, directory.path, () => expect(modesIn(directory.path)).toEqual(DATABASE));
    },
  );

  test.each(["text", "SQLite format 3", "SQLite format 4\0"])(
    "leaves another file alone until it is open: %j",
    (text) => {
      using directory = temporaryDirectory();
      const file = join(directory.path, "file");
      writeFileSync(file, text);
      chmodSync(file, 0o640);
      openPrivately(file, "", () => expect(modesIn(directory.path)).toEqual({ file: "640" }));
      expect(modesIn(directory.path)).toEqual({ file: "600" });
    },
  );
});
