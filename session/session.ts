import {
  addFlash,
  assign,
  type Calls,
  changesOf,
  discard,
  type Draft,
  hasChanges,
  readValue,
  remove,
  removeFlashes,
  valuesOf,
  waitingFlashes,
} from "./changes.ts";
import { SessionCommittedError, SessionError, SessionValueError } from "./errors.ts";
import { checkLabel, checkMethods, checkSubject } from "./login.ts";
import { ReadonlySession, touch } from "./readonly_session.ts";
import type { Flash, KeyOf, ValueOf, ValuesOf } from "./state.ts";
import { encode } from "./token/json.ts";

/**
 * A visitor's values by key, for a handler to read and change, with the verbs of Map and of Flask.
 *
 * A change deep inside a value counts, without a flag to set. When the handler returns, everything that
 * it changed is committed. After that every change throws `SessionCommittedError`; reading still works.
 * (A change deep inside a value after the commit can't be noticed.)
 */
export class Session<Data extends object = Record<string, unknown>> extends ReadonlySession<Data> {
  /** Whether this request changed anything so far. */
  get isModified(): boolean {
    return hasChanges(changesOf(touch(this)));
  }

  override get permanent(): boolean {
    return super.permanent;
  }

  override set permanent(permanent: boolean) {
    change(this, "set permanent").permanent = permanent;
  }

  /**
   * Sets `key`. Throws `SessionValueError` for undefined, and for a value that tagged JSON can't
   * express.
   */
  set<Key extends KeyOf<Data>>(key: Key, value: ValueOf<Data, Key>): void {
    assign(change(this, `set ${JSON.stringify(key)}`, key), key, value);
  }

  /** Removes `key`. Returns whether it was there. */
  delete(key: KeyOf<Data>): boolean {
    return remove(change(this, `delete ${JSON.stringify(key)}`, key), key);
  }

  /** Removes `key` and returns its value; undefined, or the fallback, if it is missing. */
  pop<Key extends KeyOf<Data>>(key: Key): ValueOf<Data, Key> | undefined;
  pop<Key extends KeyOf<Data>, Fallback>(
    key: Key,
    fallback: Fallback,
  ): ValueOf<Data, Key> | Fallback;
  pop(key: string, fallback?: unknown): unknown {
    const draft = change(this, `pop ${JSON.stringify(key)}`, key);
    const value = valuesOf(draft).get(key);
    return remove(draft, key) ? value : fallback;
  }

  /** Returns the value of `key`. If it is missing, sets it to `value` first. */
  setDefault<Key extends KeyOf<Data>>(key: Key, value: ValueOf<Data, Key>): ValueOf<Data, Key>;
  setDefault(key: string, value: unknown): unknown {
    const draft = change(this, `set ${JSON.stringify(key)}`, key);
    const present = readValue(draft, key);
    if (present !== undefined) return present;
    assign(draft, key, value);
    return value;
  }

  /** Sets every key of `values`, or none if one of them can't be stored. */
  update(values: ValuesOf<Data>): void;
  update(values: Readonly<Record<string, unknown>>): void {
    const draft = change(this, "update the session", Object.keys(values).join(", "));
    for (const [key, value] of Object.entries(values)) encode(value, key); // Throws if it can't.
    for (const [key, value] of Object.entries(values)) assign(draft, key, value);
  }

  /** Removes every key. Flashes, `permanent` and `subject` stay; `destroy` removes them too. */
  clear(): void {
    valuesOf(change(this, "clear the session")).clear();
  }

  /** Leaves a message for the next page that takes it. If more than 20 wait, the oldest is dropped. */
  flash(message: string, category = "message"): void {
    const draft = change(this, "flash a message");
    if (typeof message !== "string" || typeof category !== "string") {
      const got = `${typeof message} and ${typeof category}`;
      throw new SessionValueError("flash", `message and category must be strings, got ${got}`);
    }
    addFlash(draft, { category, message });
  }

  /**
   * Removes and returns the waiting flashes, or those of one category. After the commit, for
   * example in a streamed body, it returns them without removing them and reports `late-write`.
   */
  takeFlashes(category?: string): readonly Flash[] {
    const draft = touch(this);
    const waiting = waitingFlashes(draft);
    const taken = waiting.filter((flash) => category === undefined || flash.category === category);
    if (taken.length === 0) return taken;
    if (draft.committed === undefined) removeFlashes(draft, taken);
    else reportLateWrite(draft, this.id);
    return taken;
  }

  /**
   * Signs a subject in. A login needs no other call. The session gets a new id and the old one
   * ends, so that an id that somebody else knew or planted is useless (session fixation).
   * `lifetime` starts now. A visitor's data is kept; another subject's is cleared.
   *
   * `methods` says how the user proved who they are, for services that verify the token: the `amr`
   * claim, such as `["pwd", "otp"]` (RFC 8176). None by default.
   *
   * `label` names the session in `sessions.list`, such as `"Firefox on Linux"`: at most 60 code
   * points, without control and format characters. It is not in the cookie, and without the option
   * `list` it is not kept.
   *
   * Throws `SessionValueError` unless `subject` is a string of at least one character, and for
   * methods or a label that are not as above.
   */
  signIn(
    subject: string,
    { methods, label }: { readonly methods?: readonly string[]; readonly label?: string } = {},
  ): void {
    const draft = change(this, "sign a user in");
    checkSubject(subject);
    checkMethods(methods);
    checkLabel(label);
    const present = this.subject;
    if (present !== undefined && present !== subject) discard(draft);
    moveToNewId(draft, {
      signedIn: subject,
      authentication: { methods: methods && [...methods] },
      label,
    });
  }

  /**
   * Says that the user has just proved again who they are, for example with their password before a
   * payment. Then `isFresh` is true. The same data gets a new id and the old one ends, so no earlier
   * copy of the cookie is fresh. `endsAt` does not change. `methods` replaces those of the login.
   *
   * Throws `SessionError` if nobody is signed in, and `SessionValueError` as `signIn` does.
   */
  confirm({ methods }: { readonly methods?: readonly string[] } = {}): void {
    const draft = change(this, "confirm the user");
    checkMethods(methods);
    if (this.subject === undefined) failWithoutSubject("confirm the user");
    moveToNewId(draft, { authentication: { methods: methods && [...methods] } });
  }

  /**
   * Gives the same data a new id and ends the old one, everywhere at once. `endsAt` does not
   * change.
   */
  regenerate(): void {
    moveToNewId(change(this, "regenerate the session"));
  }

  /**
   * Ends the session, everywhere at once, and removes its data and its waiting flashes. Setting a key or
   * flashing afterwards begins a session with a new id.
   */
  destroy(): void {
    const draft = change(this, "destroy the session");
    discard(draft);
    draft.calls = { ...draft.calls, isDestroyed: true };
  }
}

/** The draft, for a change. Throws `SessionCommittedError` after the commit. */
function change<Data extends object>(session: Session<Data>, action: string, key?: string): Draft {
  const draft = touch(session);
  if (draft.committed === undefined) return draft;
  reportLateWrite(draft, session.id);
  throw new SessionCommittedError(action, key);
}

function reportLateWrite(draft: Draft, id: string): void {
  if (draft.hasReportedLateWrite) return;
  draft.hasReportedLateWrite = true;
  draft.settings.onEvent({ type: "late-write", id });
}

/** Asks for a new id, because of `calls`. */
function moveToNewId(draft: Draft, calls: Partial<Calls> = {}): void {
  draft.calls = { ...draft.calls, ...calls, hasNewId: true };
  draft.newId = undefined;
}

/** Makes the commit end all other sessions of this session's subject. */
export function endOthersOf<Data extends object>(session: Session<Data>): void {
  const { subject } = session;
  const { endedOthersOf = subject } = touch(session).calls;
  if (subject === undefined) failWithoutSubject("end the other sessions");
  if (endedOthersOf !== subject) {
    fail("end the other sessions", "this request already ends those of another subject");
  }
  moveToNewId(change(session, "end the other sessions"), { endedOthersOf });
}

function failWithoutSubject(action: string): never {
  fail(action, "this session has no subject. Call signIn first");
}

function fail(action: string, state: string): never {
  throw new SessionError("ERR_SESSION_SUBJECT", `Cannot ${action}: ${state}`);
}
