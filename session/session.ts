import {
  addFlash,
  assign,
  changesOf,
  checkSubject,
  discard,
  type Draft,
  hasChanges,
  read,
  remove,
  take,
  valuesOf,
  waitingFlashes,
} from "./changes.ts";
import { SessionCommittedError, SessionError, SessionValueError } from "./errors.ts";
import {
  beginTimes,
  type Flash,
  type KeyOf,
  type State,
  type Times,
  type ValueOf,
  type ValuesOf,
} from "./state.ts";
import { check } from "./token/json.ts";
import { randomId } from "./token/token.ts";

/** The inside of a handler's session, for `commit`. Not part of the public surface. */
export let draftOf: <Data extends object>(session: Session<Data>) => Draft;

/**
 * A visitor's values by key: what a handler gets, with a Map's verbs and Flask's.
 *
 * A change deep inside a value is a change, with no flag to set. Everything that was changed when
 * the handler returns is committed. After that every change throws `SessionCommittedError`, and
 * reading goes on. (A change deep inside a value that comes after the commit cannot be noticed.)
 *
 * Values are not checked against `Data` at run time: the signature shows that a handler of this app
 * wrote them.
 */
export class Session<Data extends object = Record<string, unknown>> {
  readonly #draft: Draft;

  static {
    draftOf = (session) => session.#draft;
  }

  /** Sessions come from `open` and `handler`. */
  constructor(draft: Draft) {
    this.#draft = draft;
    // `session.username = "admin"` throws, where it would be lost without a word.
    Object.preventExtensions(this);
  }

  /**
   * The session's id: 128 random bits in base64url. After `signIn`, `regenerate` and `destroy` it is
   * the new one.
   */
  get id(): string {
    const draft = this.#touch();
    const given = this.#given();
    const isKept = given !== undefined && draft.foreign === undefined && !draft.calls.hasNewId;
    return isKept ? given.id : (draft.newId ??= randomId());
  }

  /** The first 12 characters of the id, for logs and lists. */
  get ref(): string {
    return this.id.slice(0, 12);
  }

  /** Whether the request came without a valid session. */
  get isNew(): boolean {
    const { found, foreign } = this.#touch();
    return found?.kind !== "live" || foreign !== undefined;
  }

  /** Whether this request changed anything so far. */
  get isModified(): boolean {
    return hasChanges(changesOf(this.#touch()));
  }

  /** When the session ends if it is not used before then. */
  get expiresAt(): Date {
    return new Date(this.#times().expiresAt * 1000);
  }

  /** When the session ends at the latest: `lifetime` after its start, or after the login. */
  get endsAt(): Date {
    return new Date(this.#times().endsAt * 1000);
  }

  /**
   * Whether the cookie outlives the browser. False by default: the cookie goes when the browser
   * closes. `lifetime` and `idleTimeout` hold in either case.
   */
  get permanent(): boolean {
    const { permanent, base } = this.#touch();
    return permanent ?? base.permanent;
  }

  set permanent(permanent: boolean) {
    this.#change("set", "permanent").permanent = permanent;
  }

  /** Who is signed in, by `signIn`: the `sub` claim. */
  get subject(): string | undefined {
    return this.#touch().calls.signedIn ?? this.#given()?.login?.subject;
  }

  /** When the subject signed in: the `auth_time` claim. Undefined where nobody is signed in. */
  get authenticatedAt(): Date | undefined {
    const signsIn = this.#touch().calls.signedIn !== undefined;
    const seconds = signsIn ? this.#times().issuedAt : this.#given()?.login?.authenticatedAt;
    return seconds === undefined ? undefined : new Date(seconds * 1000);
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
    const { base, values } = this.#touch();
    return values === undefined ? base.data.has(key) : values.has(key);
  }

  /**
   * Sets `key`. Throws `SessionValueError` for a value that tagged JSON cannot express, and for
   * undefined.
   */
  set<Key extends KeyOf<Data>>(key: Key, value: ValueOf<Data, Key>): void {
    assign(this.#change("set", key), key, value);
  }

  /** Removes `key`. Returns whether it was there. */
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
    const draft = this.#change("pop", key);
    const value = valuesOf(draft).get(key);
    return remove(draft, key) ? value : fallback;
  }

  /** The value of `key`, which is set to `value` first where it is missing. */
  setDefault<Key extends KeyOf<Data>>(key: Key, value: ValueOf<Data, Key>): ValueOf<Data, Key>;
  setDefault(key: string, value: unknown): unknown {
    const draft = this.#change("set", key);
    const present = read(draft, key);
    if (present !== undefined) return present;
    assign(draft, key, value);
    return value;
  }

  /** Sets every key of `values`, or none where one of them can't be stored. */
  update(values: ValuesOf<Data>): void;
  update(values: Readonly<Record<string, unknown>>): void {
    const draft = this.#change("update", Object.keys(values).join(", "));
    for (const [key, value] of Object.entries(values)) check(value, key);
    for (const [key, value] of Object.entries(values)) assign(draft, key, value);
  }

  /** Removes every key. Flashes, `permanent` and `subject` stay; `destroy` removes them too. */
  clear(): void {
    valuesOf(this.#change("clear", "the session")).clear();
  }

  /** The keys, in the order they were first set. In later requests, whole numbers come first. */
  keys(): IterableIterator<string> {
    return valuesOf(this.#touch()).keys();
  }

  /**
   * The keys with their values. A session may hold more keys than `Data` has, so the values are
   * `unknown`; `get` knows the type of a key.
   */
  entries(): IterableIterator<[string, unknown]> {
    return valuesOf(this.#touch()).entries();
  }

  [Symbol.iterator](): IterableIterator<[string, unknown]> {
    return this.entries();
  }

  /** The values as an object, for `JSON.stringify` and templates. */
  toJSON(): ValuesOf<Data>;
  toJSON(): Record<string, unknown> {
    return Object.fromEntries(valuesOf(this.#touch()));
  }

  /** Leaves a message for the next page that takes it. At most 20 wait: the oldest goes first. */
  flash(message: string, category = "message"): void {
    const draft = this.#change("flash", category);
    if (typeof message !== "string" || typeof category !== "string") {
      const got = `${typeof message} and ${typeof category}`;
      throw new SessionValueError("flash", `message and category must be strings, got ${got}`);
    }
    addFlash(draft, { category, message });
  }

  /** The flashes that wait, oldest first. Looking takes nothing. */
  get flashes(): readonly Flash[] {
    return [...waitingFlashes(this.#touch())];
  }

  /**
   * Removes and returns the waiting flashes, or those of one category. After the commit, for
   * example in a streamed body, it returns them without removing them and reports `late-write`.
   */
  takeFlashes(category?: string): readonly Flash[] {
    const draft = this.#touch();
    const waiting = waitingFlashes(draft);
    const taken = waiting.filter((flash) => category === undefined || flash.category === category);
    if (taken.length === 0) return taken;
    if (draft.committed === undefined) take(draft, taken);
    else this.#reportLateWrite();
    return taken;
  }

  /**
   * Signs a subject in. A login needs no other call. The session gets a new id and the old one
   * ends, so that an id that somebody else knew or planted is worth nothing (session fixation).
   * `lifetime` starts now. A visitor's data is kept; another subject's is cleared.
   *
   * Throws `SessionValueError` where `subject` is not a string of at least one character.
   */
  signIn(subject: string): void {
    const draft = this.#change("sign in", "subject");
    checkSubject(subject);
    const present = this.subject;
    if (present !== undefined && present !== subject) discard(draft);
    renew(draft, { signedIn: subject });
  }

  /**
   * Gives the same data a new id and ends the old one, everywhere at once. `endsAt` does not
   * change.
   */
  regenerate(): void {
    renew(this.#change("regenerate", "the session"));
  }

  /**
   * Ends the session, everywhere at once, and removes its data and its waiting flashes. What is set or
   * flashed afterwards begins a session with a new id.
   */
  destroy(): void {
    const draft = this.#change("destroy", "the session");
    discard(draft);
    draft.calls = { ...draft.calls, isDestroyed: true };
  }

  /** The session that the request still has from before. */
  #given(): State | undefined {
    const { found, calls } = this.#touch();
    return found?.kind === "live" && !calls.isDestroyed ? found.state : undefined;
  }

  #times(): Times {
    const { settings, calls } = this.#touch();
    const given = calls.signedIn === undefined ? this.#given() : undefined;
    return given ?? beginTimes(settings.now(), settings);
  }

  #touch(): Draft {
    this.#draft.isTouched = true;
    return this.#draft;
  }

  #change(action: string, key: string): Draft {
    const draft = this.#touch();
    if (draft.committed === undefined) return draft;
    this.#reportLateWrite();
    throw new SessionCommittedError(action, key);
  }

  #reportLateWrite(): void {
    if (this.#draft.hasReportedLateWrite) return;
    this.#draft.hasReportedLateWrite = true;
    this.#draft.settings.onEvent({ type: "late-write", id: this.id });
  }
}

/** Asks for a new id. */
function renew(draft: Draft, calls: Partial<Draft["calls"]> = {}): void {
  draft.calls = { ...draft.calls, ...calls, hasNewId: true };
  draft.newId = undefined;
}

/** Asks that the commit end all other sessions of this session's subject. */
export function endOthersOf<Data extends object>(session: Session<Data>): void {
  const { subject } = session;
  if (subject === undefined) {
    throw new SessionError(
      "ERR_SESSION_SUBJECT",
      "Cannot end the other sessions: this one has no subject. Call signIn first",
    );
  }
  const { endedOthersOf = subject } = draftOf(session).calls;
  if (endedOthersOf !== subject) {
    throw new SessionError(
      "ERR_SESSION_SUBJECT",
      `Cannot end the other sessions: this request already ends those of another subject`,
    );
  }
  session.regenerate();
  renew(draftOf(session), { endedOthersOf });
}
