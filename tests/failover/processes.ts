import { readFile } from "node:fs/promises";

/** A server process of this run. */
export interface Server extends AsyncDisposable {
  readonly pid: number;
  readonly exited: Promise<number>;
  /** Ends it and its children at once, as a machine without power would. */
  kill(): Promise<void>;
}

const running = new Set<Bun.Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

/** Before a command: it ends with this process, however that ends. Options of `asUser` may follow. */
export const UNTIL_WE_END: readonly string[] = ["setpriv", "--pdeathsig=KILL"];

/** The part of the command that makes it another user's. Only root needs it and can. */
export function asUser(user: string): string[] {
  const isRoot = process.getuid?.() === 0;
  return isRoot ? [`--reuid=${user}`, `--regid=${user}`, "--init-groups"] : [];
}

/** Starts a server whose output goes to a file. It does not outlive this process. */
export function startServer(
  command: readonly string[],
  log: string,
  options: readonly string[] = [],
): Server {
  const child = Bun.spawn([...UNTIL_WE_END, ...options, ...command], {
    stdin: "ignore",
    stdout: Bun.file(log),
    stderr: Bun.file(log),
  });
  running.add(child);
  const exited = child.exited.finally(() => running.delete(child));

  async function kill(): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) {
      // Stopped first, so that it neither notices the end of its children nor starts others.
      child.kill("SIGSTOP");
      for (const pid of await childrenOf(child.pid)) end(pid);
      child.kill("SIGKILL");
    }
    await exited;
  }

  return { pid: child.pid, exited, kill, [Symbol.asyncDispose]: kill };
}

async function childrenOf(pid: number): Promise<number[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return list.split(" ").filter(Boolean).map(Number);
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {} // It has ended meanwhile.
}

/** Asks until the answer is not undefined. Throws after 30 s, with what the last try threw. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const latest = performance.now() + 30_000;
  let cause: unknown;
  while (performance.now() < latest) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      cause = error;
    }
    await Bun.sleep(20);
  }
  throw new Error(`Cannot wait longer for ${what}`, { cause });
}

/** The version that a program says it has. */
export async function versionOf(program: string): Promise<string> {
  const output = await new Response(Bun.spawn([program, "--version"]).stdout).text();
  return /\d+\.\d[\d.]*/.exec(output)?.[0] ?? "unknown";
}
