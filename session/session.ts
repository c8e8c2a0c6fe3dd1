import { type Flash, latestFlashes, nameOf } from "./entries.ts";
import { SessionCommittedError, SessionValueError } from "./errors.ts";
import { check } from "./token/json.ts";
import {
  assign,
  changesOf,
  checkSubject,
  isFirst,
  isModified,
  NO_ENTRIES,
  read,
  remove,
  type SessionState,
  valuesOf,
  waiting,
} from "./state.ts";
import { randomId } from "./token/token.ts";

/** The keys of `Data` that are strings: the others are never stored. */
export type KeyOf<Data extends object> = keyof Data & string;
/** The value of a key, which is never undefined: such a key is not there. */
export type ValueOf<Data extends object, Key extends KeyOf<Data>> = Exclude<Data[Key], undefined>;

/** Values for some keys of `Data`. */
export type ValuesOf<Data extends object> = {
  readonly [Key in KeyOf<Data>]?: ValueOf<Data, Key>;
};

/** What a handler's session is from the inside. Not part of the public surface. */
export let stateOf: <Data extends object>(session: Session<Data>) => SessionState;

/** Makes the session that a handler gets. */
export function createSession<Data extends object>(state: SessionState): Session<Data> {
  return new Session(state);
}

/**
 * A visitor's values by key: what a handler gets, with a Map's verbs and Flask's.
 *
 * A change deep inside a value is a change, with no flag to set. Everything that was changed when
 * the handler returns is committed; after that every change throws `SessionCommittedError`, and
 * reading goes on. (A change deep inside a value that comes after the commit can't be seen.)
 *
 * The overloads carry the types: what a cookie holds under a key is what a handler of the same app
 * put there, which the signature shows and no check at run time could.
 */
export class Session<Data extends object = Record<string, unknown>> {
  readonly #state: SessionState;

  static {
    stateOf = (session) => session.#state;
  }

  /** Sessions come from `open` and `handler`. */
  constructor(state: SessionState) {
    this.#state = state;
  }

  /** The session's id: 128 random bits in base64url. A new session has one before it is kept. */
  get id(): string {
    const state = this.#touch();
    return (state.id ??= randomId());
  }

  /** Whether the request came without a session that is still good. */
  get isNew(): boolean {
    return this.#touch().opened === undefined;
  }

  /** Whether this request changed anything so far. */
  get isModified(): boolean {
    const state = this.#touch();
    return isModified(state, changesOf(state));
  }

  /** When the session started: at its first write, or when its subject was set. */
  get startedAt(): Date {
    const state = this.#touch();
    return new Date(state.opened === undefined ? state.openedAt : state.opened.startedAt * 1000);
  }

  /** When the session ends unless it is used before. */
  get expiresAt(): Date {
    const { opened, openedAt, settings } = this.#touch();
    const seconds = Math.min(settings.idleTimeout, settings.lifetime);
    return new Date(opened === undefined ? openedAt + seconds * 1000 : opened.endsAt * 1000);
  }

  /**
   * Whether the cookie outlives the browser. False by default: then it goes when the browser
   * closes. `lifetime` and `idleTimeout` hold in either case.
   */
  get permanent(): boolean {
    return this.#touch().permanent;
  }

  set permanent(permanent: boolean) {
    this.#change("set", "permanent").permanent = permanent;
  }

  /**
   * Whose session it is, for `endAll`: the `sub` claim. Set it at login. Another subject than the
   * present one clears the data and the flashes of the first, and the session's `lifetime` starts
   * anew.
   */
  get subject(): string | undefined {
    return this.#touch().subject;
  }

  set subject(subject: string | undefined) {
    const state = this.#change("set", "subject");
    if (subject !== undefined) checkSubject(subject);
    if (state.subject !== undefined && subject !== state.subject) {
      valuesOf(state).clear();
      this.takeFlashes();
    }
    state.subject = subject;
    state.isSubjectSet = true;
  }

  /** How many keys there are. */
  get size(): number {
    return valuesOf(this.#touch()).size;
  }

  /** The value of `key`; undefined, or the fallback, where it is missing. `null` is a value. */
  get<Key extends KeyOf<Data>>(key: Key): ValueOf<Data, Key> | undefined;
  get<Key extends KeyOf<Data>, Fallback>(
    key: Key,
    fallback: Fallback,
  ): ValueOf<Data, Key> | Fallback;
  get(key: string, fallback?: unknown): unknown {
    const value = read(this.#touch(), key);
    return value === undefined ? fallback : value;
  }

  /** Whether `key` is there. */
  has(key: KeyOf<Data>): boolean {
    const state = this.#touch();
    return state.values === undefined ? state.base.has(nameOf(key)) : state.values.has(key);
  }

  /** Sets `key`. Throws `SessionValueError` for what JSON and our tags can't carry, and undefined. */
  set<Key extends KeyOf<Data>>(key: Key, value: ValueOf<Data, Key>): void {
    assign(this.#change("set", key), key, value);
  }

  /** Removes `key`. Whether it was there. */
  delete(key: KeyOf<Data>): boolean {
    return remove(this.#change("delete", key), key);
  }

  /** Removes `key` and gives its value; undefined, or the fallback, where it is missing. */
  pop<Key extends KeyOf<Data>>(key: Key): ValueOf<Data, Key> | undefined;
  pop<Key extends KeyOf<Data>, Fallback>(
    key: Key,
    fallback: Fallback,
  ): ValueOf<Data, Key> | Fallback;
  pop(key: string, fallback?: unknown): unknown {
    const state = this.#change("pop", key);
    const value = read(state, key);
    remove(state, key);
    return value === undefined ? fallback : value;
  }

  /** The value of `key`, which is set to `value` first where it is missing. */
  setDefault<Key extends KeyOf<Data>>(key: Key, value: ValueOf<Data, Key>): ValueOf<Data, Key>;
  setDefault(key: string, value: unknown): unknown {
    const state = this.#change("set", key);
    const present = read(state, key);
    if (present !== undefined) return present;
    assign(state, key, value);
    return value;
  }

  /** Sets every key of `values`. */
  update(values: ValuesOf<Data>): void;
  update(values: Readonly<Record<string, unknown>>): void {
    const state = this.#change("update", Object.keys(values).join(", "));
    for (const [key, value] of Object.entries(values)) check(value, key);
    for (const [key, value] of Object.entries(values)) assign(state, key, value);
  }

  /** Removes every key. Flashes, `permanent` and `subject` stay: `destroy` ends them as well. */
  clear(): void {
    valuesOf(this.#change("clear", "the session")).clear();
  }

  /** The keys, in the order they were first set, but for those that are whole numbers. */
  keys(): IterableIterator<KeyOf<Data>>;
  keys(): IterableIterator<unknown> {
    return valuesOf(this.#touch()).keys();
  }

  /** The keys with their values. */
  entries(): IterableIterator<{ [Key in KeyOf<Data>]: [Key, ValueOf<Data, Key>] }[KeyOf<Data>]>;
  entries(): IterableIterator<unknown> {
    return valuesOf(this.#touch()).entries();
  }

  [Symbol.iterator](): ReturnType<Session<Data>["entries"]> {
    return this.entries();
  }

  /** The values as an object, for `JSON.stringify` and templates. */
  toJSON(): ValuesOf<Data>;
  toJSON(): Record<string, unknown> {
    return Object.fromEntries(valuesOf(this.#touch()));
  }

  /** Leaves a message for the next page that takes it. At most 20 wait, the oldest goes first. */
  flash(message: string, category = "message"): void {
    const state = this.#change("flash", category);
    if (typeof message !== "string" || typeof category !== "string") {
      throw new SessionValueError("flash", "message and category are to be strings");
    }
    const flash = { category, message };
    state.addedFlashes = [...state.addedFlashes, flash];
    state.flashes = latestFlashes([...waiting(state), flash]);
  }

  /** The flashes that wait, oldest first. Looking takes nothing. */
  get flashes(): readonly Flash[] {
    return [...waiting(this.#touch())];
  }

  /** Takes the flashes that wait, or those of one category: the others wait on. */
  takeFlashes(category?: string): readonly Flash[] {
    const state = this.#touch();
    const isTaken = (flash: Flash): boolean =>
      category === undefined || flash.category === category;
    const taken = waiting(state).filter(isTaken);
    if (taken.length === 0) return taken;
    this.#change("take flashes of", category ?? "all categories");
    state.flashes = waiting(state).filter((flash) => !isTaken(flash));
    const added = state.addedFlashes;
    state.addedFlashes = added.filter((flash) => !taken.includes(flash));
    const old = taken.filter((flash) => !added.includes(flash));
    state.takenFlashes = [...state.takenFlashes, ...old];
    return taken;
  }

  /**
   * Gives the same data a new id and ends the old one, everywhere at once. Call it at login, so that
   * an id that somebody else knew or planted is worth nothing (session fixation).
   */
  regenerate(): void {
    const state = this.#change("regenerate", "the session");
    state.id = randomId();
    state.isRegenerated = true;
  }

  /**
   * Ends the session, everywhere at once, and removes its data. What is set afterwards begins a
   * session with a new id; flashes that nobody saw yet go on in it.
   */
  destroy(): void {
    const state = this.#change("destroy", "the session");
    state.addedFlashes = waiting(state);
    state.takenFlashes = [];
    state.base = NO_ENTRIES;
    state.values = undefined;
    valuesOf(state);
    state.permanent = false;
    state.subject = undefined;
    state.isSubjectSet = false;
    state.id = randomId();
    state.isDestroyed = true;
  }

  #touch(): SessionState {
    this.#state.isTouched = true;
    return this.#state;
  }

  #change(action: string, key: string): SessionState {
    const state = this.#touch();
    if (state.isCommitted) {
      if (isFirst(state, "late-write")) state.settings.onLateWrite((state.id ??= randomId()));
      throw new SessionCommittedError(action, key);
    }
    return state;
  }
}
