/** Child processes: pinned to a core, watched, and ended with the benchmark. */
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Subprocess } from "bun";

/** The server has one core, and everything that is not the server has the other. */
export const serverCore = 0;
export const loadCore = 1;

const hasTaskset = Bun.which("taskset") !== null && navigator.hardwareConcurrency > 1;
const startTimeout = 10_000;
const stopTimeout = 5_000;
/** The children that run, with the signal that ends each at once. */
const children = new Map<Subprocess, NodeJS.Signals>();

export interface Child {
  readonly pid: number;
  readonly port: number;
  /** Ends the process and waits until it is gone. */
  stop(): Promise<void>;
}

/** The command on one core, where this system can pin: `taskset` keeps the process's id. */
export function pin(core: number, command: readonly string[]): string[] {
  return hasTaskset ? ["taskset", "--cpu-list", String(core), ...command] : [...command];
}

/** Remembers a child, so that it does not outlive the benchmark. */
export function track<T extends Subprocess>(child: T, last: NodeJS.Signals = "SIGKILL"): T {
  children.set(child, last);
  void child.exited.then(() => children.delete(child));
  return child;
}

export async function stopChild(child: Subprocess, signal: NodeJS.Signals = "SIGTERM") {
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeout);
  await child.exited;
  clearTimeout(timer);
}

/** Ends, at Ctrl-C and at a failure too, the processes that this benchmark started, and no other. */
export function stopChildrenAtExit(): void {
  process.on("exit", () => {
    for (const [child, last] of children) child.kill(last);
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));
}

/** Starts a file of `servers/` and waits for its port. Rejects with the reason where it ends first. */
export async function startServer(
  name: string,
  environment: Readonly<Record<string, string>>,
): Promise<Child> {
  const file = resolve(import.meta.dir, "servers", `${name}.ts`);
  // A file, since a server that logs would wait for whoever reads a pipe.
  const log = Bun.file(join(tmpdir(), `madeleine-bench-${crypto.randomUUID()}.log`));
  process.on("exit", () => rmSync(log.name ?? "", { force: true }));
  const child = track(
    Bun.spawn(pin(serverCore, [process.execPath, file]), {
      env: { ...process.env, NODE_ENV: "production", ...environment },
      // The server reads it, and ends when the benchmark is gone, however it went.
      stdin: "pipe",
      stdout: "pipe",
      stderr: log,
    }),
  );
  const timer = setTimeout(() => child.kill("SIGKILL"), startTimeout);
  const port = await readPort(child.stdout);
  clearTimeout(timer);
  if (port === undefined) throw new Error(firstReason(await log.text()));
  return { pid: child.pid, port, stop: () => stopChild(child) };
}

async function readPort(output: ReadableStream<Uint8Array>): Promise<number | undefined> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of output) {
    text += decoder.decode(chunk, { stream: true });
    const port = /^port (\d+)$/m.exec(text)?.[1];
    if (port !== undefined) return Number(port);
  }
  return undefined;
}

function readText(output: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  return new Response(output).text();
}

/** The line of a crash that says why, without the stack and this machine's paths. */
function firstReason(text: string): string {
  const line = text.split("\n").find((line) => /error/i.test(line)) ?? "it ended at once";
  return line.replace(/ from '.*$/, "").trim();
}

/**
 * Runs a script of this folder to its end and gives what it printed behind `result `: a process of
 * its own, so that its heap and its compiled code are its own too.
 */
export async function runScript(
  core: number,
  command: readonly string[],
  timeoutSeconds: number,
  environment: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const child = track(
    Bun.spawn(pin(core, command), {
      env: { ...process.env, NODE_ENV: "production", ...environment },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    }),
  );
  const timer = setTimeout(() => void stopChild(child), timeoutSeconds * 1000);
  const [output, errors] = await Promise.all([readText(child.stdout), readText(child.stderr)]);
  clearTimeout(timer);
  const json = /^result (.*)$/m.exec(output)?.[1];
  if (json === undefined) throw new Error(firstReason(errors));
  return JSON.parse(json);
}

/** The command that runs a file of this folder with the Bun that runs the benchmark. */
export function script(file: string, ...parameters: readonly string[]): string[] {
  return [process.execPath, resolve(import.meta.dir, file), ...parameters];
}
