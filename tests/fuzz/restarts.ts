import { type Effort, inParallel, Recorder, type Report } from "./report.ts";
import { freePort, type Instance, startInstance, temporaryFolder } from "../support/instance.ts";
import { identityOf } from "../support/page.ts";
import { type Answer, linesOf, loginText, requestText, Wire } from "../support/wire.ts";

const INSTANCES = 3;
const CLIENTS = 16;
/** A client logs in anew after so many pages. */
const PAGES = 25;

/** What a load balancer knows: the instances to send to. */
type Pool = Set<number>;

/**
 * Restarts three instances that share a store, one after the other, as often as the effort says,
 * while clients on kept-alive connections read their page and log in. A client leaves an instance
 * that says `Connection: close`, or takes no connection, as a load balancer does.
 */
export async function restartInTurn(effort: Effort, script: string): Promise<Report> {
  const recorder = new Recorder(effort);
  await using folder = await temporaryFolder();
  const environment = { STORE_URL: `sqlite:${folder.path}/store.sqlite` };
  const start = async (port: number): Promise<Instance> =>
    startInstance({ environment, script, port, isLogged: false });
  const ports = await Promise.all(Array.from({ length: INSTANCES }, freePort));
  const instances = new Map<number, Instance>();
  await using ends = new AsyncDisposableStack();
  ends.defer(async () => {
    for (const instance of instances.values()) await instance[Symbol.asyncDispose]();
  });
  for (const port of ports) instances.set(port, await start(port));
  const pool: Pool = new Set(ports);
  const over = new AbortController();
  let clients = 0;
  const load = inParallel(CLIENTS, async () => {
    const client = new Client(`user${clients++}`, pool, recorder);
    while (!over.signal.aborted && pool.size > 0) await client.step();
    client.leave();
  });
  while (recorder.next()) {
    for (const port of ports) {
      const code = await instances.get(port)?.stop();
      if (code !== 0) recorder.fail(`an instance ended with ${code}`, String(port));
      instances.set(port, await start(port));
      pool.add(port);
      recorder.add("restarts");
    }
  }
  over.abort();
  await load;
  return recorder.report("rolling restarts");
}

/** One user behind the load balancer. */
class Client {
  readonly #name: string;
  readonly #pool: Pool;
  readonly #recorder: Recorder;
  #wire: Wire | undefined;
  #port = 0;
  #cookie: string | undefined;
  #steps = 0;

  constructor(name: string, pool: Pool, recorder: Recorder) {
    this.#name = name;
    this.#pool = pool;
    this.#recorder = recorder;
  }

  /** Logs in, or looks at the start page. */
  async step(): Promise<void> {
    if (this.#steps++ % PAGES === 0) {
      await this.#send(loginText(this.#name, this.#headers()));
      return;
    }
    const answer = await this.#send(requestText("GET /", this.#headers()));
    if (answer?.status === 200 && identityOf(answer.body) !== this.#name) {
      this.#recorder.fail("lost a login", this.#name);
    }
  }

  leave(): void {
    this.#wire?.destroy();
    this.#wire = undefined;
  }

  #headers(): string[] {
    return this.#cookie === undefined ? [] : [`Cookie: ${this.#cookie}`];
  }

  async #send(text: string): Promise<Answer | undefined> {
    const wire = (this.#wire ??= await this.#connect());
    if (wire === undefined) return undefined;
    wire.write(text);
    const answer = await wire.answer();
    const isGood = answer?.status === 200 || answer?.status === 303;
    if (isGood) this.#recorder.add("requests");
    else this.#recorder.fail(`answered ${answer?.status ?? "nothing"}`, text);
    if (answer !== undefined) this.#keepCookie(answer);
    if (answer === undefined || linesOf(answer, "connection").includes("close")) {
      this.#pool.delete(this.#port);
      this.leave();
    }
    return answer;
  }

  #keepCookie(answer: Answer): void {
    for (const line of linesOf(answer, "set-cookie")) {
      this.#cookie = line.slice(0, line.indexOf(";"));
    }
  }

  /** A connection to an instance that takes one; a refused one has sent nothing yet. */
  async #connect(): Promise<Wire | undefined> {
    while (this.#pool.size > 0) {
      const ports = [...this.#pool];
      this.#port = ports[this.#steps % ports.length] ?? 0;
      const wire = await Wire.open(this.#port).catch(() => undefined);
      if (wire !== undefined) return wire;
      this.#pool.delete(this.#port);
    }
    this.#recorder.fail("no instance takes a connection", this.#name);
    return undefined;
  }
}
