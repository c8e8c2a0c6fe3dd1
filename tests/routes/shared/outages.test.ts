import { describe, expect, test } from "bun:test";
import { explainOutage, reasonOf, watchStore } from "../../../routes/shared/outages.ts";
import {
  createSessions,
  type MaybePromise,
  memoryStore,
  type Store,
} from "../../../session/mod.ts";
import { KEY } from "../../support/app.ts";
import { hasPostgres, POSTGRES_URL } from "../../support/store_harness.ts";

interface State {
  /** Why it fails; undefined where it does not. */
  reason: string | undefined;
  areReadsGood: boolean;
}

/** A store that fails when it is told to, at once or with a promise, and what was told of it. */
function faulty(isLate: boolean) {
  const told: string[] = [];
  const inner = memoryStore();
  const state: State = { reason: undefined, areReadsGood: false };
  function answer<T>(ask: () => MaybePromise<T>): MaybePromise<T> {
    if (state.reason !== undefined) throw new Error(state.reason);
    return ask();
  }
  async function answerLate<T>(ask: () => MaybePromise<T>): Promise<T> {
    return answer(ask);
  }
  const reply = isLate ? answerLate : answer;
  const store: Store = {
    get: (keys) => (state.areReadsGood ? inner.get(keys) : reply(() => inner.get(keys))),
    replace: (...change) => reply(() => inner.replace(...change)),
  };
  const watched = watchStore(store, {
    onDown: async (error) => {
      await Bun.sleep(0);
      told.push(`down: ${reasonOf(error)}`);
    },
    onUp: () => void told.push("up"),
  });
  /** Asks the store, and gives how that ended. */
  async function ask(
    call: (store: Store) => unknown = (store) => store.get(["a"]),
  ): Promise<unknown> {
    try {
      return await call(watched);
    } catch (error) {
      return reasonOf(error);
    } finally {
      await Bun.sleep(0);
      await Bun.sleep(0);
    }
  }
  return { state, told, ask };
}

describe.each([false, true])("a watched store whose answers are promises: %p", (isLate) => {
  test("answers and fails as the store itself", async () => {
    const { state, ask } = faulty(isLate);
    expect(await ask((store) => store.replace("a", undefined, "1", 60))).toBe(true);
    expect(await ask()).toEqual(["1"]);
    state.reason = "gone";
    expect(await ask()).toBe("gone");
    expect(await ask((store) => store.replace("a", "1", "2", 60))).toBe("gone");
  });

  test("tells each change of its state once, with the reason of the first failure", async () => {
    const { state, told, ask } = faulty(isLate);
    await ask();
    expect(told).toEqual([]);
    for (const reason of ["wrong password", "still wrong", undefined, undefined, "no table"]) {
      state.reason = reason;
      await ask();
    }
    expect(told).toEqual(["down: wrong password", "up", "down: no table"]);
  });

  test("is down as long as its writes fail, though its reads succeed", async () => {
    const { state, told, ask } = faulty(isLate);
    state.areReadsGood = true;
    for (const reason of ["full", "full", undefined]) {
      state.reason = reason;
      await ask((store) => store.replace("a", undefined, "1", 60));
      await ask();
    }
    expect(told).toEqual(["down: full", "up"]);
  });

  test("is up when its reads succeed again that failed with its writes", async () => {
    const { state, told, ask } = faulty(isLate);
    state.reason = "gone";
    await ask((store) => store.replace("a", undefined, "1", 60));
    await ask();
    state.reason = undefined;
    await ask();
    expect(told).toEqual(["down: gone", "up"]);
  });

  test("tells them in their order, though the reason has to be found out", async () => {
    const { state, told, ask } = faulty(isLate);
    state.reason = "gone";
    const failed = ask();
    state.reason = undefined;
    await Promise.all([failed, ask()]);
    await Bun.sleep(0);
    expect(told).toEqual(["down: gone", "up"]);
  });
});

test("a store that never answers has failed, as soon as a session's request has", async () => {
  const told: string[] = [];
  const never: Store = {
    get: async () => Promise.withResolvers<never>().promise,
    replace: async () => Promise.withResolvers<never>().promise,
  };
  const onDown = (error: unknown): void => void told.push(reasonOf(error));
  const store = watchStore(never, { onDown, onUp: () => {} });
  const reason = await Promise.resolve(store.get(["a"])).catch(reasonOf);
  expect([reason, ...told]).toEqual(["No answer in 250 ms", "No answer in 250 ms"]);
  const sessions = createSessions({ secretKey: KEY, store: never });
  expect(await sessions.endAll("admin").catch(String)).toContain("did not answer within 250 ms");
});

const CLOSED = new Error("failed", { cause: new Error("Connection closed") });

describe("explainOutage", () => {
  const words: readonly (readonly [string, RegExp])[] = [
    ["redis://u:hunter2@127.0.0.1:6379", /^WRONGPASS /],
    ["redis://127.0.0.1:1", /ECONNREFUSED|Failed to connect/],
    ["redis://:hunter2@127.0.0.1:1", /ECONNREFUSED|Failed to connect/],
    ["redis://127.0.0.1:6379", /^Connection closed$/],
    ["redis://127.0.0.1:6379/1", /^Connection closed$/],
    ["redis://127.0.0.1:6379/", /^Connection closed$/],
    ["redis://127.0.0.1:6379/999999", /^ERR DB index is out of range$/],
    ["postgres://u:hunter2@127.0.0.1:1/test", /^Failed to connect$/],
    ["sqlite:data/q.sqlite", /^Connection closed$/],
    ["memory:", /^Connection closed$/],
  ];
  test.each(words)("of %s is in the words of its server: %p", async (url, reason) => {
    expect(await explainOutage(CLOSED, url)).toMatch(reason);
  });

  test.concurrent.each(["redis", "rediss"])("gives up on a silent server: %s", async (scheme) => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const socket = { data() {}, close: () => resolve() };
    using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
    const reason = await explainOutage(CLOSED, `${scheme}://127.0.0.1:${silent.port}`);
    expect(reason).toBe("No answer in 3000 ms");
    await closed;
  });

  test.skipIf(!hasPostgres)("of PostgreSQL is in its words too", async () => {
    const { host } = new URL(POSTGRES_URL);
    const nobody = await explainOutage(CLOSED, `postgres://nobody:hunter2@${host}/test`);
    expect(nobody).toMatch(/"nobody"/);
    expect(await explainOutage(CLOSED, POSTGRES_URL)).toBe("Connection closed");
  });

  test.each([
    ["mysql://u:hunter2@host/db", "cannot log in with hunter2"],
    ["mysql://u:hunter%202@host/db", "hunter 2 or hunter%202"],
    ["postgres://u:hunter%zz@127.0.0.1:1/db", "cannot log in with hunter%zz"],
    ["redis://u:hunter%zz@127.0.0.1:1", "cannot log in with hunter%zz"],
  ])("never shows the password of %s", async (url, message) => {
    expect(await explainOutage(new Error(message), url)).not.toContain("hunter");
  });
});
