import { token } from "../../session/testing/mod.ts";
import { type Instance, KEY } from "../support/instance.ts";
import { loggedIn } from "../support/browser.ts";
import { loginText, requestText, Wire } from "../support/wire.ts";
import { createRandom } from "./random.ts";
import { inParallel } from "./report.ts";
import { HS256, remakerOf } from "./formats.ts";
import { mutate } from "./tokens.ts";

const CONNECTIONS = 16;
const USERS = 500;
const GUESTS = 10_000;

/** What was measured since the last time. */
export interface Measured {
  readonly errors: number;
  /** Of each request, from when it was due. */
  readonly milliseconds: readonly number[];
}

/** Requests of all kinds, on kept-alive connections. */
export interface Load {
  /** Sends as many requests a second until the signal; as fast as it goes where that is `Infinity`. */
  readonly run: (rate: number, until: AbortSignal) => Promise<void>;
  /** Logs in so many times, each as a session of its own. */
  readonly login: (count: number) => Promise<void>;
  readonly take: () => Measured;
}

/** Makes the requests: members, visitors, logins, and cookies that are forged, expired or unknown. */
export async function createLoad(instance: Instance, seed: number): Promise<Load> {
  const { port } = instance;
  const random = createRandom(seed);
  const options = { secretKey: KEY, cookie: { secure: false } };
  const members = await Promise.all(
    Array.from({ length: USERS }, async (_, user) => loggedIn(port, `user${user}`)),
  );
  const tokens = members.map((member) => member.cookies.get("session") ?? "");
  const expired = await token({}, { ...options, kind: "expired" });
  const unknown = await token({}, { ...options, kind: "unknown-key" });
  const made = { tokens, format: HS256, remake: await remakerOf(HS256, KEY, "session") };
  let milliseconds: number[] = [];
  let errors = 0;

  function nextRequest(): string {
    const kind = random.below(100);
    // Not the members: the 101st login of a name ends its first session.
    if (kind < 2) return loginText(`guest${random.below(GUESTS)}`);
    if (kind < 60) return page(random.pick(tokens));
    if (kind < 80) return requestText("GET /");
    if (kind < 90) return page(mutate(made, random));
    return page(kind < 95 ? expired : unknown);
  }

  async function onEachConnection(work: (send: Send) => Promise<void>): Promise<void> {
    await inParallel(CONNECTIONS, async () => {
      let wire = await Wire.open(port);
      await work(async (text) => {
        wire.write(text);
        const answer = await wire.answer();
        if (answer?.status !== 200 && answer?.status !== 303) errors++;
        if (wire.isClosed) wire = await Wire.open(port);
      });
      wire.destroy();
    });
  }

  async function run(rate: number, until: AbortSignal): Promise<void> {
    const start = performance.now();
    let sent = 0;
    await onEachConnection(async (send) => {
      while (!until.aborted) {
        const due = start + (sent++ / rate) * 1000;
        const wait = due - performance.now();
        if (wait > 0) await Bun.sleep(wait);
        // What had to wait for a connection counts from when it was due; a timer's lateness is ours.
        const from = wait > 0 ? performance.now() : due;
        await send(nextRequest());
        milliseconds.push(performance.now() - from);
      }
    });
  }

  async function login(count: number): Promise<void> {
    let sent = 0;
    await onEachConnection(async (send) => {
      while (sent++ < count) await send(loginText(`user${sent}`));
    });
  }

  function take(): Measured {
    const taken = { milliseconds, errors };
    milliseconds = [];
    errors = 0;
    return taken;
  }

  return { run, login, take };
}

type Send = (text: string) => Promise<void>;

function page(value: string): string {
  return requestText("GET /", [`Cookie: session=${value}`]);
}
