import type { Store } from "../../session/stores/store.ts";

/** How a call of the store ends. */
export type Fate =
  | "answered"
  /** An error, and nothing happened. */
  | "refused"
  /** It took effect, and the answer was lost: the caller gets an error. */
  | "lost"
  /** It took effect, and a client that lost the answer tried again: the caller hears false. */
  | "repeated"
  /** No answer in time, which is an error, and it takes effect a little later. */
  | "late";

/** A replacement that took effect, or found something else. */
export interface Replacement {
  readonly key: string;
  readonly previous: string | undefined;
  readonly next: string;
  readonly isReplaced: boolean;
  /** What the caller hears, where it hears anything. */
  readonly answer: boolean;
}

/** What the world does around each call of the store. */
export interface StoreHooks<Caller> {
  /** The true time, in milliseconds. */
  readonly now: () => number;
  /** Waits before a call takes effect, and again before its answer arrives. */
  readonly pause: (() => Promise<void>) | undefined;
  /** Who calls just now. */
  readonly caller: () => Caller;
  readonly chooseFate: () => Fate;
  /** For how many milliseconds the store keeps an entry longer than it was told to. */
  readonly chooseDelay: () => number;
  /** Takes what happens after the caller stopped waiting. */
  readonly postpone: (effect: () => void) => void;
  /** A call took effect just now. */
  readonly onGet: (
    caller: Caller,
    keys: readonly string[],
    values: readonly (string | undefined)[],
  ) => void;
  readonly onReplace: (caller: Caller, replacement: Replacement) => void;
  /** A caller gets an error. */
  readonly onFault: (caller: Caller) => void;
}

/**
 * A store that keeps what it took as long as it was told to, or longer. Each call takes effect at one
 * moment; the answer may be lost.
 */
export function createStore<Caller>(hooks: StoreHooks<Caller>): Store {
  const { now, pause, caller, chooseFate, chooseDelay, postpone } = hooks;
  const entries = new Map<string, { readonly value: string; readonly until: number }>();

  function read(key: string): string | undefined {
    const entry = entries.get(key);
    return entry !== undefined && entry.until > now() ? entry.value : undefined;
  }

  function get(by: Caller, fate: Fate, keys: readonly string[]): readonly (string | undefined)[] {
    if (fate !== "answered") throw fail(by);
    const values = keys.map(read);
    hooks.onGet(by, keys, values);
    return values;
  }

  function replace(by: Caller, fate: Fate, change: Change): boolean {
    if (fate === "refused") throw fail(by);
    if (fate === "late") {
      postpone(() => take(by, fate, change));
      throw fail(by);
    }
    const answer = take(by, fate, change);
    if (fate === "lost") throw fail(by);
    return answer;
  }

  function take(by: Caller, fate: Fate, { key, previous, next, ttl }: Change): boolean {
    const isReplaced = read(key) === previous;
    if (isReplaced) entries.set(key, { value: next, until: now() + ttl * 1000 + chooseDelay() });
    const answer = isReplaced && fate !== "repeated";
    hooks.onReplace(by, { key, previous, next, isReplaced, answer });
    return answer;
  }

  function fail(by: Caller): Error {
    hooks.onFault(by);
    return new Error("the connection was closed");
  }

  function call<T>(operation: (by: Caller, fate: Fate) => T): T | Promise<T> {
    const by = caller();
    const fate = chooseFate();
    return pause === undefined ? operation(by, fate) : between(() => operation(by, fate), pause);
  }

  return {
    get: (keys) => call((by, fate) => get(by, fate, keys)),
    replace: (key, previous, next, ttl) =>
      call((by, fate) => replace(by, fate, { key, previous, next, ttl })),
  };
}

interface Change {
  readonly key: string;
  readonly previous: string | undefined;
  readonly next: string;
  readonly ttl: number;
}

async function between<T>(operation: () => T, wait: () => Promise<void>): Promise<T> {
  await wait();
  try {
    return operation();
  } finally {
    await wait();
  }
}
