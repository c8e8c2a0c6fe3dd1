import { afterEach, describe, expect, jest, spyOn, test } from "bun:test";
import { SessionStoreError } from "../../session/errors.ts";
import { type RedisCommands, redisStore } from "../../session/stores/redis.ts";
import { failure } from "../support/store_harness.ts";

/** A client that answers as the test says, and counts how often it was connected. */
interface TestClient extends RedisCommands {
  connects: number;
}

function createClient(send: RedisCommands["send"]): TestClient {
  return {
    connects: 0,
    send,
    connect() {
      this.connects += 1;
      return Promise.reject(new Error("refused"));
    },
    close: () => {},
  };
}

function refuse(): Promise<never> {
  return Promise.reject(new Error("Connection closed"));
}

describe("an answer is an error if it is", () => {
  test.each<[string, (args: string[]) => unknown]>([
    ["about another key", ([, , , call = ""]) => [call.replace(/ .*/, " other"), null]],
    ["of an earlier call", ([, , , call = ""]) => [call.replace(/^\d+/, "0"), null]],
    ["without a call", () => null],
    ["not text: an object", ([, , , call]) => [call, { a: 1 }]],
    ["not text: bytes", ([, , , call]) => [call, new Uint8Array(1)]],
    ["not text: a number", ([, , , call]) => [call, 1]],
    ["not text: missing", ([, , , call]) => [call]],
  ])("%s", async (_title, reply) => {
    const store = redisStore(createClient((_command, args) => Promise.resolve(reply(args))));
    expect(await failure(() => store.get(["mine"]))).toBeInstanceOf(SessionStoreError);
  });

  test.each([["OK"], [true], [2], [null], [undefined]])(
    "neither 0 nor 1 for a replace: %p",
    async (reply) => {
      const store = redisStore(
        createClient((_command, [, , , call]) => Promise.resolve([call, reply])),
      );
      const error = await failure(() => store.replace("a", undefined, "1", 60));
      expect(error).toBeInstanceOf(SessionStoreError);
    },
  );

  test.each([
    ["of one key", 0, "a"],
    ["of two stores", 1, "b"],
  ])("swapped with another one %s, for both", async (_title, second, key) => {
    const waiting: ((value: unknown) => void)[] = [];
    const replies: unknown[] = [];
    const swapping = createClient((_command, args) => {
      replies.unshift([args[3], 1]);
      const { promise, resolve } = Promise.withResolvers<unknown>();
      waiting.push(resolve);
      if (waiting.length === 2) for (const answer of waiting) answer(replies.shift());
      return promise;
    });
    const stores = [redisStore(swapping), redisStore(swapping)];
    const errors = await Promise.all([
      failure(() => stores[0]?.replace("a", undefined, "1", 60)),
      failure(() => stores[second]?.replace(key, undefined, "2", 60)),
    ]);
    expect(errors.map((error) => error instanceof SessionStoreError)).toEqual([true, true]);
  });
});

describe("a client that stays silent", () => {
  afterEach(() => void jest.useRealTimers());

  test("is connected again after 10 s, and not before", () => {
    jest.useFakeTimers();
    const client = createClient(() => new Promise(() => {}));
    void redisStore(client).get(["a"]);
    jest.advanceTimersByTime(9999);
    expect(client.connects).toBe(0);
    jest.advanceTimersByTime(1);
    expect(client.connects).toBe(1);
  });

  test("for less than 10 s gives its answer", async () => {
    jest.useFakeTimers();
    const { promise, resolve } = Promise.withResolvers<unknown>();
    const client = createClient(() => promise);
    const values = redisStore(client).get(["a"]);
    jest.advanceTimersByTime(9999);
    resolve(["1 a", "late"]);
    expect(await values).toEqual(["late"]);
    expect(jest.getTimerCount()).toBe(0);
    expect(client.connects).toBe(0);
  });
});

describe("a client whose command failed", () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test.each<[string, () => unknown]>([
    ["throws", () => void new URL("no address")],
    ["rejects", () => Promise.reject(new Error("Cannot close"))],
    ["never ends", () => new Promise(() => {})],
  ])("is connected again where its close %s", async (_title, close) => {
    const client = createClient(refuse);
    client.close = close;
    expect(await failure(() => redisStore(client).get(["a"]))).toBeInstanceOf(SessionStoreError);
    expect(client.connects).toBe(1);
  });

  test("is connected again at most once a second", async () => {
    const clock = spyOn(performance, "now").mockReturnValue(0);
    const client = createClient(refuse);
    const store = redisStore(client);
    for (const [now, connects] of [
      [0, 1],
      [1, 1],
      [999, 1],
      [1000, 2],
      [1999, 2],
    ] as const) {
      clock.mockReturnValue(now);
      expect(await failure(() => store.get(["a"]))).toBeInstanceOf(SessionStoreError);
      expect(client.connects).toBe(connects);
    }
  });

  test("is not connected again while an attempt is under way, for 10 s", async () => {
    const clock = spyOn(performance, "now").mockReturnValue(0);
    const client = createClient(refuse);
    const [first, second] = [Promise.withResolvers(), Promise.withResolvers()];
    client.connect = () => {
      client.connects += 1;
      return client.connects === 1 ? first.promise : second.promise;
    };
    const store = redisStore(client);
    async function connectsAt(now: number): Promise<number> {
      clock.mockReturnValue(now);
      await failure(() => store.get(["a"]));
      return client.connects;
    }
    expect(await connectsAt(0)).toBe(1);
    expect(await connectsAt(9999)).toBe(1);
    expect(await connectsAt(10_000)).toBe(2);
    first.reject(new Error("refused"));
    expect(await connectsAt(11_000)).toBe(2);
    expect(await connectsAt(19_999)).toBe(2);
    second.resolve(undefined);
    expect(await connectsAt(19_999)).toBe(2);
    expect(await connectsAt(20_999)).toBe(3);
  });

  test("without close and connect is left alone", async () => {
    const cause = new Error("Connection closed");
    const store = redisStore({ send: () => Promise.reject(cause) });
    const error = await failure(() => store.get(["a"]));
    expect(error).toBeInstanceOf(SessionStoreError);
    expect(error).toHaveProperty("cause", cause);
  });

  test("keeps its connection if the server sent the error", async () => {
    const code = "ERR_REDIS_SERVER_ERROR";
    const full = createClient(() => Promise.reject(Object.assign(new Error("OOM"), { code })));
    const error = await failure(() => redisStore(full).replace("a", undefined, "1", 60));
    expect(error).toBeInstanceOf(SessionStoreError);
    expect(full.connects).toBe(0);
  });
});
