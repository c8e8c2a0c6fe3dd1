import { afterAll, beforeAll, beforeEach, describe, setDefaultTimeout, spyOn } from "bun:test";
import type { Session, SessionOptions } from "../../session/mod.ts";
import type { MaybePromise } from "../../session/maybe.ts";
import { type App, Browser, createApp } from "../support/app.ts";
import { requestWith } from "../support/requests.ts";
import {
  type Harness,
  hasPostgres,
  hasRedis,
  memoryHarness,
  postgresHarness,
  redisHarness,
  sqliteHarness,
} from "../support/store_harness.ts";

/** What ends a test of a wait that has no other end: far above what any of them takes. */
export const TIME_LIMIT = 30_000;

/** Two instances that share a store, with one clock: `first` moves it. */
export interface Site {
  readonly harness: Harness;
  readonly first: App;
  readonly second: App;
}

interface Place {
  readonly name: string;
  readonly isRunning: boolean;
  readonly open: () => MaybePromise<Harness>;
}

const PLACES: readonly Place[] = [
  { name: "memory", isRunning: true, open: memoryHarness },
  { name: "sqlite", isRunning: true, open: sqliteHarness },
  { name: "redis", isRunning: hasRedis, open: redisHarness },
  { name: "postgres", isRunning: hasPostgres, open: postgresHarness },
];

const KINDS: readonly (Place & { readonly dataIn: "cookie" | "store" })[] = PLACES.flatMap(
  (place) => [
    { ...place, dataIn: "cookie" },
    { ...place, dataIn: "store" },
  ],
);

/** The tests of a promise, over every store with the data in either place. */
export function describeEverywhere(
  promise: string,
  tests: (site: Site) => void,
  options: Pick<SessionOptions, "list"> = {},
): void {
  setDefaultTimeout(TIME_LIMIT); // It holds for the test file that calls it.
  describe.each(KINDS)(`${promise}: $name, data in the $dataIn`, ({ isRunning, open, dataIn }) => {
    if (!isRunning) return;
    let harness: Harness;
    let first: App;
    let second: App;
    let deadlines: Disposable;
    beforeAll(async () => {
      harness = await open();
      deadlines = stopDeadlines();
    });
    beforeEach(() => {
      [first, second] = createSite(harness, { dataIn, ...options });
    });
    afterAll(async () => {
      deadlines[Symbol.dispose]();
      await harness.close();
    });
    tests({
      get harness() {
        return harness;
      },
      get first() {
        return first;
      },
      get second() {
        return second;
      },
    });
  });
}

function createSite(
  { store, other }: Harness,
  options: Pick<SessionOptions, "dataIn" | "list">,
): [first: App, second: App] {
  const first = createApp({ store, ...options });
  return [first, createApp({ store: other, now: first.now, ...options })];
}

/** Stops the clocks of every deadline: how fast the machine is has no say in what a test finds. */
function stopDeadlines(): Disposable {
  const { setTimeout } = globalThis;
  Reflect.set(globalThis, "setTimeout", (run: () => void) => setTimeout(run, 1e6));
  const spies = [
    spyOn(performance, "now").mockReturnValue(0),
    spyOn(AbortSignal, "timeout").mockImplementation(() => new AbortController().signal),
  ];
  return {
    [Symbol.dispose]() {
      Reflect.set(globalThis, "setTimeout", setTimeout);
      for (const spy of spies) spy.mockRestore();
    },
  };
}

export type Act = (session: Session) => unknown;

/** A browser whose session holds these values. */
export async function browserWith(app: App, values: Record<string, unknown>): Promise<Browser> {
  const browser = new Browser();
  await app.visit(browser, (session) => session.update(values));
  return browser;
}

/** A browser that signed in. */
export async function signedIn(app: App, subject: string): Promise<Browser> {
  const browser = new Browser();
  await app.visit(browser, (session) => {
    session.signIn(subject);
    session.set("username", subject);
  });
  return browser;
}

/** A request under way: its session is open, and its handler acts no sooner than at the end. */
export async function hold(
  { sessions }: App,
  cookie: string,
  act: Act,
): Promise<() => Promise<Response>> {
  const session = await sessions.open(requestWith(cookie));
  return async () => {
    await act(session);
    return sessions.commit(session, new Response());
  };
}

/** Requests that overlap: all are open before the first one acts, then they end in turn. */
export async function overlap(
  app: App,
  cookie: string,
  ...acts: readonly Act[]
): Promise<Response[]> {
  const held = [];
  for (const act of acts) held.push(await hold(app, cookie, act));
  const answers: Response[] = [];
  for (const finish of held) answers.push(await finish());
  return answers;
}

/** The types of the events, in their order. */
export function typesOf({ events }: App): string[] {
  return events.map(({ type }) => type);
}

/** The cookie that a browser has after these answers arrived, in this order. */
export function keep(browser: Browser, ...answers: readonly Response[]): string {
  for (const answer of answers) browser.take(answer);
  return browser.cookie;
}
