/** A key of ES256 rolls over three instances, while a service in another process verifies. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { createSessions, memoryStore, type Sessions } from "../session/mod.ts";
import { Browser, send } from "./support/app.ts";
import { ROOT } from "./support/program.ts";
import { OTHER_SECRET, SECRET } from "./support/secrets.ts";
import type { Question, Verdicts } from "./support/verifier_process.ts";

// A process starts here, on a machine that may be busy.
setDefaultTimeout(60_000);

const SESSIONS = 1000;
const MINUTE = 60_000;
const [OLD, NEW] = [SECRET, OTHER_SECRET];

/** A service in another process, which is asked what it thinks of tokens. */
interface Service {
  readonly ask: (question: Question) => Promise<Verdicts>;
  readonly stop: () => Promise<unknown>;
}

function startService(keys: URL): Service {
  let tell: ((verdicts: Verdicts) => void) | undefined;
  const child = Bun.spawn(
    [process.execPath, join(ROOT, "tests/support/verifier_process.ts"), keys.href],
    { ipc: (message: Verdicts) => tell?.(message), stderr: "inherit" },
  );
  return {
    async ask(question) {
      const { promise, resolve, reject } = Promise.withResolvers<Verdicts>();
      tell = resolve;
      void child.exited.then((code) => reject(new Error(`The service ended with ${code}`)));
      child.send(question);
      return promise;
    },
    async stop() {
      child.kill();
      return child.exited;
    },
  };
}

test("G2: 1,000 sessions, none lost, neither by the app nor by the service and its cache", async () => {
  const store = memoryStore();
  let later = 0;
  const now = (): number => Date.now() + later;
  const make = (secretKey: string, ...secretKeyFallbacks: readonly string[]): Sessions =>
    createSessions({ secretKey, secretKeyFallbacks, algorithm: "ES256", store, now });
  const apps = [make(OLD), make(OLD), make(OLD)];

  // What stands before the app keeps the keys for five minutes, as their headers allow.
  let kept = { until: 0, text: "" };
  let fetches = 0;
  const published = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch() {
      fetches++;
      if (now() >= kept.until) {
        const text = JSON.stringify(await apps[0]?.publicKeys());
        kept = { until: now() + 5 * MINUTE, text };
      }
      return new Response(kept.text);
    },
  });
  const service = startService(published.url);
  const browsers = Array.from({ length: SESSIONS }, () => new Browser());
  const subjects = browsers.map((_, index) => `user-${index}`);
  const tokens = (): string[] => browsers.map(({ cookie }) => cookie.split("=")[1] ?? "");
  let turn = 0;

  /** Each browser goes to some instance, and then the service is asked of its cookie. */
  async function visitAll(): Promise<void> {
    for (const [index, browser] of browsers.entries()) {
      const app = apps[(index + turn++) % apps.length] ?? make(OLD);
      browser.take(
        await send(app, browser.cookie, (session) => {
          expect(session.subject).toBe(`user-${index}`);
        }),
      );
    }
    expect(await service.ask({ later, tokens: tokens() })).toEqual(subjects);
  }

  /** The instances start again with these keys, one after the other. */
  async function roll(secretKey: string, ...fallbacks: readonly string[]): Promise<void> {
    for (const index of apps.keys()) {
      apps[index] = make(secretKey, ...fallbacks);
      later += 61_000;
      await visitAll();
    }
  }

  try {
    for (const [index, browser] of browsers.entries()) {
      const [app = make(OLD)] = apps.slice(index % apps.length);
      browser.take(await send(app, "", (session) => session.signIn(`user-${index}`)));
    }
    await visitAll();
    const old = tokens();
    await roll(OLD, NEW);
    later += 15 * MINUTE;
    await roll(NEW, OLD);
    await visitAll();
    expect(tokens().filter((token) => old.includes(token))).toEqual([]);
    await roll(NEW);
    later += 15 * MINUTE;
    await visitAll();
    // What the old key signed is over, at the service too.
    expect(await service.ask({ later, tokens: old })).toEqual(old.map(() => null));
    // For 12 checks of 1,000 tokens, in 52 minutes.
    expect(fetches).toBeLessThan(10);

    // The network is cut: the service goes on.
    await published.stop(true);
    later += 60 * MINUTE;
    expect(await service.ask({ later, tokens: tokens() })).toEqual(subjects);
    expect(await service.ask({ later, tokens: old })).toEqual(old.map(() => null));
  } finally {
    await service.stop();
    await published.stop(true);
  }
});
