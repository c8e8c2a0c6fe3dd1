import { memoryStore, type Session, type SessionOptions, type Store } from "../../session/mod.ts";
import { type App, Browser, createApp } from "./app.ts";
import { requestWith } from "./requests.ts";

/**
 * What a write does: `no` is another request's conflict, `down` an error before it takes effect, and
 * `lost` one after that; `mistaken` takes effect and says no, as where a client sends it twice.
 */
export type Fault = "ok" | "no" | "down" | "lost" | "mistaken";

/** A memory store whose next writes go wrong, in this order. */
export interface Faulty extends Store {
  faults: Fault[];
  /** The keys of every question, and of every write. */
  readonly asked: (readonly string[])[];
  readonly written: string[];
}

/** A memory store that does as it should until it is given faults. */
export function faulty(): Faulty {
  const inner = memoryStore();
  const store: Faulty = {
    faults: [],
    asked: [],
    written: [],
    get(keys) {
      store.asked.push(keys);
      return inner.get(keys);
    },
    async replace(...change) {
      const fault = store.faults.shift() ?? "ok";
      store.written.push(change[0]);
      if (fault === "no") return false;
      if (fault === "down") throw new Error("Connection refused");
      const answer = await inner.replace(...change);
      if (fault === "lost") throw new Error("Connection reset");
      return fault === "mistaken" ? false : answer;
    },
  };
  return store;
}

/**
 * A memory store that lets something happen after each write, by its number from 0. Where that gives
 * false, the write says no though it took effect.
 */
export function interrupted(happen: (write: number, key: string, ttl: number) => unknown): Store {
  const store = memoryStore();
  let writes = 0;
  return {
    get: (keys) => store.get(keys),
    async replace(key, previous, next, ttl) {
      const answer = await store.replace(key, previous, next, ttl);
      const isTaken = (await happen(writes++, key, ttl)) !== false;
      return answer && isTaken;
    },
  };
}

export type Act = (session: Session) => unknown;

/** An application whose store goes wrong, and a browser that signed in there. */
export async function start(
  options: Partial<SessionOptions> = {},
): Promise<{ app: App; store: Faulty; browser: Browser }> {
  const store = faulty();
  // How fast the machine is has no say in what a test finds.
  const app = createApp({ store, storeTimeout: 10_000, ...options });
  const browser = new Browser();
  await app.visit(browser, (session) => {
    session.signIn("ann");
    session.update({ username: "ann", cart: ["tea"], count: 0 });
    session.flash("Waits");
  });
  store.asked.length = 0;
  store.written.length = 0;
  return { app, store, browser };
}

/** What the browser's next request gets. */
export async function opened({ sessions }: App, { cookie }: Browser): Promise<Session> {
  return sessions.open(requestWith(cookie));
}

/** Changes a value inside, without setting its key. */
export function push(session: Session, key: string, item: string): void {
  Reflect.apply(Array.prototype.push, session.get(key), [item]);
}
