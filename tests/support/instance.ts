import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The key of the tests' instances. */
export const KEY = "mW3u-8TqLr0vYx2KcNz6HbP9jFd5sGa1EoIi7RyUt4V";

/** A server that runs in a process of its own, as for its users. */
export interface Instance {
  readonly port: number;
  readonly pid: number;
  /** What it logged so far. */
  readonly lines: () => readonly string[];
  /** Asks it to stop, and gives its exit code when it has and its whole log is there. */
  readonly stop: () => Promise<number>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}

export interface InstanceOptions {
  /** Variables beside the key, a memory store and no limit of logins. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What to run, from the root of the project. `server.ts` by default. */
  readonly script?: string;
  readonly port?: number;
  /** Whether to keep what it logs. True by default. */
  readonly isLogged?: boolean;
}

const root = new URL("../..", import.meta.url).pathname;

/** The server with times that a test can wait for. */
export const SHORT_TIMES = "tests/support/short_times.ts";

/** A port that was free just now. */
export async function freePort(): Promise<number> {
  const server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

/** A folder that is gone when the test ends. */
export async function temporaryFolder(): Promise<{
  readonly path: string;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
}> {
  const path = await mkdtemp(join(tmpdir(), "madeleine-"));
  return { path, [Symbol.asyncDispose]: async () => rm(path, { recursive: true }) };
}

/** Starts an instance, and gives it when it listens. Rejects where it ends before that. */
export async function startInstance(options: InstanceOptions = {}): Promise<Instance> {
  const { environment = {}, script = "server.ts", isLogged = true } = options;
  const port = options.port ?? (await freePort());
  const child = Bun.spawn([process.execPath, script], {
    cwd: root,
    env: {
      PATH: process.env["PATH"] ?? "",
      SECRET_KEY: KEY,
      STORE_URL: "memory:",
      LOGIN_RATE: "0",
      PORT: String(port),
      ...environment,
    },
    stdout: "pipe",
    stderr: "pipe",
  });
  let log = "";
  const logged = follow(child.stderr, (text) => (log = isLogged ? log + text : ""));
  await new Promise<void>((resolve, reject) => {
    let said = "";
    void follow(child.stdout, (text) => {
      said += text;
      if (said.includes("Listening on ")) resolve();
    });
    void child.exited.then((code) => reject(new Error(`It ended with ${code}: ${log}`)));
  });
  async function stop(): Promise<number> {
    child.kill("SIGTERM");
    await logged;
    return child.exited;
  }
  return {
    port,
    pid: child.pid,
    lines: () => log.split("\n").filter(Boolean),
    stop,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

async function follow(
  stream: ReadableStream<Uint8Array>,
  tell: (text: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) tell(decoder.decode(chunk, { stream: true }));
}
