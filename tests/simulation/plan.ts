import type { Session } from "../../session/mod.ts";
import type { Random } from "./random.ts";

/** Every value tells which request wrote it. */
export type Value = { by: number; filler?: string };
export type Values = Record<string, Value>;

export type Operation =
  | { readonly kind: "set" | "pop" | "change" | "huge"; readonly key: string }
  | { readonly kind: "clear" | "flash" | "takeFlashes" | "regenerate" | "destroy" }
  /** Sets, or removes, more keys than a record names one by one. */
  | { readonly kind: "fill" | "drain" }
  | { readonly kind: "subject"; readonly subject: string | undefined };

/** What a request is to do, and how often its handler waits for something before. */
export interface Plan {
  readonly operations: readonly Operation[];
  readonly pauses: number;
}

/** What a session holds: by key, which request wrote it. A flash is a key of its own. */
export type Contents = ReadonlyMap<string, number>;

/** What a request did to the session that it was given. */
export interface Effects {
  readonly set: ReadonlySet<string>;
  /** Keys whose value was changed inside, with the request that wrote that value. */
  readonly inside: Contents;
  readonly removed: ReadonlySet<string>;
  readonly flashes: readonly string[];
  readonly hasTaken: boolean;
  readonly isDestroyed: boolean;
  readonly isRegenerated: boolean;
  /** The subject that was named, where one was. */
  readonly subject: { readonly name: string | undefined } | undefined;
}

const KEYS = ["a", "b", "c"] as const;
const SUBJECTS = ["ada", "bob"] as const;
/** More than the 128 removals that a record tells apart. */
const FILL = Array.from({ length: 132 }, (_, index) => `f${index}`);
/** More than a cookie takes, however well it deflates. */
const HUGE = 6000;
const FLASH = "flash ";

export const NO_OPERATIONS: Plan = { operations: [], pauses: 0 };

export function isFlash(key: string): boolean {
  return key.startsWith(FLASH);
}

/** A kind of operations that a world may leave out. */
type Kind = Operation["kind"] | "login" | "two";
export type Weights = readonly (readonly [weight: number, kind: Kind])[];

/** Worlds that do few kinds of things find more than worlds that do a little of everything. */
export function chooseWeights(random: Random): Weights {
  const some = (weight: number): number => (random.percent(60) ? weight : 0);
  const isFilled = random.percent(2);
  return [
    [6, "set"],
    [some(3), "two"],
    [some(4), "pop"],
    [some(3), "change"],
    [some(1), "clear"],
    [some(2), "flash"],
    [some(2), "takeFlashes"],
    [some(2), "regenerate"],
    [some(1), "destroy"],
    [some(2), "login"],
    [some(1), "subject"],
    [random.percent(5) ? 1 : 0, "huge"],
    [isFilled ? 3 : 0, "fill"],
    [isFilled ? 2 : 0, "drain"],
  ];
}

export function choosePlan(random: Random, weights: Weights): Plan {
  const isReader = random.percent(30);
  const operations = isReader ? [] : operationsOf(random, random.weighted(weights));
  return {
    operations,
    pauses: random.weighted([
      [5, 0],
      [4, 1],
      [1, 2],
    ]),
  };
}

function operationsOf(random: Random, kind: Kind): readonly Operation[] {
  const key = random.pick(KEYS);
  switch (kind) {
    case "set":
    case "pop":
    case "change":
    case "huge":
      return [{ kind, key }];
    case "two":
      return [{ kind: random.percent(50) ? "set" : "change", key }, ...more(random)];
    case "regenerate":
      return random.percent(50) ? [{ kind }] : [{ kind }, { kind: "set", key }];
    case "destroy":
      return random.percent(70) ? [{ kind }] : [{ kind }, { kind: "set", key }];
    case "login":
      return [{ kind: "regenerate" }, nameSubject(random), { kind: "set", key }];
    case "subject":
      return [nameSubject(random), { kind: "set", key }];
    case "clear":
    case "flash":
    case "takeFlashes":
    case "fill":
    case "drain":
      break;
  }
  return [{ kind }];
}

function more(random: Random): readonly Operation[] {
  return [{ kind: random.percent(50) ? "set" : "pop", key: random.pick(KEYS) }];
}

export function chooseSubject(random: Random): string {
  return random.pick(SUBJECTS);
}

function nameSubject(random: Random): Operation {
  return { kind: "subject", subject: random.percent(90) ? chooseSubject(random) : undefined };
}

/** What is in the session now. */
export function look(session: Session<Values>): Contents {
  const contents = new Map<string, number>();
  for (const [key, { by }] of session) contents.set(key, by);
  for (const { message } of session.flashes) contents.set(FLASH + message, Number(message));
  return contents;
}

/** Does what was planned, and tells what that came to. */
export function perform(session: Session<Values>, plan: Plan, by: number): Effects {
  const before = look(session);
  const assigned = new Set<string>();
  for (const operation of plan.operations) doOne(session, operation, by, assigned);
  const after = look(session);
  const kinds = new Set(plan.operations.map(({ kind }) => kind));
  const set = new Set<string>();
  const inside = new Map<string, number>();
  for (const [key, writer] of after) {
    if (writer !== by || isFlash(key)) continue;
    const base = before.get(key);
    if (assigned.has(key) || base === undefined) set.add(key);
    else inside.set(key, base);
  }
  const named = plan.operations.findLast((operation) => operation.kind === "subject");
  return {
    set,
    inside,
    removed: new Set(Array.from(before.keys()).filter((key) => !after.has(key))),
    flashes: Array.from(after.keys()).filter((key) => isFlash(key) && !before.has(key)),
    hasTaken: kinds.has("takeFlashes"),
    isDestroyed: kinds.has("destroy"),
    isRegenerated: kinds.has("regenerate"),
    subject: named === undefined ? undefined : { name: named.subject },
  };
}

function doOne(
  session: Session<Values>,
  operation: Operation,
  by: number,
  assigned: Set<string>,
): void {
  const set = (key: string, value: Value): void => {
    session.set(key, value);
    assigned.add(key);
  };
  switch (operation.kind) {
    case "set":
      return set(operation.key, { by });
    case "huge":
      return set(operation.key, { by, filler: noise(HUGE) });
    case "pop":
      session.pop(operation.key);
      return;
    case "change": {
      const value = session.get(operation.key);
      if (value === undefined) set(operation.key, { by });
      else value.by = by;
      return;
    }
    case "fill":
      for (const key of FILL) set(key, { by });
      return;
    case "drain":
      for (const key of FILL) session.delete(key);
      return;
    case "clear":
      return session.clear();
    case "flash":
      return session.flash(String(by));
    case "takeFlashes":
      session.takeFlashes();
      return;
    case "regenerate":
      return session.regenerate();
    case "destroy":
      return session.destroy();
    case "subject":
      session.subject = operation.subject;
  }
}

/** Text that does not deflate. */
function noise(length: number): string {
  let text = "";
  for (let state = 1; text.length < length; state = Math.imul(state, 48_271) >>> 1) {
    text += state.toString(36);
  }
  return text;
}
