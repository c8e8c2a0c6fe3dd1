import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";

/**
 * What the server does: works; listens no more; takes commands without an answer; answers too late;
 * ends a connection instead of some answers; or ends one in the middle of every answer.
 */
export type Fault = "none" | "refuse" | "silent" | "slow" | "drop" | "half";

/** A server that speaks enough of Redis' protocol for `redisStore`, and fails on demand. */
export interface FakeRedis extends AsyncDisposable {
  readonly url: string;
  /** The values by their key. */
  readonly records: Map<string, string>;
  /** Changes what the server does. `refuse` and `none` end the connections there are. */
  fail(fault: Fault): Promise<void>;
}

/** With `drop`, one in this many commands ends its connection. */
const DROP_EVERY = 20;
/** With `slow`, how late answers are in milliseconds: a session waits less, and a person more. */
const LATE = 500;

export async function startFakeRedis(): Promise<FakeRedis> {
  const records = new Map<string, string>();
  const sockets = new Set<Socket>();
  let fault: Fault = "none";
  let commands = 0;

  function answer(socket: Socket, command: readonly string[]): void {
    const reply = respond(records, command);
    commands += 1;
    if (fault === "silent") return;
    const send = (): unknown =>
      command[0] === "QUIT" ? socket.end(reply, "latin1") : socket.write(reply, "latin1");
    if (fault === "slow") setTimeout(send, LATE);
    else if (fault === "half") socket.end(reply.slice(0, reply.length / 2), "latin1");
    else if (fault === "drop" && commands % DROP_EVERY === 0) socket.destroy();
    else send();
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    let buffer = "";
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (bytes) => {
      buffer += bytes.toString("latin1");
      for (let read = parse(buffer); read !== undefined; read = parse(buffer)) {
        buffer = buffer.slice(read.length);
        answer(socket, read.words);
      }
    });
  });
  const port = await listen(server, 0);

  async function fail(next: Fault): Promise<void> {
    const wasListening = fault !== "refuse";
    fault = next;
    if (next === "refuse" && wasListening) server.close();
    if (next === "refuse" || next === "none") for (const socket of sockets) socket.destroy();
    if (next !== "refuse" && !wasListening) await listen(server, port);
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    records,
    fail,
    [Symbol.asyncDispose]: () => fail("refuse"),
  };
}

/** Starts the server on a port, any free one for 0, and returns the port. */
export async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("No port");
  return address.port;
}

/** The first command in the text, with its length. Undefined while a part of it is missing. */
function parse(text: string): { words: string[]; length: number } | undefined {
  const count = /^\*(\d+)\r\n/.exec(text);
  if (count === null) return undefined;
  const words: string[] = [];
  let at = count[0].length;
  while (words.length < Number(count[1])) {
    const [head, size] = /^\$(\d+)\r\n/.exec(text.slice(at)) ?? [];
    if (head === undefined) return undefined;
    const start = at + head.length;
    at = start + Number(size) + 2;
    if (at > text.length) return undefined;
    words.push(text.slice(start, at - 2));
  }
  return { words, length: at };
}

/** Answers like Redis. The number of arguments tells the store's two scripts apart. */
function respond(records: Map<string, string>, [command, ...words]: readonly string[]): string {
  if (command === "HELLO") return `%1\r\n${bulk("server")}${bulk("redis")}`;
  if (command !== "EVAL") return "+OK\r\n";
  const [, , key = "", call = "", next, , expected] = words;
  const value = records.get(key);
  const begin = `*2\r\n${bulk(call)}`;
  if (next === undefined) return begin + (value === undefined ? "_\r\n" : bulk(value));
  if (value !== expected) return `${begin}:0\r\n`;
  records.set(key, next);
  return `${begin}:1\r\n`;
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}
