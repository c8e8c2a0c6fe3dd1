/**
 * A small loader for systems without wrk, and for lists that are sent once. It speaks just the HTTP
 * that the servers of this benchmark answer with: a `Content-Length`, and connections kept alive.
 *
 *     bun loader.ts job.json
 */
import type { Socket } from "bun";
import { LineReader } from "./lines.ts";
import type { Job, LoadResult } from "./load.ts";

interface Connection {
  startedAt: number;
  received: string;
}

class Loader {
  readonly #job: Job;
  readonly #list: LineReader | undefined;
  readonly #latencies: number[] = [];
  readonly #startedAt: number = performance.now();
  readonly #finished = Promise.withResolvers<undefined>();
  #open = 0;
  #errors = 0;

  constructor(job: Job) {
    this.#job = job;
    this.#list = job.list === undefined ? undefined : new LineReader(job.list.file);
  }

  async run(): Promise<LoadResult> {
    for (let line = 0; line < (this.#job.firstLine ?? 0); line++) this.#nextLine();
    for (let index = 0; index < this.#job.connections; index++) await this.#connect();
    await this.#finished.promise;
    this.#list?.close();
    const sorted = Float64Array.from(this.#latencies).sort();
    return {
      requests: sorted.length,
      seconds: (performance.now() - this.#startedAt) / 1000,
      p99Milliseconds: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
      errors: this.#errors,
    };
  }

  async #connect(): Promise<void> {
    this.#open++;
    await Bun.connect<Connection>({
      hostname: "127.0.0.1",
      port: this.#job.port,
      data: { startedAt: 0, received: "" },
      socket: {
        open: (socket) => this.#send(socket),
        data: (socket, chunk) => this.#receive(socket, chunk),
        error: () => void this.#errors++,
        close: () => {
          if (--this.#open === 0) this.#finished.resolve(undefined);
        },
      },
    });
  }

  #send(socket: Socket<Connection>): void {
    const request = this.#nextRequest();
    if (request === undefined) {
      socket.end();
      return;
    }
    socket.data.startedAt = performance.now();
    socket.data.received = "";
    // A request of 16 kB fits an idle socket's buffer; what did not would count as an error.
    if (socket.write(request) < request.length) this.#errors++;
  }

  #receive(socket: Socket<Connection>, chunk: Buffer): void {
    const { data } = socket;
    data.received += chunk.toString("latin1");
    const headerEnd = data.received.indexOf("\r\n\r\n");
    if (headerEnd === -1) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(data.received.slice(0, headerEnd + 2))?.[1];
    if (data.received.length < headerEnd + 4 + Number(length ?? 0)) return;
    if (data.received.charCodeAt("HTTP/1.1 ".length) >= "4".charCodeAt(0)) this.#errors++;
    this.#latencies.push(performance.now() - data.startedAt);
    this.#send(socket);
  }

  #nextRequest(): string | undefined {
    const { seconds, cookie, list } = this.#job;
    const isOver = seconds !== undefined && performance.now() - this.#startedAt > seconds * 1000;
    if (isOver) return undefined;
    if (list === undefined) return this.#format(cookie);
    const line = this.#nextLine();
    if (line === undefined) return undefined;
    return list.of === "cookie" ? this.#format(line) : this.#format(undefined, line);
  }

  /** A list that is sent once ends; any other begins again. */
  #nextLine(): string | undefined {
    const line = this.#list?.read();
    if (line !== undefined || this.#job.seconds === undefined) return line;
    this.#list?.rewind();
    return this.#list?.read();
  }

  #format(cookie?: string, body?: string): string {
    const { method, path } = this.#job;
    const lines = [`${method} ${path} HTTP/1.1`, "Host: 127.0.0.1"];
    if (cookie !== undefined) lines.push(`Cookie: ${cookie}`);
    if (method === "POST") lines.push(`Content-Length: ${body?.length ?? 0}`);
    if (body !== undefined) lines.push("Content-Type: application/x-www-form-urlencoded");
    return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
  }
}

const job = (await Bun.file(process.argv[2] ?? "").json()) as Job;
console.log(`result ${JSON.stringify(await new Loader(job).run())}`);
