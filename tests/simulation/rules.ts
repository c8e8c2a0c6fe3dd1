import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { RULES } from "./rules/all.ts";
import { isNamedTest, type Mutation } from "./rules/mutation.ts";

/**
 * `bun run simulate:rules [TEXT]`: takes away each rule, or each whose words have the text in them, in
 * a copy of the sources, and fails where neither the simulation nor the named test notices.
 */
const root = new URL("../../", import.meta.url).pathname;
/** The most interleavings for each place of the data. */
const INTERLEAVINGS = 20_000;
/** In milliseconds: a rule that is gone may leave a loop without an end. */
const TIMEOUT = 600_000;
/** Rules that are tried at once. */
const WORKERS = 2;
const COPIED = [
  "package.json",
  "tsconfig.json",
  "bunfig.toml",
  "session",
  "routes",
  "server.ts",
  "tests",
];
const LEFT_OUT = /\/tests\/(?:bench|tmp|runtimes|recipes|fuzz|scaling)(?:\/|$)/;

interface Outcome {
  readonly isShown: boolean;
  readonly text: string;
}

/** A copy of what the simulation and the tests need. */
async function createCopy(): Promise<string> {
  const copy = await mkdtemp(`${tmpdir()}/rules-`);
  for (const name of COPIED) {
    const filter = (path: string): boolean => !LEFT_OUT.test(path);
    await cp(root + name, `${copy}/${name}`, { recursive: true, filter });
  }
  await symlink(`${root}node_modules`, `${copy}/node_modules`);
  return copy;
}

async function tryRule(copy: string, mutation: Mutation): Promise<Outcome> {
  const { file, find, replace } = mutation;
  const path = `${copy}/session/${file}`;
  const source = await Bun.file(path).text();
  if (source.split(find).length !== 2) return { isShown: false, text: `${file} has changed` };
  const whole = await outcomeOf(copy, mutation, true);
  if (whole !== undefined) return whole;
  await Bun.write(
    path,
    source.replace(find, () => replace),
  );
  try {
    return (await outcomeOf(copy, mutation, false)) ?? { isShown: false, text: "nothing shows it" };
  } finally {
    await Bun.write(path, source);
  }
}

/** What the simulation or the test says; undefined where it notices nothing. */
async function outcomeOf(
  copy: string,
  { shows }: Mutation,
  isWhole: boolean,
): Promise<Outcome | undefined> {
  if (!isNamedTest(shows)) {
    if (isWhole) return undefined; // `bun run simulate` says so.
    const script = "tests/simulation/rules/first_fault.ts";
    const { code, text } = await run(copy, [script, `${INTERLEAVINGS}`, ...shows]);
    return code === 0 ? { isShown: true, text: text.trim() } : undefined;
  }
  const title = shows.title.replaceAll(/[^\w ]/g, "\\$&");
  const { code } = await run(copy, ["test", `./${shows.path}`, "--test-name-pattern", title]);
  if (isWhole) return code === 0 ? undefined : { isShown: false, text: "the test fails anyway" };
  return code === 0 ? undefined : { isShown: true, text: `${shows.path} fails` };
}

async function run(
  cwd: string,
  parameters: readonly string[],
): Promise<{ readonly code: number; readonly text: string }> {
  const child = Bun.spawn([process.execPath, ...parameters], {
    cwd,
    stdio: ["ignore", "pipe", "ignore"],
    timeout: TIMEOUT,
  });
  const [text, code] = await Promise.all([new Response(child.stdout).text(), child.exited]);
  return { code, text };
}

async function work(rules: Mutation[]): Promise<void> {
  const copy = await createCopy();
  try {
    for (let rule = rules.shift(); rule !== undefined; rule = rules.shift()) {
      const { isShown, text } = await tryRule(copy, rule);
      console.log(`${isShown ? "shown" : "NOT SHOWN"}: ${rule.rule} (${rule.how}): ${text}`);
      if (!isShown) process.exitCode = 1;
    }
  } finally {
    await rm(copy, { recursive: true });
  }
}

const [wanted = ""] = process.argv.slice(2);
const rules = RULES.filter(({ rule, how }) => `${rule} ${how}`.includes(wanted));
await Promise.all(Array.from({ length: WORKERS }, () => work(rules)));
