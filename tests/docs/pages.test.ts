import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { createSessions } from "../../session/mod.ts";
import { KEY } from "../support/app.ts";
import { errorOf, untyped } from "../support/errors.ts";
import { Program, ROOT, SERVER } from "../support/program.ts";
import { requestWith } from "../support/requests.ts";
import { SECRET } from "../support/secrets.ts";

/** A block of TypeScript, and where it begins. */
interface Block {
  readonly file: string;
  readonly line: number;
  readonly code: string;
}

const [readme, api, operations] = await Promise.all(
  ["README.md", "docs/api.md", "docs/operations.md"].map(async (file) => textOf(file)),
);
const files = ["README.md", "docs/api.md", "docs/testing.md", "docs/flask.md"];
const blocks = (await Promise.all(files.map(blocksOf))).flat();

function textOf(file: string): Promise<string> {
  return Bun.file(join(ROOT, file)).text();
}

/** The blocks that are marked as `ts`. Each runs on its own. */
async function blocksOf(file: string): Promise<Block[]> {
  const text = await textOf(file);
  return Array.from(text.matchAll(/^```ts\n(.*?)^```$/gms), ({ index, 1: code = "" }) => ({
    file,
    line: text.slice(0, index).split("\n").length + 1,
    code,
  }));
}

/** What the block says that it prints: the rest of each line after `// prints: `. */
function expectedOf({ code }: Block): string[] {
  return Array.from(code.matchAll(/\/\/ prints: (.*)$/gm), ([, output = ""]) => output);
}

describe("the blocks of the documentation", () => {
  let directory = "";
  const fileOf = ({ file, line }: Block): string =>
    join(directory, `${basename(file, ".md")}-${line}.ts`);

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
    expect(files.filter((file) => !blocks.some((block) => block.file === file))).toEqual([]);
  });

  test("pass the compiler", async () => {
    const tsc = join(ROOT, "node_modules/.bin/tsc");
    const unused = ["--noUnusedLocals", "false", "--noUnusedParameters", "false"];
    await using program = new Program([tsc, "-p", directory, ...unused], {}, ROOT);
    expect(await program.end()).toEqual({ code: 0, output: [], errors: [] });
  });

  test.each(blocks.map((block) => [block.file, block.line, block] as const))(
    "the one of %s at line %d runs, and prints what it says",
    async (_file, _line, block) => {
      const preload = join(ROOT, "tests/fixtures/readme_preload.ts");
      const environment = { SECRET_KEY: KEY, FLASK_SECRET_KEY: "dev", PORT: "0" };
      const command = [process.execPath, "--preload", preload, fileOf(block)];
      await using program = new Program(command, environment, directory);
      expect(await program.end()).toEqual({ code: 0, output: expectedOf(block), errors: [] });
    },
  );
});

/** The names in the first column of the table with that heading: `get` of "`get(key)`". */
function namesUnder(heading: string, text = ""): string[] {
  const table = new RegExp(`^\\| ${heading} .*\\n\\|.*\\n((?:\\|.*\\n)+)`, "m").exec(text);
  const cells = Array.from((table?.[1] ?? "").matchAll(/^\|([^|]*)\|/gm), ([, cell = ""]) => cell);
  return cells.flatMap((cell) => Array.from(cell.matchAll(/`(\w+)/g), ([, name = ""]) => name));
}

function sorted(names: Iterable<string>): string[] {
  return [...new Set(names)].toSorted();
}

async function sourceOf(file: string): Promise<string> {
  return Bun.file(join(ROOT, "session", file)).text();
}

describe("the tables are whole", () => {
  const sessions = createSessions({ secretKey: SECRET });

  test("the members of a session", async () => {
    const session = Reflect.getPrototypeOf(await sessions.open(requestWith()));
    const readonly = Reflect.getPrototypeOf(await sessions.read(requestWith()));
    const members = [session, readonly].flatMap((of) => Object.getOwnPropertyNames(of ?? {}));
    const expected = members.filter((name) => name !== "constructor");
    expect(sorted(namesUnder("member", api))).toEqual(sorted(expected));
  });

  test("what createSessions gives", () => {
    expect(sorted(namesUnder("function", api))).toEqual(sorted(Object.keys(sessions)));
  });

  test("the options, as an error lists them", async () => {
    const error = await errorOf(() => createSessions(untyped({ secretKey: SECRET, no: 1 })));
    const [, list = ""] = /only (.*)$/.exec(String(error)) ?? [];
    expect(sorted(namesUnder("option", api))).toEqual(sorted(list.split(", ")));
  });

  test("the cookie's attributes", async () => {
    const source = await sourceOf("cookie/attributes.ts");
    const [, members = ""] = /interface CookieOptions \{(.*?)^\}/ms.exec(source) ?? [];
    const names = Array.from(members.matchAll(/readonly (\w+)\?:/g), ([, name = ""]) => name);
    for (const text of [readme, api]) {
      expect(sorted(namesUnder("attribute", text))).toEqual(sorted(names));
    }
  });

  test("the types of events", async () => {
    const source = await sourceOf("events.ts");
    const types = Array.from(source.matchAll(/readonly type: "([^"]+)"/g), ([, type = ""]) => type);
    const [list = ""] = /^The event types are .*?\. /ms.exec(api ?? "") ?? [];
    const named = Array.from(list.matchAll(/`([a-z-]+)`/g), ([, type = ""]) => type);
    expect(sorted(named)).toEqual(sorted(types));
  });

  test("the server's variables, as its help lists them", async () => {
    await using program = new Program([...SERVER, "--help"]);
    const { output } = await program.end();
    const lines = output.join("\n").matchAll(/^ {2}([A-Z_]+(?:, [A-Z_]+)*)/gm);
    const names = Array.from(lines, ([, names = ""]) => names.split(", ")).flat();
    expect(names).toContain("SECRET_KEY");
    expect(sorted(namesUnder("variable", operations))).toEqual(sorted(names));
  });
});
