import type { Session, Sessions } from "../../session/mod.ts";
import type { Operation } from "./plan.ts";

/** Every value tells which request wrote it. */
export type Value = { by: number; filler?: string };
export type Values = Record<string, Value>;

/** What a session holds: by key, which request wrote it. A flash is a key as well. */
export type Contents = ReadonlyMap<string, number>;

/** What a request did to the session that it was given. */
export interface Effects {
  readonly set: ReadonlySet<string>;
  /** Keys whose value was changed inside, with the request that wrote the value before. */
  readonly inside: Contents;
  readonly removed: ReadonlySet<string>;
  readonly flashes: readonly string[];
  /** Keys whose value is too large for a cookie. */
  readonly huge: ReadonlySet<string>;
  readonly signedIn: string | undefined;
  /** Whether nothing of what was there before stays: destroyed, or another subject's. */
  readonly isCleared: boolean;
  readonly isDestroyed: boolean;
  /** Whether it asked for a new id. */
  readonly isMoved: boolean;
  readonly endsOthers: boolean;
  /** Whether it says that the user has just proved who they are. */
  readonly authenticates: boolean;
}

export const NO_EFFECTS: Effects = {
  set: new Set(),
  inside: new Map(),
  removed: new Set(),
  flashes: [],
  huge: new Set(),
  signedIn: undefined,
  isCleared: false,
  isDestroyed: false,
  isMoved: false,
  endsOthers: false,
  authenticates: false,
};

/** More than a cookie takes, however well it deflates. */
const HUGE = 6000;
const FLASH = "flash ";
/** How many flashes wait at most. */
const FLASH_LIMIT = 20;

function isFlash(key: string): boolean {
  return key.startsWith(FLASH);
}

/** What is in the session now. A flash that waits twice is there under a second name. */
export function look(session: Session<Values>): Contents {
  const contents = new Map<string, number>();
  for (const [key, value] of session) contents.set(key, writerOf(value));
  for (const { message } of session.flashes) {
    contents.set(nameAgain(contents, FLASH + message), Number(message));
  }
  return contents;
}

function nameAgain(contents: Contents, name: string): string {
  return contents.has(name) ? `${name} again` : name;
}

function writerOf(value: unknown): number {
  if (typeof value === "object" && value !== null && "by" in value) return Number(value.by);
  throw new TypeError(`Cannot read a value: ${String(value)}`);
}

/** What the request made of the contents that it found when it committed. */
export function apply(
  base: Contents,
  effects: Effects,
  by: number,
  isTwice: boolean = false,
): Contents {
  const contents = new Map(effects.isCleared ? [] : base);
  for (const key of effects.removed) contents.delete(key);
  for (const [key, given] of effects.inside) {
    if (contents.get(key) === given) contents.set(key, by);
  }
  for (const key of effects.set) contents.set(key, by);
  for (const key of effects.flashes) contents.set(isTwice ? nameAgain(contents, key) : key, by);
  const flashes = Array.from(contents.keys()).filter(isFlash);
  for (const key of flashes.slice(0, -FLASH_LIMIT)) contents.delete(key);
  return contents;
}

/** Whether the contents are the same. */
export function isSame(one: Contents, other: Contents): boolean {
  return one.size === other.size && Array.from(one).every(([key, by]) => other.get(key) === by);
}

/** Gives a function that does what was planned, and says what everything so far amounts to. */
export function createHands(
  sessions: Sessions<Values>,
  session: Session<Values>,
  by: number,
): (operations: readonly Operation[]) => Effects {
  const before = look(session);
  const given = session.subject;
  const assigned = new Set<string>();
  let signedIn: string | undefined;
  let [isDestroyed, isMoved, endsOthers, isConfirmed] = [false, false, false, false];

  function set(key: string, value: Value): void {
    session.set(key, value);
    assigned.add(key);
  }

  function perform(operation: Operation): void {
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
      case "clear":
        return session.clear();
      case "flash":
        return session.flash(String(by));
      case "takeFlashes":
        session.takeFlashes();
        return;
      case "regenerate":
        isMoved = true;
        return session.regenerate();
      case "confirm":
        if (session.subject === undefined) return;
        isMoved = isConfirmed = true;
        return session.confirm();
      case "destroy":
        isDestroyed = true;
        return session.destroy();
      case "signIn":
        isMoved = true;
        signedIn = operation.subject;
        return session.signIn(operation.subject);
      case "endOthers":
        if (session.subject === undefined) return;
        isMoved = endsOthers = true;
        sessions.endOthers(session);
    }
  }

  return (operations) => {
    operations.forEach(perform);
    const isAnothers = given !== undefined && signedIn !== undefined && given !== signedIn;
    const isCleared = isDestroyed || isAnothers;
    const after = look(session);
    const own = Array.from(after.keys()).filter((key) => after.get(key) === by && !isFlash(key));
    const isSet = (key: string): boolean => isCleared || assigned.has(key) || !before.has(key);
    return {
      set: new Set(own.filter(isSet)),
      inside: new Map(own.filter((key) => !isSet(key)).map((key) => [key, before.get(key) ?? 0])),
      removed: new Set(Array.from(before.keys()).filter((key) => !after.has(key))),
      flashes: Array.from(after.keys()).filter((key) => isFlash(key) && after.get(key) === by),
      huge: new Set(own.filter((key) => session.get(key)?.filler !== undefined)),
      signedIn,
      isCleared,
      isDestroyed,
      isMoved,
      endsOthers,
      authenticates: signedIn !== undefined || isConfirmed,
    };
  };
}

/** Text that does not deflate. */
function noise(length: number): string {
  let text = "";
  for (let state = 1; text.length < length; state = Math.imul(state, 48_271) >>> 1) {
    text += state.toString(36);
  }
  return text;
}
