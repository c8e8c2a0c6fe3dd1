import type { Store } from "../../session/stores/store.ts";

/** What the world does around each operation of the store. */
export interface StoreHooks {
  /** The true time, in milliseconds. */
  readonly now: () => number;
  /** Waits before an operation takes effect, and again before its answer arrives. */
  readonly pause: (() => Promise<void>) | undefined;
  /** An operation took effect just now. */
  readonly onGet: (keys: readonly string[]) => void;
  readonly onReplace: (key: string, isReplaced: boolean) => void;
}

/** A store that keeps what it acknowledged exactly as long as it was told to, and not a moment more. */
export function createStore({ now, pause, onGet, onReplace }: StoreHooks): Store {
  const entries = new Map<string, { readonly value: string; readonly until: number }>();

  function read(key: string): string | undefined {
    const entry = entries.get(key);
    return entry !== undefined && entry.until > now() ? entry.value : undefined;
  }

  function get(keys: readonly string[]): readonly (string | undefined)[] {
    onGet(keys);
    return keys.map(read);
  }

  function replace(key: string, previous: string | undefined, next: string, ttl: number): boolean {
    const isReplaced = read(key) === previous;
    if (isReplaced) entries.set(key, { value: next, until: now() + ttl * 1000 });
    onReplace(key, isReplaced);
    return isReplaced;
  }

  if (pause === undefined) return { get, replace };

  return {
    get: (keys) => between(() => get(keys), pause),
    replace: (key, previous, next, ttl) => between(() => replace(key, previous, next, ttl), pause),
  };
}

async function between<T>(operation: () => T, wait: () => Promise<void>): Promise<T> {
  await wait();
  const answer = operation();
  await wait();
  return answer;
}
