import type { Random } from "./random.ts";

/** What a handler does with its session. */
export type Operation =
  | { readonly kind: "set" | "pop" | "change" | "huge"; readonly key: string }
  | { readonly kind: "clear" | "flash" | "takeFlashes" }
  | { readonly kind: "regenerate" | "confirm" | "destroy" | "endOthers" }
  | { readonly kind: "signIn"; readonly subject: string };

/** What a request is to do. */
export interface Plan {
  readonly operations: readonly Operation[];
  /** How often its handler waits for something before. */
  readonly pauses: number;
  /** How often it commits again where that failed. */
  readonly retries: number;
  /** What it does before it commits again. */
  readonly again: readonly Operation[];
}

const KEYS = ["a", "b", "c"] as const;
export const SUBJECTS = ["ada", "bob"] as const;

/** A request that only reads. */
export const READ: Plan = { operations: [], pauses: 0, retries: 0, again: [] };

/** What one request does, by a name. A world leaves some out. */
type Kind =
  Operation["kind"] | "twoKeys" | "login" | "loginAfter" | "changeUser" | "loginEndOthers";

export type Weights = readonly (readonly [weight: number, kind: Kind])[];

/** Worlds that do few kinds of things find more than worlds that do a little of everything. */
export function chooseWeights(random: Random): Weights {
  const some = (weight: number): number => (random.percent(60) ? weight : 0);
  return [
    [6, "set"],
    [some(3), "twoKeys"],
    [some(4), "pop"],
    [some(3), "change"],
    [some(1), "clear"],
    [some(2), "flash"],
    [some(2), "takeFlashes"],
    [some(2), "regenerate"],
    [some(1), "confirm"],
    [some(2), "destroy"],
    [some(2), "login"],
    [some(1), "loginAfter"],
    [some(1), "signIn"],
    [some(0.5), "changeUser"],
    [some(2), "endOthers"],
    [some(0.3), "loginEndOthers"],
    [random.percent(8) ? 1 : 0, "huge"],
  ];
}

/** A plan; `retryPercent` of them commit again where a commit fails. */
export function choosePlan(random: Random, weights: Weights, retryPercent: number): Plan {
  const isReader = random.percent(30);
  const kind = random.weighted(weights);
  const operations = isReader ? [] : operationsOf(random, kind);
  const retries = random.percent(retryPercent) ? 2 : 0;
  return {
    operations,
    pauses: random.weighted([
      [5, 0],
      [4, 1],
      [1, 2],
    ]),
    retries,
    again: retries > 0 ? moreOperations(random, operations) : [],
  };
}

export function chooseSubject(random: Random): string {
  return random.pick(SUBJECTS);
}

function operationsOf(random: Random, kind: Kind): readonly Operation[] {
  const key = random.pick(KEYS);
  const signIn: Operation = { kind: "signIn", subject: chooseSubject(random) };
  switch (kind) {
    case "set":
    case "pop":
    case "change":
    case "huge":
      return [{ kind, key }];
    case "twoKeys":
      return [
        { kind: random.percent(50) ? "set" : "change", key },
        { kind: random.percent(50) ? "set" : "pop", key: random.pick(KEYS) },
      ];
    case "regenerate":
    case "confirm":
    case "endOthers":
      return random.percent(50) ? [{ kind }] : [{ kind }, { kind: "set", key }];
    case "destroy":
      return random.percent(70) ? [{ kind }] : [{ kind }, { kind: "set", key }];
    case "signIn":
      return [signIn];
    case "login":
      return [signIn, { kind: "set", key }];
    case "loginAfter":
      return [{ kind: "change", key }, signIn];
    case "changeUser":
      return [{ kind: "destroy" }, signIn, { kind: "set", key }];
    case "loginEndOthers":
      return [signIn, { kind: "endOthers" }];
    case "clear":
    case "flash":
    case "takeFlashes":
      break;
  }
  return [{ kind }];
}

/** What was too large goes before the next try; else a handler may do nothing more, or a little. */
function moreOperations(random: Random, operations: readonly Operation[]): readonly Operation[] {
  for (const operation of operations) {
    if (operation.kind === "huge") return [{ kind: "pop", key: operation.key }];
  }
  return random.percent(30) ? [{ kind: "set", key: random.pick(KEYS) }] : [];
}
