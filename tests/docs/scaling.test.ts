/** The calls of the store that docs/scaling.md says each operation makes. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { createSessions, memoryStore, type Session, type Sessions } from "../../session/mod.ts";
import { type Clock, createClock, DAY } from "../support/clock.ts";
import { ROOT } from "../support/program.ts";
import { cookieOf, requestWith } from "../support/requests.ts";
import { SECRET } from "../support/secrets.ts";

const page = await Bun.file(join(ROOT, "docs/scaling.md")).text();

/** The rows of the table of calls: the operation, and its calls with the data in either place. */
const rows = Array.from(
  page.matchAll(/^\| ([^|]+?) +\| (\d get[^|]*?|none) +\| (\d get[^|]*?|none) +\|$/gm),
  ([, operation = "", cookie = "", store = ""]) => ({ operation, cookie, store }),
);

/** One browser on one instance, whose calls of the store are counted. */
interface World {
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly visit: (act?: (session: Session) => void) => Promise<void>;
  readonly setCookie: (cookie: string) => void;
}

interface Operation {
  /** Whether it has the option `list`. */
  readonly list?: boolean;
  /** What the browser does before. */
  readonly before?: (world: World) => Promise<void> | void;
  readonly run: (world: World) => Promise<void>;
}

const begin = ({ visit }: World): Promise<void> => visit((session) => session.set("a", 1));
const signIn = ({ visit }: World): Promise<void> => visit((session) => session.signIn("user-1"));

const operations: Readonly<Record<string, Operation>> = {
  "a visitor without a cookie": { run: ({ visit }) => visit() },
  "a cookie that is not taken": {
    before: ({ setCookie }) => setCookie("__Host-Http-session=a.b.c"),
    run: ({ visit }) => visit(),
  },
  "a visitor's first value": { run: begin },
  "reading a session": { before: begin, run: ({ visit }) => visit((session) => session.get("a")) },
  "a change": { before: begin, run: ({ visit }) => visit((session) => session.set("a", 2)) },
  "`signIn` without a session before": { run: signIn },
  "`signIn` with a session before": { before: begin, run: signIn },
  "`regenerate`": { before: signIn, run: ({ visit }) => visit((session) => session.regenerate()) },
  "`destroy`": { before: signIn, run: ({ visit }) => visit((session) => session.destroy()) },
  "a visitor's last key": {
    before: begin,
    run: ({ visit }) => visit((session) => session.delete("a")),
  },
  "`endOthers`": {
    before: signIn,
    run: ({ sessions, visit }) => visit((session) => sessions.endOthers(session)),
  },
  "`endAll`": { before: signIn, run: ({ sessions }) => sessions.endAll("user-1") },
  "signing again": {
    before: begin,
    async run({ clock, visit }) {
      clock.advance(4 * DAY);
      await visit();
    },
  },
  "reading a session, listed": {
    list: true,
    before: signIn,
    run: ({ visit }) => visit((session) => session.get("a")),
  },
  "a login, listed": { list: true, run: signIn },
  "the 101st login": {
    list: true,
    async before(world) {
      for (let count = 0; count < 100; count++) await signInAnew(world);
    },
    run: signInAnew,
  },
  "a change of a signed-in session": { list: true, before: signIn, run: begin },
  "signing a listed session again": {
    list: true,
    before: signIn,
    async run({ clock, visit }) {
      clock.advance(4 * DAY);
      await visit();
    },
  },
  "`regenerate` or `confirm`, listed": {
    list: true,
    before: signIn,
    run: ({ visit }) => visit((session) => session.confirm()),
  },
  "`destroy`, listed": {
    list: true,
    before: signIn,
    run: ({ visit }) => visit((session) => session.destroy()),
  },
  "`endOthers`, listed": {
    list: true,
    before: signIn,
    run: ({ sessions, visit }) => visit((session) => sessions.endOthers(session)),
  },
  "`endAll`, listed": {
    list: true,
    before: signIn,
    run: ({ sessions }) => sessions.endAll("user-1"),
  },
  "`list`": {
    list: true,
    before: signIn,
    async run({ sessions }) {
      await sessions.list("user-1");
    },
  },
  "`end`": {
    list: true,
    before: signInAsTestRef,
    async run({ sessions }) {
      await sessions.end("user-1", ref);
    },
  },
};

let ref = "";

/** Signs in, and keeps what the list calls that session. */
async function signInAsTestRef({ visit }: World): Promise<void> {
  await visit((session) => {
    session.signIn("user-1");
    ({ ref } = session);
  });
}

/** Another browser's login. */
async function signInAnew(world: World): Promise<void> {
  world.setCookie("");
  await signIn(world);
}

/** What the operation asks of the store. */
async function callsOf(
  { before, run, list = false }: Operation,
  dataIn: "cookie" | "store",
): Promise<string> {
  const clock = createClock();
  const store = memoryStore({ now: clock.now });
  const calls = { get: 0, replace: 0 };
  const counted = {
    get(keys: readonly string[]) {
      calls.get += 1;
      return store.get(keys);
    },
    replace(...change: Parameters<typeof store.replace>) {
      calls.replace += 1;
      return store.replace(...change);
    },
  };
  const sessions = createSessions({
    secretKey: SECRET,
    store: counted,
    dataIn,
    list,
    now: clock.now,
  });
  let cookie: string | undefined;
  const world: World = {
    sessions,
    clock,
    setCookie: (value) => (cookie = value),
    async visit(act) {
      const session = await sessions.open(requestWith(cookie));
      act?.(session);
      cookie = cookieOf(await sessions.commit(session, new Response())) ?? cookie;
    },
  };
  await before?.(world);
  const start = { ...calls };
  await run(world);
  const get = calls.get - start.get;
  const replace = calls.replace - start.replace;
  if (get + replace === 0) return "none";
  return replace === 0 ? `${get} get` : `${get} get, ${replace} replace`;
}

test("docs/scaling.md has every operation of these in its table, and no other", () => {
  expect(rows.map(({ operation }) => operation)).toEqual(Object.keys(operations));
});

test.each(rows)("docs/scaling.md says what is asked for: $operation", async (row) => {
  const operation = operations[row.operation] ?? { run: async () => {} };
  expect({
    cookie: await callsOf(operation, "cookie"),
    store: await callsOf(operation, "store"),
  }).toEqual({ cookie: row.cookie, store: row.store });
});

test("docs/scaling.md shows how to wait for a replica as the failovers do it", async () => {
  const source = await Bun.file(join(ROOT, "tests/failover/ioredis.ts")).text();
  const [shown] = /async send\(.*?\n    \},\n/s.exec(source) ?? ["nothing"];
  expect(page).toContain(shown.replaceAll(/^ {2}/gm, ""));
});
