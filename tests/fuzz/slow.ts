import type { Instance } from "../support/instance.ts";
import { loginText, requestText, Wire } from "../support/wire.ts";
import { type Effort, inParallel, Recorder, type Report } from "./report.ts";

/** Seconds after which a slow connection is to be gone. */
const GONE = 15;
/** Seconds after which nobody waits for it any more. */
const PATIENCE = 40;

const BODY = loginText("a".repeat(90));

/** What a slow connection sends at first, and then each second. */
const KINDS: readonly (readonly [name: string, first: string, next: string])[] = [
  ["silent", "", ""],
  ["half a head", "GET / HTTP/1.1\r\nHost: a\r\n", ""],
  ["a head line by line", "GET / HTTP/1.1\r\nHost: a\r\n", "X: a\r\n"],
  ["a head byte by byte", "GET / HTTP/1.1\r\nHost: a\r\nX: ", "a"],
  ["half a body", BODY.slice(0, -50), ""],
  ["a body byte by byte", BODY.slice(0, -50), "a"],
  ["chunks", requestText("POST /login", ["Transfer-Encoding: chunked"]), "1\r\na\r\n"],
];

/** Slow connections: others are served meanwhile, and the slow ones are gone in time. */
export async function trySlow(effort: Effort, instance: Instance): Promise<Report> {
  const recorder = new Recorder(effort);
  const open = new Set<Wire>();
  const ages: number[] = [];
  const sent: (readonly [wire: Wire, next: string])[] = [];
  while (recorder.next()) {
    const [name, first, next] = KINDS[recorder.count % KINDS.length] ?? ["", "", ""];
    const wire = await Wire.open(instance.port);
    const opened = performance.now();
    wire.write(first);
    open.add(wire);
    sent.push([wire, next]);
    void wire.closed.then(() => {
      open.delete(wire);
      ages.push((performance.now() - opened) / 1000);
    });
    recorder.add(name);
  }
  const trickle = setInterval(() => sent.forEach(([wire, next]) => wire.write(next)), 1000);
  const times: number[] = [];
  const deadline = performance.now() + PATIENCE * 1000;
  await inParallel(4, async () => {
    while (open.size > 0 && performance.now() < deadline) {
      times.push(await serveOne(instance.port, recorder));
    }
  });
  clearInterval(trickle);
  const late = open.size + ages.filter((age) => age > GONE).length;
  if (late > 0) recorder.fail(`${late} slow connections were left after ${GONE} s`, "");
  for (const wire of open) wire.destroy();
  recorder.add(`the last was gone after ${Math.max(...ages).toFixed(1)} s`);
  recorder.add(`served ${times.length} others meanwhile`);
  recorder.add(`their p99 was ${percentile(times, 0.99).toFixed(2)} ms`);
  return recorder.report("slow connections");
}

/** Asks for a page, and gives the milliseconds that it took. */
async function serveOne(port: number, recorder: Recorder): Promise<number> {
  const start = performance.now();
  const wire = await Wire.open(port);
  wire.write(requestText("GET /"));
  const answer = await wire.answer();
  if (answer?.status !== 200) recorder.fail("another was not served", "");
  wire.destroy();
  const time = performance.now() - start;
  // Some requests each millisecond are enough to see who waits.
  await Bun.sleep(2);
  return time;
}

/** The value below which this share of all is. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
