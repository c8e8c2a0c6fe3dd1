import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where the project is. */
export const ROOT: string = new URL("../..", import.meta.url).pathname;

/** The command that starts the server from source. */
export const SERVER: readonly string[] = [process.execPath, join(ROOT, "server.ts")];

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** The processes that still run, so that none outlives the tests, however those end. */
const running = new Set<Bun.Subprocess>();
process.on("exit", () => {
  for (const program of running) program.kill("SIGKILL");
});

/** A process of ours, with nothing of our environment but the path. `await using` ends it. */
export class Program implements AsyncDisposable {
  readonly exited: Promise<number>;
  readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #output: AsyncGenerator<string, undefined>;
  readonly #errors: AsyncGenerator<string, undefined>;

  constructor(
    command: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    cwd: string = ROOT,
  ) {
    this.#process = Bun.spawn([...command], {
      cwd,
      env: { PATH: process.env["PATH"], ...environment },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    running.add(this.#process);
    this.exited = this.#process.exited.finally(() => running.delete(this.#process));
    this.#output = linesOf(this.#process.stdout);
    this.#errors = linesOf(this.#process.stderr);
  }

  /** The next line that it prints; undefined at the end. */
  async line(): Promise<string | undefined> {
    return (await this.#output.next()).value;
  }

  /** The next line that it prints to standard error; undefined at the end. */
  async errorLine(): Promise<string | undefined> {
    return (await this.#errors.next()).value;
  }

  /** The origin that it says it listens on. */
  async origin(): Promise<string> {
    const line = (await this.line()) ?? (await this.errorLine()) ?? "nothing";
    const [, origin] = /^Listening on (http:\S+)/.exec(line) ?? [];
    if (origin === undefined) throw new Error(`Cannot read the start-up line: ${line}`);
    return origin;
  }

  signal(name: NodeJS.Signals): void {
    this.#process.kill(name);
  }

  /** Everything that it printed and did not yet give out, and how it ended. */
  async end(): Promise<{ code: number; output: string[]; errors: string[] }> {
    const [output, errors, code] = await Promise.all([
      Array.fromAsync(this.#output),
      Array.fromAsync(this.#errors),
      this.exited,
    ]);
    return { code, output, errors };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await this.exited;
  }
}

/** An empty directory that `using` removes. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "madeleine-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A connection on which to send what no `fetch` would. */
export interface Connection extends Disposable {
  readonly send: (text: string) => void;
  /** All that came until the other end closed. */
  readonly ended: Promise<string>;
}

/** Connects to a server. Rejects where nothing listens. */
export async function connect(origin: string): Promise<Connection> {
  const { hostname, port } = new URL(origin);
  const { promise: ended, resolve } = Promise.withResolvers<string>();
  let received = "";
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data: (_socket, bytes) => void (received += bytes.toString()),
      close: () => resolve(received),
    },
  });
  return {
    send: (text) => void socket.write(text),
    ended,
    [Symbol.dispose]: () => socket.terminate(),
  };
}

/** Sends a request to the letter, and gives the answer to the letter. */
export async function exchange(origin: string, request: string): Promise<string> {
  using connection = await connect(origin);
  connection.send(request);
  return await connection.ended;
}
