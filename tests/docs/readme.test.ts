import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { KEY } from "../support/app.ts";
import { Program, ROOT } from "../support/program.ts";

/** A block of TypeScript, and where it begins. */
interface Block {
  readonly line: number;
  readonly code: string;
}

const readme = await Bun.file(join(ROOT, "README.md")).text();
const blocks = blocksOf(readme);

/** The blocks that are marked as `ts`. Each runs on its own. */
function blocksOf(text: string): Block[] {
  return Array.from(text.matchAll(/^```ts\n(.*?)^```$/gms), ({ index, 1: code = "" }) => ({
    line: text.slice(0, index).split("\n").length + 1,
    code,
  }));
}

/** What the block says that it prints: the rest of each line after `// prints: `. */
function expectedOf({ code }: Block): string[] {
  return Array.from(code.matchAll(/\/\/ prints: (.*)$/gm), ([, output = ""]) => output);
}

describe("the README's blocks", () => {
  let directory = "";
  const fileOf = ({ line }: Block): string => join(directory, `line-${line}.ts`);

  beforeAll(async () => {
    // Within the project, so that "madeleine" is the package itself.
    mkdirSync(join(ROOT, "tests/tmp"), { recursive: true });
    directory = mkdtempSync(join(ROOT, "tests/tmp/readme-"));
    await Bun.write(
      join(directory, "tsconfig.json"),
      JSON.stringify({ extends: "../../../tsconfig.json", include: ["*.ts"], exclude: [] }),
    );
    for (const block of blocks) await Bun.write(fileOf(block), `${block.code}export {};\n`);
  });

  afterAll(() => rmSync(join(ROOT, "tests/tmp"), { recursive: true, force: true }));

  test("are there", () => {
    expect(blocks.length).toBeGreaterThan(2);
  });

  test("pass the compiler", async () => {
    const tsc = join(ROOT, "node_modules/.bin/tsc");
    const unused = ["--noUnusedLocals", "false", "--noUnusedParameters", "false"];
    await using program = new Program([tsc, "-p", directory, ...unused], {}, ROOT);
    expect(await program.end()).toEqual({ code: 0, output: [], errors: [] });
  });

  test.each(blocks.map((block) => [block.line, block] as const))(
    "the one at line %d runs, and prints what it says",
    async (_line, block) => {
      const preload = join(ROOT, "tests/fixtures/readme_preload.ts");
      const environment = { SECRET_KEY: KEY, FLASK_SECRET_KEY: "dev", PORT: "0" };
      const command = [process.execPath, "--preload", preload, fileOf(block)];
      await using program = new Program(command, environment, directory);
      expect(await program.end()).toEqual({ code: 0, output: expectedOf(block), errors: [] });
    },
  );
});
