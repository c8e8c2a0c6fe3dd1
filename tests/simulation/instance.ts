import { createSessions, type Sessions } from "../../session/mod.ts";
import type { Store } from "../../session/stores/store.ts";
import type { Values } from "./effects.ts";
import type { Settings } from "./exchange.ts";
import type { Random } from "./random.ts";

/** Where a world keeps its data: one place, or each instance another. */
export type DataIn = "cookie" | "store";

/**
 * A machine, with a clock that may be wrong. Each request under way has a process of its own there:
 * within one process the commits of a session take turns, and so would never meet.
 */
export interface Instance {
  readonly settings: Settings;
  /** Processes that serve no request just now. */
  readonly idle: Sessions<Values>[];
  readonly createProcess: () => Sessions<Values>;
}

/** What all instances of a world have in common. */
export interface Surroundings {
  readonly random: Random;
  readonly store: Store;
  /** The true time, in milliseconds. */
  readonly now: () => number;
  /** Undefined where each instance chooses. */
  readonly dataIn: DataIn | undefined;
  /** Whether there is a list of each user's sessions. */
  readonly list: boolean;
}

/** The cookie's name. */
export const COOKIE = "session";

const KEYS = [
  "iBmn3XVhbdUFBuGnsSGn0jHTK9p1qO4eDYbPvM8wLrE",
  "Zq7RkW2yLx0cNtA5fEoJv9UmHsD3gQpB1zTi6XlKe4M",
] as const;

/** How far clocks are apart, in milliseconds: each behind or ahead, or some ahead alone. */
export const CLOCKS: readonly (readonly number[])[] = [
  [0],
  [-14_500, 0, 14_500],
  [0, 29_000],
  [-9_000, -3_000, 2_000, 11_000],
];

/** An instance with settings that chance chooses. It keeps its clock when it is set up anew. */
export function createInstance(
  { random, store, now, list, dataIn: given }: Surroundings,
  skew: number,
): Instance {
  const idleTimeout = random.pick([130, 300, 900]);
  const lifetime = random.pick([1, 3, 100]) * idleTimeout;
  const dataIn = given ?? random.pick(["cookie", "store"] as const);
  const [secretKey, fallback] = random.percent(50) ? KEYS : KEYS.toReversed();
  return {
    settings: { skew, lifetime, idleTimeout, dataIn },
    idle: [],
    createProcess: () =>
      createSessions<Values>({
        secretKey,
        secretKeyFallbacks: fallback === undefined ? [] : [fallback],
        cookie: { name: COOKIE },
        lifetime,
        idleTimeout,
        store,
        dataIn,
        list,
        now: () => now() + skew,
        onEvent: () => {},
      }),
  };
}

/** The store's key of each subject's generation, as `endAll` writes it. */
export async function findGenerationKeys(
  subjects: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const keys = new Map<string, string>();
  for (const subject of subjects) {
    const store: Store = {
      get: (keys) => keys.map(() => undefined),
      replace(key) {
        keys.set(subject, key);
        return true;
      },
    };
    await createSessions({ secretKey: KEYS[0], cookie: { name: COOKIE }, store }).endAll(subject);
  }
  return keys;
}
