import type { Exchange, Moment } from "./exchange.ts";
import { type Effects, isFlash } from "./plan.ts";

/** A session as it should be: each request's changes in the order in which the store took them. */
export interface SessionModel {
  readonly id: string;
  /** Each key with the request that wrote it last. */
  readonly values: Map<string, Exchange>;
  /** Every value that was ever there, as a mark. */
  readonly history: Set<string>;
  subject: string | undefined;
  /** All that it ever had. */
  readonly subjects: Set<string>;
  writes: number;
  /** How many keys were removed, because a record names only so many. */
  removals: number;
  /** Whether the store has taken its end, or could have. */
  isEnded: boolean;
  mayHaveEnded: boolean;
  /** Requests that removed something and were not answered yet: it may have been the last key. */
  readonly undecided: Set<Exchange>;
  /** When its end was acknowledged. */
  ended: Moment | undefined;
  /** When it got a new id. */
  moved: Moment | undefined;
  /** Whether nothing may have gone on under the new id: then it is just over. */
  mayHaveMovedNothing: boolean;
}

const GONE_LIMIT = 128;
const WINDOW = 60_000;
/** What the store may take within a request, in milliseconds. */
const STORE_TIME = 1000;

/** Whether there is a reason for its cookie not to open. */
export function mayBeOver({ isEnded, mayHaveEnded, undecided }: SessionModel): boolean {
  return isEnded || mayHaveEnded || undecided.size > 0;
}

/** A value: its key with the request that wrote it. */
export function markOf(key: string, by: number): string {
  return `${key} by ${by}`;
}

/** What should hold, kept beside the real thing. */
export class Model {
  /** With the data in the store no copy of a cookie holds any. */
  readonly #isStored: boolean;
  readonly #sessions = new Map<string, SessionModel>();
  /** The marks of removed values, with the order of their removal's acknowledgement. */
  readonly #dead = new Map<string, number>();
  /** The marks of removed values, from the moment that the store took the removal. */
  readonly #removed = new Set<string>();
  /** The marks of values that the record may or may not tell the removal of. */
  readonly #forgotten = new Set<string>();
  /** What dies once a request is answered. */
  readonly #dying = new Map<Exchange, string[]>();
  /** The marks of flashes that may be read twice. */
  readonly #carried = new Set<string>();
  /** What a request took along to a new id. */
  readonly #taken = new Map<Exchange, SessionModel>();

  constructor(isStored: boolean) {
    this.#isStored = isStored;
  }

  session(id: string | undefined): SessionModel | undefined {
    return id === undefined ? undefined : this.#sessions.get(id);
  }

  /** When the removal of this value was acknowledged. */
  deathOf(mark: string): number {
    return this.#carried.has(mark) ? Infinity : (this.#dead.get(mark) ?? Infinity);
  }

  /** The store was asked for an exchange's session. */
  ask(exchange: Exchange): void {
    const session = this.session(exchange.token?.id);
    exchange.expected = new Map(session?.values);
    exchange.writesSeen = session?.writes ?? 0;
  }

  /** The store has taken what an exchange did to its session. */
  commit(exchange: Exchange, moment: Moment): void {
    exchange.committed = moment;
    const { effects } = exchange;
    const session = this.session(exchange.token?.id);
    if (session === undefined || effects === undefined) return;
    if (effects.isDestroyed) {
      session.isEnded = true;
      return;
    }
    const dying = isNewOwners(session, exchange, effects)
      ? [...this.#forgetOthers(session, exchange, moment)]
      : [];
    dying.push(...this.#removeAll(session, exchange, effects));
    dying.push(...this.#changeInside(session, exchange, effects));
    for (const key of [...effects.set, ...effects.flashes]) put(session, key, exchange);
    nameSubject(session, exchange, effects);
    for (const mark of dying) this.#removed.add(mark);
    this.#dying.set(exchange, dying);
    session.writes++;
    if (effects.removed.size > 0) session.undecided.add(exchange);
    if (!effects.isRegenerated) return;
    session.isEnded = true;
    session.moved ??= moment;
    const isWithoutKey = Array.from(session.values.keys()).every(isFlash);
    if (isWithoutKey) session.mayHaveEnded = true;
    const taken = copyOf(session, "");
    // One that took longer than its cookie lived, or that may have come after the end for its
    // cookie, keeps no more than what it set.
    const isOver = !this.#isStored && (exchange.token?.endsAt ?? 0) * 1000 <= moment.time;
    if (isOver || session.mayHaveEnded) {
      session.mayHaveMovedNothing = isWithoutKey || isWithoutOwn(effects);
      taken.values.clear();
      taken.subject = effects.subject?.name;
    }
    this.#taken.set(exchange, taken);
  }

  /** The commit of an exchange returned: from now on, what it removed or ended is no more. */
  answer(exchange: Exchange, moment: Moment): void {
    exchange.answered = moment;
    for (const mark of this.#dying.get(exchange) ?? []) this.#kill(mark, moment);
    const { token, cookie, effects, isLive } = exchange;
    const session = this.session(token?.id);
    session?.undecided.delete(exchange);
    const isNewId = typeof cookie === "object" && cookie.id !== token?.id;
    if (isLive && session !== undefined && effects !== undefined) {
      const leaves = cookie === "deleted" || isNewId;
      const isMoved = effects.isRegenerated && cookie !== undefined;
      if (leaves || effects.isDestroyed || isMoved) this.#end(session, moment);
    }
    if (isNewId) this.#begin(exchange, cookie.id);
  }

  /** The store has taken a new generation: gives the sessions that this ended, `beside` left out. */
  endAll(subject: string, beside: ReadonlySet<string | undefined>): readonly SessionModel[] {
    const ended: SessionModel[] = [];
    for (const session of this.#sessions.values()) {
      if (!session.subjects.has(subject)) continue;
      session.mayHaveEnded = true;
      if (session.subject !== subject || session.isEnded || beside.has(session.id)) continue;
      session.isEnded = true;
      ended.push(session);
    }
    return ended;
  }

  /** `endAll` returned. */
  answerEndAll(sessions: readonly SessionModel[], moment: Moment): void {
    for (const session of sessions) this.#end(session, moment);
  }

  #kill(mark: string, { order }: Moment): void {
    this.#dead.set(mark, Math.min(this.deathOf(mark), order));
  }

  #end(session: SessionModel, moment: Moment): void {
    session.ended ??= moment;
    session.isEnded = true;
    // The values of one that got a new id live on there; waiting flashes always go on.
    if (session.moved !== undefined) return;
    for (const mark of session.history) if (!isFlash(mark)) this.#kill(mark, moment);
  }

  #begin(exchange: Exchange, id: string): void {
    const { effects, token, isBesideEndAll } = exchange;
    const old = this.session(token?.id);
    const taken = this.#taken.get(exchange);
    const session = taken === undefined ? createModel(id) : copyOf(taken, id);
    if (taken === undefined && effects !== undefined) {
      for (const key of [...effects.set, ...effects.flashes]) put(session, key, exchange);
      nameSubject(session, exchange, effects);
    }
    for (const mark of old?.history ?? []) if (isFlash(mark)) session.history.add(mark);
    // `destroy` takes along the flashes that it saw, though another one may just have read them.
    for (const [key, by] of effects?.isDestroyed === true ? exchange.seen : []) {
      if (isFlash(key)) this.#carried.add(markOf(key, by));
    }
    session.mayHaveEnded = isBesideEndAll;
    this.#sessions.set(id, session);
  }

  /** Removes what the exchange removed, with all older values of these keys, and gives their marks. */
  *#removeAll(session: SessionModel, exchange: Exchange, effects: Effects): Iterable<string> {
    const { removed, hasTaken, flashes } = effects;
    if ((hasTaken || flashes.length > 0) && !this.#isStored) forgetFlashes(session, exchange);
    for (const key of removed) {
      session.values.delete(key);
      if (isFlash(key)) continue;
      session.removals++;
      yield* marksOf(session, key);
    }
    if (session.removals > GONE_LIMIT) session.mayHaveEnded = true;
    // Flashes share one entry: taken ones are removed for good where nothing else is left in it.
    const isEmptied = hasTaken && flashes.length === 0 && exchange.writesSeen === session.writes;
    if (!isEmptied || Array.from(session.values.keys()).every(isFlash)) return;
    for (const key of removed) if (isFlash(key)) yield markOf(key, exchange.seen.get(key) ?? 0);
  }

  /**
   * What the exchange did not see is the former subject's, and goes with it, as all flashes do: gives
   * the marks of what the record is sure to tell of.
   */
  *#forgetOthers(session: SessionModel, { seen }: Exchange, { time }: Moment): Iterable<string> {
    for (const [key, { number, committed }] of session.values) {
      if (isFlash(key)) session.values.delete(key);
      if (isFlash(key) || seen.get(key) === number) continue;
      session.values.delete(key);
      const isTold = committed !== undefined && time - committed.time < WINDOW - STORE_TIME;
      if (isTold) yield* marksOf(session, key);
      else for (const mark of marksOf(session, key)) this.#forgotten.add(mark);
    }
  }

  /** Changes inside a value that is no more are dropped: gives the marks of those. */
  *#changeInside(session: SessionModel, exchange: Exchange, effects: Effects): Iterable<string> {
    for (const [key, base] of effects.inside) {
      // Records that hold the data name no removals: then the last one who wrote the key wins.
      const isSetAgain = this.#isStored && session.values.has(key);
      const wasRemoved = this.#removed.has(markOf(key, base));
      if (wasRemoved && !isSetAgain) yield markOf(key, exchange.number);
      else put(session, key, exchange);
      if (this.#forgotten.has(markOf(key, base))) session.values.delete(key);
    }
  }
}

function createModel(id: string): SessionModel {
  return {
    id,
    values: new Map(),
    history: new Set(),
    subject: undefined,
    subjects: new Set(),
    writes: 0,
    removals: 0,
    isEnded: false,
    mayHaveEnded: false,
    undecided: new Set(),
    ended: undefined,
    moved: undefined,
    mayHaveMovedNothing: false,
  };
}

/** Whether a request set nothing that is worth a session. */
function isWithoutOwn({ set, flashes, subject }: Effects): boolean {
  return set.size + flashes.length === 0 && subject?.name === undefined;
}

function copyOf(session: SessionModel, id: string): SessionModel {
  const { values, history, subject, subjects } = session;
  return {
    ...createModel(id),
    values: new Map(values),
    history: new Set(history),
    subject,
    subjects: new Set(subjects),
  };
}

function put(session: SessionModel, key: string, exchange: Exchange): void {
  session.values.set(key, exchange);
  session.history.add(markOf(key, exchange.number));
}

function hasNewSubject({ isLive, subjectSeen }: Exchange, effects: Effects): boolean {
  const { subject, isRegenerated } = effects;
  if (subject === undefined) return false;
  // The same user's next login is one, the same absence of a user is none.
  const isLogin = isRegenerated && subject.name !== undefined;
  return !isLive || subject.name !== subjectSeen || isLogin;
}

/** Whether the session becomes another's than whose it is now. */
function isNewOwners(session: SessionModel, exchange: Exchange, effects: Effects): boolean {
  const isAnothers = session.subject !== undefined && session.subject !== effects.subject?.name;
  return hasNewSubject(exchange, effects) && isAnothers;
}

function nameSubject(session: SessionModel, exchange: Exchange, effects: Effects): void {
  const { subject } = effects;
  if (subject === undefined || !hasNewSubject(exchange, effects)) return;
  if (exchange.isBesideEndAll) session.mayHaveEnded = true;
  session.subject = subject.name;
  if (subject.name !== undefined) session.subjects.add(subject.name);
}

/** The values that the key ever had. */
function* marksOf({ history }: SessionModel, key: string): Iterable<string> {
  for (const mark of history) if (mark.startsWith(`${key} by `)) yield mark;
}

/** An older copy that changes the flashes, all of them one value, may undo those of a window ago. */
function forgetFlashes(session: SessionModel, { committed }: Exchange): void {
  for (const [key, writer] of session.values) {
    if (!isFlash(key)) continue;
    const written = writer.committed ?? writer.answered;
    const age = (committed?.time ?? 0) - (written?.time ?? 0);
    if (age >= WINDOW) session.values.delete(key);
  }
}
