import { EventEmitter } from "node:events";
import { afterEach, describe, expect, jest, mock, test } from "bun:test";
import { SessionStoreError } from "../../session/errors.ts";
import { postgresStore } from "../../session/stores/postgres.ts";
import { failure } from "../support/store_harness.ts";

const COLUMNS = [
  ["key", "text"],
  ["value", "text"],
  ["expires", "timestamp with time zone"],
];

/** Answers as an empty database that has the table. */
function rowsOf(text: string, values: unknown[] = []): unknown[] {
  if (text.includes("pg_attribute")) return COLUMNS;
  return String(values[0])
    .split(",")
    .map((key) => [key, null]);
}

/** A client of pg, which answers as `answer` says. */
class Client extends EventEmitter {
  answer: (text: string, values?: unknown[]) => Promise<unknown> = async (text, values) =>
    rowsOf(text, values);
  readonly release = mock((_isBroken?: boolean) => {});

  async query({ text, values }: { text: string; values?: unknown[] }): Promise<{ rows: unknown }> {
    return { rows: await this.answer(text, values) };
  }
}

/** A pool of pg with one client. */
class Pool {
  readonly options: { max: number } = { max: 1 };
  readonly totalCount: number = 1;
  readonly client: Client = new Client();
  connect: () => Promise<Client> = async () => this.client;

  /** Shows that it is a Pool and no Client. */
  query(): void {}
}

/** A server's error as pg gives it. */
function serverError(code: string): Error {
  return Object.assign(new Error("from the server"), { severity: "ERROR", code });
}

async function timerIsSet(): Promise<void> {
  while (jest.getTimerCount() === 0) await Promise.resolve();
}

/** By then the timer for a free connection is gone, and that for an answer is set. */
async function queryIsSent(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}

const NEVER = new Promise<never>(() => {});

afterEach(() => void jest.useRealTimers());

describe("a Pool of pg", () => {
  test("gets its client back after each query, and no listener stays", async () => {
    const pool = new Pool();
    const store = postgresStore(pool);
    expect(await store.get(["a", "b"])).toEqual([undefined, undefined]);
    expect(pool.client.release.mock.calls).toEqual([[false], [false], [false]]);
    expect(pool.client.listenerCount("error")).toBe(0);
  });

  test("may tell of an error while the query runs", async () => {
    const pool = new Pool();
    pool.client.answer = async (text, values) => {
      expect(pool.client.emit("error", new Error("broken"))).toBe(true);
      return rowsOf(text, values);
    };
    expect(await postgresStore(pool).get(["a"])).toEqual([undefined]);
  });

  test.each([
    ["a statement that the server refuses", serverError("42501"), false],
    ["a server that stops", serverError("57P01"), true],
    ["a server that loses the connection", serverError("08006"), true],
    ["a network that fails", Object.assign(new Error("write"), { code: "EPIPE" }), true],
  ])("%s: is its client broken?", async (_title, error, isBroken) => {
    const pool = new Pool();
    pool.client.answer = () => Promise.reject(error);
    const failed = await failure(() => postgresStore(pool).get(["a"]));
    expect(failed).toBeInstanceOf(SessionStoreError);
    expect(failed).toHaveProperty("cause", error);
    expect(pool.client.release.mock.calls).toEqual([[isBroken]]);
    // A broken one may still say so while the pool ends it.
    expect(pool.client.listenerCount("error")).toBe(isBroken ? 1 : 0);
  });

  test("ends a client that has not answered for 10 s", async () => {
    jest.useFakeTimers();
    const pool = new Pool();
    pool.client.answer = () => NEVER;
    const failed = failure(() => postgresStore(pool).get(["a"]));
    await queryIsSent();
    jest.advanceTimersByTime(9999);
    expect(pool.client.release).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(await failed).toBeInstanceOf(SessionStoreError);
    expect(pool.client.release.mock.calls).toEqual([[true]]);
  });

  test("gets a client back that comes after 10 s", async () => {
    jest.useFakeTimers();
    const pool = new Pool();
    const late = Promise.withResolvers<Client>();
    pool.connect = () => late.promise;
    const store = postgresStore(pool);
    const failed = failure(() => store.get(["a"]));
    await timerIsSet();
    jest.advanceTimersByTime(10_000);
    expect(await failed).toBeInstanceOf(SessionStoreError);
    late.resolve(pool.client);
    while (pool.client.release.mock.calls.length === 0) await Promise.resolve();
    expect(pool.client.release.mock.calls).toEqual([[false]]);
    jest.useRealTimers();
    expect(await store.get(["a"])).toEqual([undefined]);
  });
});

function reserveNothing(): Promise<never> {
  return Promise.reject(new Error("It reserves nothing"));
}

/** An `sql` of Postgres.js: without the option `adapter`, which Bun's has. */
function createSql(answer: typeof rowsOf | (() => Promise<never>)) {
  const unsafe = mock((text: string, values?: unknown[], _options?: { prepare?: boolean }) => ({
    simple: async () => answer(text, values),
    values: async () => answer(text, values),
  }));
  return Object.assign(() => {}, { options: { max: 2 }, unsafe, reserve: reserveNothing });
}

describe("an sql of Postgres.js", () => {
  test("prepares its queries, and reserves no connection", async () => {
    const sql = createSql(rowsOf);
    expect(await postgresStore(sql).get(["a"])).toEqual([undefined]);
    expect(sql.unsafe.mock.calls.map(([, , options]) => options)).toEqual([
      undefined,
      { prepare: true },
      { prepare: true },
    ]);
  });

  test("makes nobody wait longer than 10 s", async () => {
    jest.useFakeTimers();
    const failed = failure(() => postgresStore(createSql(() => NEVER)).get(["a"]));
    await queryIsSent();
    jest.advanceTimersByTime(10_000);
    expect(await failed).toBeInstanceOf(SessionStoreError);
  });
});
