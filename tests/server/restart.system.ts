/** Several instances: keys that roll over them, clocks that differ, and restarts under load. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { createSessions, memoryStore, type SessionOptions } from "../../session/mod.ts";
import { restartInTurn } from "../fuzz/restarts.ts";
import { SHORT_TIMES } from "../support/instance.ts";

// Processes start and stop here, on a machine that may be busy.
setDefaultTimeout(60_000);

const OLD = "kq2V-3xJ9_wTz7LmPbY4cRhN8sGdF6uA";
const NEW = "Zp5n_Qe1yX8rKtW0vBj-3HfMlC6oUaS9";
const INSTANCES = 3;

type Data = { visits: number };
type Page = (request: Request) => Response | Promise<Response>;

/** An instance whose page counts a session's visits; it answers 299 where there is no session. */
function createPage(options: SessionOptions): Page {
  const sessions = createSessions<Data>({ ...options, cookie: { secure: false } });
  return sessions.handler((request, session) => {
    const isLogin = request.method === "POST";
    if (session.isNew && !isLogin) return new Response(null, { status: 299 });
    session.set("visits", session.get("visits", 0) + 1);
    return new Response(String(session.get("visits")));
  });
}

/** A browser with one cookie. */
class Browser {
  cookie = "";

  async send(page: Page | undefined, method = "GET"): Promise<Response> {
    if (page === undefined) throw new RangeError("There is no such instance");
    const headers = { cookie: this.cookie };
    const response = await page(new Request("http://localhost/", { method, headers }));
    const [line] = response.headers.getSetCookie();
    if (line !== undefined) this.cookie = line.slice(0, line.indexOf(";"));
    return response;
  }
}

test("G2: a key rolls over three instances in four steps, and none of 1,000 sessions is lost", async () => {
  const store = memoryStore();
  const steps = [[OLD], [OLD, NEW], [NEW, OLD], [NEW]].map(
    ([secretKey, ...secretKeyFallbacks]) => ({ secretKey, secretKeyFallbacks, store }),
  );
  const [first, ...others] = steps;
  if (first === undefined) throw new RangeError("There are no steps");
  const pages = Array.from({ length: INSTANCES }, () => createPage(first));
  const browsers = Array.from({ length: 1000 }, () => new Browser());
  for (const [index, browser] of browsers.entries()) {
    await browser.send(pages[index % INSTANCES], "POST");
  }
  const old = browsers.map(({ cookie }) => cookie);
  let visits = 1;
  for (const step of others) {
    for (let instance = 0; instance < INSTANCES; instance++) {
      pages[instance] = createPage(step);
      visits++;
      for (const [index, browser] of browsers.entries()) {
        const response = await browser.send(pages[(index + visits) % INSTANCES]);
        expect(await response.text()).toBe(String(visits));
      }
    }
  }
  for (const cookie of old) {
    const copy = new Browser();
    copy.cookie = cookie;
    for (const page of pages) expect((await copy.send(page)).status).toBe(299);
  }
});

test("no session is lost between clocks that are 30 s apart", async () => {
  const store = memoryStore();
  let time = 1_700_000_000_000;
  const pages = [0, 15_000, 30_000].map((ahead) =>
    createPage({ secretKey: OLD, store, now: () => time + ahead }),
  );
  const browsers = Array.from({ length: 200 }, () => new Browser());
  for (const [index, browser] of browsers.entries()) {
    await browser.send(pages[index % INSTANCES], "POST");
  }
  for (let visits = 2; visits < 9; visits++) {
    for (const [index, browser] of browsers.entries()) {
      // Each on one instance after the other, forwards or backwards.
      const step = index % 2 === 0 ? visits : INSTANCES * 9 - visits;
      const response = await browser.send(pages[(index + step) % INSTANCES]);
      expect(await response.text()).toBe(String(visits));
    }
    time += 1000;
  }
});

const HOUR = 3600;

test("no session outlives its end by more than its clocks are apart: an hour", async () => {
  const [lifetime, idleTimeout, step] = [6 * HOUR, 2 * HOUR, 600];
  let time = 0;
  const store = memoryStore({ now: () => 1_700_000_000_000 + time * 1000 });
  const pages = [0, HOUR, HOUR / 2].map((ahead) => {
    const now = (): number => 1_700_000_000_000 + (time + ahead) * 1000;
    return createPage({ secretKey: OLD, store, lifetime, idleTimeout, now });
  });
  const browsers = Array.from({ length: 30 }, () => new Browser());
  for (const [index, browser] of browsers.entries()) {
    await browser.send(pages[index % INSTANCES], "POST");
  }
  const lastSeen = browsers.map(() => 0);
  for (time = step; time <= lifetime + 3 * HOUR; time += step) {
    for (const [index, browser] of browsers.entries()) {
      // A clock that is behind may not know the session yet: each browser tries them all.
      for (const page of pages) {
        const response = await browser.send(page);
        if (response.status === 200) lastSeen[index] = time;
      }
    }
  }
  // All were used all the time, so that their lifetime alone ended them.
  expect(Math.min(...lastSeen)).toBeGreaterThanOrEqual(lifetime - HOUR - step);
  expect(Math.max(...lastSeen)).toBeLessThan(lifetime + HOUR);
});

test("three instances restart in turn, three times, and no request fails and no login is lost", async () => {
  const { failures, tally } = await restartInTurn({ seed: 1, count: 3, seconds: 60 }, SHORT_TIMES);
  expect(failures).toEqual([]);
  expect(tally["restarts"]).toBe(9);
});
