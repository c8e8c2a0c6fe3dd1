/** The time from the start of a program to its first answer of 200. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { stopChild, track } from "./child.ts";
import { median } from "./measure.ts";
import type { Options } from "./options.ts";
import { freePort } from "./services.ts";

export interface StartResult {
  readonly name: string;
  /** The median of all starts. */
  readonly milliseconds: number | undefined;
  /** Why there is none. */
  readonly unavailable?: string;
}

const root = resolve(import.meta.dir, "../..");
const startTimeout = 10_000;
/** For a program that takes the connection and says nothing. */
const answerTimeout = 2_000;

const programs = [
  {
    name: "the bare page from source",
    file: join(import.meta.dir, "servers/bare.ts"),
    isSource: true,
    hint: "",
  },
  { name: "the server from source", file: join(root, "server.ts"), isSource: true, hint: "" },
  {
    name: "the binary",
    file: join(root, "dist/madeleine"),
    isSource: false,
    hint: "bun run build",
  },
] as const;

export async function measureStarts(
  options: Options,
  secret: string,
  temporaryFolder: string,
): Promise<StartResult[]> {
  const results: StartResult[] = [];
  for (const { name, file, isSource, hint } of programs) {
    if (!existsSync(file)) {
      const unavailable = hint === "" ? "there is no such file" : `run ${hint} first`;
      results.push({ name, milliseconds: undefined, unavailable });
      continue;
    }
    const command = isSource ? [process.execPath, file] : [file];
    const times: number[] = [];
    try {
      for (let start = 0; start < options.starts; start++) {
        times.push(await timeStart(command, secret, temporaryFolder));
      }
      results.push({ name, milliseconds: median(times) });
    } catch (error) {
      const unavailable = error instanceof Error ? error.message : String(error);
      results.push({ name, milliseconds: undefined, unavailable });
    }
  }
  return results;
}

async function timeStart(command: string[], secret: string, cwd: string): Promise<number> {
  const port = String(freePort());
  // A start with everything that a deployment has but a disk: the store is measured elsewhere.
  const variables = { HOST: "127.0.0.1", PORT: port, SECRET_KEY: secret, STORE_URL: "memory:" };
  const env = { ...process.env, ...variables, BENCH_PORT: port, BENCH_SECRET: secret };
  const startedAt = performance.now();
  const child = track(
    Bun.spawn(command, { cwd, env, stdin: "pipe", stdout: "ignore", stderr: "ignore" }),
  );
  try {
    while (child.exitCode === null && performance.now() - startedAt < startTimeout) {
      if (await answers(Number(port))) return performance.now() - startedAt;
    }
    throw new Error("it gave no answer of 200");
  } finally {
    await stopChild(child);
  }
}

/** One attempt. A refused connection is known at once, so that a loop of these is a tight one. */
function answers(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (socket) => {
        socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
      },
      data: (socket, chunk) => {
        resolve(chunk.toString("latin1").startsWith("HTTP/1.1 200"));
        socket.end();
      },
      close: () => resolve(false),
    },
  }).catch(() => resolve(false));
  const timer = setTimeout(() => resolve(false), answerTimeout);
  return promise.finally(() => clearTimeout(timer));
}
