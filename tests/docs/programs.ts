/**
 * Runs the programs of docs/tokens.md, each with many tokens in one process, since starting one takes
 * most of the time.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../support/program.ts";

/** What a program did with a token. */
export interface Verdict {
  readonly isTaken: boolean;
  /** What it printed. */
  readonly output: string;
}

/** A language of the page: how to run a program of it, and what has to be installed for that. */
export interface Language {
  readonly name: string;
  readonly needs: readonly string[];
  /** What must succeed besides, for a module that has to be installed. */
  readonly probe?: readonly string[];
  /** What runs a loop: it gets the program, then the tokens, and prints a JSON line for each. */
  readonly command: readonly string[];
}

const JAVASCRIPT = `
  const [file, ...tokens] = process.argv.slice(1);
  const print = console.log;
  for (const [index, token] of tokens.entries()) {
    let output = "";
    console.log = (line) => void (output += line);
    process.env.TOKEN = token;
    const isTaken = await import(file + "?" + index).then(() => true, () => false);
    print(JSON.stringify({ isTaken, output }));
  }`;

const PYTHON = `
import contextlib, io, json, os, sys
for token in sys.argv[2:]:
    os.environ["TOKEN"] = token
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output):
            exec(open(sys.argv[1]).read(), {})
        taken = True
    except (Exception, SystemExit):
        taken = False
    print(json.dumps({"isTaken": taken, "output": output.getvalue()}))`;

const SHELL = `
  file=$1
  shift
  for token in "$@"; do
    taken=true
    output=$(TOKEN=$token sh "$file" 2>/dev/null) || taken=false
    jq -cn --argjson isTaken "$taken" --arg output "$output" '{ $isTaken, $output }'
  done`;

/** Go has to be compiled first. */
const GO = `
  set -e
  file=$1
  shift
  export GOCACHE="\${file%/*}/cache" GOPATH="\${file%/*}/path" GO111MODULE=off
  go build -o "$file.run" "$file"
  for token in "$@"; do
    taken=true
    output=$(TOKEN=$token "$file.run" 2>/dev/null) || taken=false
    jq -cn --argjson isTaken "$taken" --arg output "$output" '{ $isTaken, $output }'
  done`;

/** Debian's, which has Debian's modules, where another one comes first. */
const DEBIAN_PYTHON = "/usr/bin/python3";

function debianPython(module: string): Language {
  return {
    name: "python",
    needs: [DEBIAN_PYTHON],
    probe: [DEBIAN_PYTHON, "-c", `import ${module}`],
    command: [DEBIAN_PYTHON, "-c", PYTHON],
  };
}

/** The programs that verify HS256. */
export const LANGUAGES: readonly Language[] = [
  { name: "js", needs: [], command: [process.execPath, "-e", JAVASCRIPT, "--"] },
  { name: "python", needs: ["python3"], command: ["python3", "-c", PYTHON] },
  { name: "sh", needs: ["openssl", "jq"], command: ["sh", "-c", SHELL, "sh"] },
];

/** The programs that verify ES256. */
export const ES256_LANGUAGES: readonly Language[] = [
  { name: "js", needs: [], command: [process.execPath, "-e", JAVASCRIPT, "--"] },
  debianPython("jwt, cryptography"),
  { name: "go", needs: ["go", "jq"], command: ["sh", "-c", GO, "sh"] },
];

/** The programs that decrypt. */
export const ENCRYPTED_LANGUAGES: readonly Language[] = [
  debianPython("jwcrypto"),
  { name: "sh", needs: ["jose", "openssl", "jq"], command: ["sh", "-c", SHELL, "sh"] },
];

/** What a program needs and this machine does not have. */
export function missingFor({ needs, probe }: Language): readonly string[] {
  const missing = needs.filter((need) => Bun.which(need) === null);
  if (missing.length > 0 || probe === undefined) return missing;
  return Bun.spawnSync([...probe], { stderr: "ignore" }).success ? [] : [probe.at(-1) ?? ""];
}

/** What the program says of each token. Rejects where it could not be run with all of them. */
export async function runProgram(
  { name, command }: Language,
  program: string,
  environment: Readonly<Record<string, string>>,
  tokens: readonly string[],
): Promise<readonly Verdict[]> {
  // Within the project, so that "jose" is found.
  mkdirSync(join(ROOT, "tests/tmp"), { recursive: true });
  const folder = mkdtempSync(join(ROOT, "tests/tmp/tokens-"));
  try {
    const file = join(folder, `program.${name}`);
    await Bun.write(file, program);
    const child = Bun.spawn([...command, file, ...tokens], {
      env: { PATH: process.env["PATH"], ...environment },
      stdin: "ignore",
      stderr: "ignore",
    });
    const lines = (await new Response(child.stdout).text()).trimEnd().split("\n");
    const verdicts = lines.map((line) => readVerdict(JSON.parse(line)));
    if (verdicts.length === tokens.length && (await child.exited) === 0) return verdicts;
    throw new Error(`Cannot run the program in ${name}: ${verdicts.length} of ${tokens.length}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function readVerdict(json: unknown): Verdict {
  if (isVerdict(json)) return json;
  throw new TypeError(`Cannot read a verdict: got ${JSON.stringify(json)}`);
}

function isVerdict(json: unknown): json is Verdict {
  if (typeof json !== "object" || json === null) return false;
  if (!("isTaken" in json && "output" in json)) return false;
  return typeof json.isTaken === "boolean" && typeof json.output === "string";
}
