/** 50 logins of one user at once, on two processes that share a store. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { createSessions } from "../session/mod.ts";
import { Program, ROOT } from "./support/program.ts";
import { SECRET } from "./support/secrets.ts";
import {
  type Harness,
  hasPostgres,
  hasRedis,
  POSTGRES_URL,
  postgresHarness,
  REDIS_URL,
  redisHarness,
  sqliteHarness,
} from "./support/store_harness.ts";

// Only ends a test that waits for ever: far more than any of them takes.
setDefaultTimeout(60_000);

const COUNT = 50;
/** In milliseconds. docs/scaling.md says how much is needed; how fast the machine is has no say here. */
const STORE_TIMEOUT = 10_000;

interface Place {
  readonly name: string;
  readonly isRunning: boolean;
  readonly url: string;
  readonly open: () => Harness | Promise<Harness>;
}

const PLACES: readonly Place[] = [
  { name: "sqlite", isRunning: true, url: "", open: sqliteHarness },
  { name: "redis", isRunning: hasRedis, url: REDIS_URL, open: redisHarness },
  { name: "postgres", isRunning: hasPostgres, url: POSTGRES_URL, open: postgresHarness },
];

for (const { name, isRunning, url, open } of PLACES) {
  test.skipIf(!isRunning)(`all of them are in the list: ${name}`, async () => {
    const harness = await open();
    const subject = crypto.randomUUID();
    const command = [process.execPath, `${ROOT}tests/support/logins.ts`, name];
    const parameters = [url || harness.place, harness.place, subject];
    const numbers = [`${COUNT / 2}`, `${STORE_TIMEOUT}`];
    try {
      await using one = new Program([...command, ...parameters, ...numbers]);
      await using two = new Program([...command, ...parameters, ...numbers]);
      for (const program of [one, two]) expect(await program.line()).toBe("ready");
      for (const program of [one, two]) program.signal("SIGUSR2");
      const counts = await Promise.all([one.line(), two.line()]);
      expect(counts).toEqual([`${COUNT / 2}`, `${COUNT / 2}`]);
      const { store } = harness;
      const sessions = createSessions({
        secretKey: SECRET,
        store,
        list: true,
        storeTimeout: 10_000,
      });
      const refs = (await sessions.list(subject)).map(({ ref }) => ref);
      expect(new Set(refs).size).toBe(COUNT);
    } finally {
      await harness.close();
    }
  });
}
