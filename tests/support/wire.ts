import { connect } from "node:net";

/** A response as it stands on the wire. */
export interface Answer {
  readonly status: number;
  /** The header lines, as they came. */
  readonly lines: readonly string[];
  readonly body: string;
}

/** The values of a header, a value for each line. */
export function linesOf({ lines }: Answer, name: string): string[] {
  const start = `${name.toLowerCase()}:`;
  const found = lines.filter((line) => line.toLowerCase().startsWith(start));
  return found.map((line) => line.slice(start.length).trim());
}

/** Reads the answer at the start of a text, with its length; undefined where it is not all there. */
function readAnswer(text: string): { answer: Answer; length: number } | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [first = "", ...lines] = text.slice(0, headEnd).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
  const [size = "0"] = linesOf({ status, lines, body: "" }, "content-length");
  const start = headEnd + 4;
  const end = start + Number(size);
  if (text.length < end) return undefined;
  return { answer: { status, lines, body: text.slice(start, end) }, length: end };
}

/** A connection to a server of this machine, on which each byte is the test's own. */
export class Wire {
  /** What came and was not read yet, one character a byte. */
  received = "";
  /** When either side has closed it. */
  readonly closed: Promise<void>;
  #isClosed = false;
  #queue: Uint8Array = new Uint8Array();
  #isEnding = false;
  #socket: Bun.Socket | undefined;
  readonly #close: () => void;
  #wake: () => void = () => {};

  private constructor() {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#close = () => {
      this.#isClosed = true;
      resolve();
      this.#wake();
    };
  }

  /** Rejects where nobody listens on the port. */
  static async open(port: number): Promise<Wire> {
    const wire = new Wire();
    wire.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data(_socket, data) {
          wire.received += data.toString("latin1");
          wire.#wake();
        },
        drain: () => wire.#flush(),
        close: () => wire.#close(),
        error: () => wire.#close(),
      },
    });
    return wire;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends bytes; of a text each character is one. */
  write(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    this.#queue = this.#queue.length === 0 ? bytes : Buffer.concat([this.#queue, bytes]);
    this.#flush();
  }

  /** Says that nothing more will be sent. */
  end(): void {
    this.#isEnding = true;
    this.#flush();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket?.terminate();
  }

  /** The next answer; undefined where the connection is closed before it is all there. */
  async answer(): Promise<Answer | undefined> {
    for (;;) {
      const read = readAnswer(this.received);
      if (read !== undefined) {
        this.received = this.received.slice(read.length);
        return read.answer;
      }
      if (this.#isClosed) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #flush(): void {
    if (this.#isClosed || this.#socket === undefined) return;
    if (this.#queue.length > 0) {
      const written = this.#socket.write(this.#queue);
      this.#queue = this.#queue.subarray(Math.max(0, written));
    }
    if (this.#isEnding && this.#queue.length === 0) this.#socket.shutdown();
  }
}

/** Sends bytes over a connection of their own, and gives all that came until the server closed it. */
export async function exchange(port: number, data: string | Uint8Array): Promise<string> {
  const wire = await Wire.open(port);
  wire.write(data);
  await wire.closed;
  return wire.received;
}

/**
 * Sends bytes from 127.0.0.2 and resets the connection as soon as they are sent.
 * Resolves when the connection is gone.
 */
export async function sendAndReset(port: number, data: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect({ host: "127.0.0.1", port, localAddress: "127.0.0.2" }, () => {
    socket.write(data, "latin1", () => socket.resetAndDestroy());
  });
  socket.on("close", () => resolve());
  socket.on("error", () => {});
  await promise;
}

/** The one answer to a request on a connection of its own. Throws where there is none. */
export async function ask(port: number, data: string | Uint8Array): Promise<Answer> {
  const wire = await Wire.open(port);
  wire.write(data);
  const answer = await wire.answer();
  wire.destroy();
  if (answer === undefined) throw new Error("The connection was closed without an answer");
  return answer;
}

/** The text of a request: its first line, headers and body. Headers are to the letter. */
export function requestText(
  target: string,
  headers: readonly string[] = [],
  body?: string,
): string {
  const length = body === undefined ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const lines = [`${target} HTTP/1.1`, "Host: localhost", ...headers, ...length];
  return `${lines.join("\r\n")}\r\n\r\n${body ?? ""}`;
}

const FORM = "Content-Type: application/x-www-form-urlencoded";

/** The text of a login. */
export function loginText(username: string, headers: readonly string[] = []): string {
  const body = new URLSearchParams({ username }).toString();
  return requestText("POST /login", [FORM, ...headers], body);
}
