import { type Draft, readValue, valuesOf, waitingFlashes } from "./changes.ts";
import { isDue } from "./decide.ts";
import {
  beginTimes,
  type Flash,
  type KeyOf,
  refOf,
  type State,
  type Times,
  type ValueOf,
  type ValuesOf,
} from "./state.ts";
import { CLOCK_SKEW, randomId } from "./token/token.ts";

/** The inside of a session. Not part of the public surface. */
export let draftOf: <Data extends object>(session: ReadonlySession<Data>) => Draft;

/** The same for a call by the handler, which makes the response depend on the session. */
export function touch<Data extends object>(session: ReadonlySession<Data>): Draft {
  const draft = draftOf(session);
  draft.isTouched = true;
  return draft;
}

/**
 * A visitor's values by key, to be read: the result of `read`. It can't change anything. The values are
 * copies for this request, so a change inside one is lost.
 *
 * Values are not checked against `Data` at run time: the signature proves that a handler of this app
 * wrote them.
 */
export class ReadonlySession<Data extends object = Record<string, unknown>> {
  readonly #draft: Draft;

  static {
    draftOf = (session) => session.#draft;
  }

  /** Sessions come from `open`, `read` and `handler`. */
  constructor(draft: Draft) {
    this.#draft = draft;
    // Makes `session.username = "admin"` throw: otherwise it would be lost silently.
    Object.preventExtensions(this);
  }

  /**
   * The session's id: 128 random bits in base64url. After `signIn`, `regenerate` and `destroy` it is
   * the new one.
   */
  get id(): string {
    const draft = touch(this);
    const given = this.#given();
    const isKept = given !== undefined && draft.foreign === undefined && !draft.calls.hasNewId;
    return isKept ? given.id : (draft.newId ??= randomId());
  }

  /** The first 12 characters of the id, for logs and lists. */
  get ref(): string {
    return refOf(this.id);
  }

  /** Whether the request came without a valid session. */
  get isNew(): boolean {
    const { found, foreign } = touch(this);
    return found?.kind !== "live" || foreign !== undefined;
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
    const { permanent, base } = touch(this);
    return permanent ?? base.permanent;
  }

  /**
   * Whether the browser should soon send a request that commits, so that its cookie is signed again or
   * another system's session is adopted.
   */
  get refreshDue(): boolean {
    const { found, foreign, settings } = touch(this);
    return foreign !== undefined || (found?.kind === "live" && isDue(found, settings.now()));
  }

  /** The subject of `signIn`: the `sub` claim. Undefined if nobody is signed in. */
  get subject(): string | undefined {
    return touch(this).calls.signedIn ?? this.#given()?.login?.subject;
  }

  /**
   * When the subject last proved who they are, by `signIn` or `confirm`: the `auth_time` claim.
   * Undefined if nobody is signed in, or another system signed them in (option
   * `adopt`).
   */
  get authenticatedAt(): Date | undefined {
    const { calls, settings } = touch(this);
    const isNow = calls.authentication !== undefined;
    const seconds = isNow
      ? Math.floor(settings.now() / 1000)
      : this.#given()?.login?.authenticatedAt;
    return seconds === undefined ? undefined : new Date(seconds * 1000);
  }

  /**
   * Whether the subject signed in, or was confirmed, less than so many seconds ago. If not, ask for
   * the password and call `confirm`. False if nobody is signed in, if another system signed them in,
   * and if the clock is more than a minute behind `authenticatedAt`.
   */
  isFresh(seconds: number): boolean {
    const since = this.authenticatedAt;
    if (since === undefined) return false;
    const age = touch(this).settings.now() - since.getTime();
    // Another instance's clock may be ahead, but a session of long ago is not fresh for it.
    return age >= -CLOCK_SKEW * 1000 && Math.max(0, age) < seconds * 1000;
  }

  /** How many keys there are. */
  get size(): number {
    return valuesOf(touch(this)).size;
  }

  /** The value of `key`; undefined, or the fallback, if it is missing. `null` is a value. */
  get<Key extends KeyOf<Data>>(key: Key): ValueOf<Data, Key> | undefined;
  get<Key extends KeyOf<Data>, Fallback>(
    key: Key,
    fallback: Fallback,
  ): ValueOf<Data, Key> | Fallback;
  get(key: string, fallback?: unknown): unknown {
    const value = readValue(touch(this), key);
    return value === undefined ? fallback : value;
  }

  /** Whether `key` is there. */
  has(key: KeyOf<Data>): boolean {
    const { base, values } = touch(this);
    return values === undefined ? base.data.has(key) : values.has(key);
  }

  /** The keys, in the order they were first set. In later requests, whole numbers come first. */
  keys(): IterableIterator<string> {
    return valuesOf(touch(this)).keys();
  }

  /**
   * The keys with their values. A session may hold more keys than `Data` has, so the values are
   * `unknown`; `get` knows the type of a key.
   */
  entries(): IterableIterator<[string, unknown]> {
    return valuesOf(touch(this)).entries();
  }

  [Symbol.iterator](): IterableIterator<[string, unknown]> {
    return this.entries();
  }

  /** The values as an object, for `JSON.stringify` and templates. */
  toJSON(): ValuesOf<Data>;
  toJSON(): Record<string, unknown> {
    return Object.fromEntries(valuesOf(touch(this)));
  }

  /** The waiting flashes, oldest first. They keep waiting. */
  get flashes(): readonly Flash[] {
    return [...waitingFlashes(touch(this))];
  }

  /** The session that the request came with, unless `destroy` ended it. */
  #given(): State | undefined {
    const { found, calls } = touch(this);
    return found?.kind === "live" && !calls.isDestroyed ? found.state : undefined;
  }

  #times(): Times {
    const { settings, calls } = touch(this);
    const given = calls.signedIn === undefined ? this.#given() : undefined;
    return given ?? beginTimes(settings.now(), settings);
  }
}
