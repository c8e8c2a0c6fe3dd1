import type { Instance } from "../support/instance.ts";
import { ask, loginText, requestText, Wire } from "../support/wire.ts";
import { createRandom, type Random } from "./random.ts";
import { type Effort, inParallel, Recorder, type Report } from "./report.ts";

const BASES = [
  requestText("GET /", ["Cookie: session=a.b.c", "Accept: text/html"]),
  requestText("HEAD /login"),
  requestText("GET /healthz", ["Connection: close"]),
  loginText("alice"),
  loginText("alice", ["Expect: 100-continue"]),
  requestText("POST /login", ["Transfer-Encoding: chunked"]) + "3\r\na=b\r\n0\r\n\r\n",
  requestText("POST /logout", ["Content-Length: 0", "Connection: Upgrade", "Upgrade: websocket"]),
];

/** Lines, words and bytes that parsers of HTTP have stumbled over. */
const STUMBLES = [
  "\r\n,\n,\r,\0,\t, ,:,\x80,\xFF,\r\n\r\n,\r\n ,\r\n\t,/,//,?,#,%,%00,*,\x7F,@,http://,http://a/",
  "HTTP/1.0,HTTP/1.1,HTTP/2.0,HTTP/9.9,HTTP/0.9,http/1.1,GET ,PRI * ,X: ,: x\r\n,-1\r\n,0\r\n",
  "Host: a\r\n,Host:\r\n,Host: a/b\r\n,Content-Length: -1\r\n,Content-Length: 5\r\n",
  "Content-Length: 99999999999999999999\r\n,Transfer-Encoding: chunked\r\n,Connection: close\r\n",
  "Transfer-Encoding: gzip\r\n,Upgrade: h2c\r\n,ffffffffffffffff\r\n,1;a=b\r\n,0x1\r\n",
  "a".repeat(20_000),
  "X: a\r\n".repeat(300),
].flatMap((list) => list.split(","));

/** Bytes that begin another protocol. */
const OTHERS = [
  "\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03",
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
  "\x00\x00\x00\x08\x04\xD2\x16\x2F",
  "*1\r\n$4\r\nPING\r\n",
  "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
  "",
];

/** Seconds after which a connection that is not closed counts as hung. */
const HUNG = 20;
/** So often a request without a fault is sent as well. */
const CLEAN = 1000;

/** Malformed requests, each on a connection of its own, which the server has to close. */
export async function fuzzRequests(effort: Effort, instance: Instance): Promise<Report> {
  const random = createRandom(effort.seed);
  const recorder = new Recorder(effort);
  await inParallel(32, async () => {
    while (recorder.next()) {
      const isTimeForClean = recorder.count % CLEAN === 0;
      await sendMalformed(instance.port, malformed(random), recorder);
      if (!isTimeForClean) continue;
      const answer = await ask(instance.port, requestText("GET /")).catch(() => undefined);
      recorder.add("clean requests");
      if (answer?.status !== 200) recorder.fail("a clean request had no answer", "");
    }
  });
  return recorder.report("malformed requests, over raw sockets");
}

async function sendMalformed(port: number, text: string, recorder: Recorder): Promise<void> {
  const wire = await Wire.open(port).catch(() => undefined);
  if (wire === undefined) return recorder.fail("refused a connection", text);
  wire.write(text);
  wire.end();
  const { promise, resolve } = Promise.withResolvers<"hung">();
  const timer = setTimeout(() => resolve("hung"), HUNG * 1000);
  const end = await Promise.race([wire.closed, promise]);
  clearTimeout(timer);
  if (end === "hung") recorder.fail("hung", text);
  wire.destroy();
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(wire.received) ?? [];
  recorder.add(status ?? "closed without an answer");
  // Another version of HTTP than ours is 505, and all that may be.
  if (/^HTTP\/1\.1 5(?!05)/m.test(wire.received)) recorder.fail("answered 5xx", text);
}

function malformed(random: Random): string {
  if (random.below(50) === 0) return random.pick(OTHERS);
  let text = random.pick(BASES);
  const times = 1 + random.below(5);
  for (let time = 0; time < times; time++) text = random.pick(MUTATORS)(text, random);
  return text;
}

const MUTATORS: readonly ((text: string, random: Random) => string)[] = [
  (text, random) => put(text, random.below(text.length + 1), 0, random.pick(STUMBLES)),
  (text, random) => put(text, random.below(text.length + 1), 1, random.pick(STUMBLES)),
  (text, random) => put(text, random.below(text.length + 1), 1, byte(random)),
  (text, random) => put(text, random.below(text.length + 1), 0, byte(random)),
  (text, random) => put(text, random.below(text.length + 1), random.below(20), ""),
  (text, random) => text.slice(0, random.below(text.length + 1)),
  (text, random) => text + random.pick(BASES),
  (text, random) => changeLine(text, random, (line) => [line, line]),
  (text, random) => changeLine(text, random, () => []),
  (text, random) => changeLine(text, random, (line) => [line, random.pick(STUMBLES)]),
  (text, random) => changeLine(text, random, (line) => [line.replace(":", " :")]),
  (text, random) => text.replaceAll("\r\n", random.pick(["\n", "\r", "\r\r\n", "\n\r"])),
];

function put(text: string, at: number, length: number, insertion: string): string {
  return text.slice(0, at) + insertion + text.slice(at + length);
}

function byte(random: Random): string {
  return String.fromCharCode(random.below(256));
}

function changeLine(text: string, random: Random, change: (line: string) => string[]): string {
  const lines = text.split("\r\n");
  const at = random.below(lines.length);
  return lines.flatMap((line, index) => (index === at ? change(line) : [line])).join("\r\n");
}
