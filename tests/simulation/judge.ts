import { type Exchange, isSlow, type Moment, type Token, WINDOW } from "./exchange.ts";
import { markOf, mayBeOver, type Model, type SessionModel } from "./model.ts";

/** What must not happen. */
export type Fault =
  /** A delivered change is not there any more. */
  | "lost"
  /** A removed value is there again. */
  | "returned"
  /** An ended session, or its data, is there again. */
  | "revived"
  /** A browser's session is gone, and nothing ended it. */
  | "signedOut"
  /** A request got an error. */
  | "failed";

/** What may happen, and the documentation says so. */
export type Limit =
  /** A response that was overtaken put an old cookie back, or took a new one away. */
  | "overtaken"
  /** A request that came without a good cookie began a session of its own. */
  | "parallel"
  /** The session that the browser's cookie names was ended. */
  | "ended"
  | "expired";

export type Finding =
  | { readonly fault: Fault; readonly text: string }
  | { readonly limit: Limit; readonly text: string };

/** How far clocks may be apart, in milliseconds. */
const SKEW = 30_000;
/** What the store may take within a request, in milliseconds. */
const STORE_TIME = 1000;

/** Compares what a request was given with what it should have been given. */
export function* judgeOpen(
  model: Model,
  exchange: Exchange,
  others: readonly Exchange[],
  now: number,
): Iterable<Finding> {
  const { token, browser, isLive } = exchange;
  const session = model.session(token?.id);
  if (token === undefined || session === undefined) return;
  if (!isLive) {
    if (browser !== undefined) yield judgeSignedOut(token, session, now);
    return;
  }
  if (session.ended !== undefined && session.ended.order < exchange.sent.order) {
    yield { fault: "revived", text: `the session ${token.id} opened again` };
  }
  for (const [key, by] of exchange.seen) {
    const mark = markOf(key, by);
    if (!session.history.has(mark)) {
      yield { fault: "revived", text: `${mark} came out of another session` };
    } else if (model.deathOf(mark) < exchange.sent.order) {
      yield { fault: "returned", text: `${mark} is there again` };
    }
  }
  for (const [key, writer] of exchange.expected) {
    if (exchange.seen.get(key) === writer.number) continue;
    if (!isPromised(key, writer, exchange, others)) continue;
    yield { fault: "lost", text: `${markOf(key, writer.number)} is not there` };
  }
}

function judgeSignedOut(token: Token, session: SessionModel, now: number): Finding {
  if (token.endsAt * 1000 <= now) return { limit: "expired", text: "the cookie is over" };
  if (mayBeOver(session)) return { limit: "ended", text: "it was ended" };
  return { fault: "signedOut", text: `the session ${token.id} did not open` };
}

/** Whether a change has to be seen by a later request of the browser that was told of it. */
function isPromised(
  key: string,
  writer: Exchange,
  reader: Exchange,
  others: readonly Exchange[],
): boolean {
  if (reader.browser === undefined) return false;
  const own = others.filter(({ browser }) => browser === reader.browser);
  const beyond = own.filter((other) => isBeyondWindow(writer, other));
  // A new id may come from a request of any length, and takes along what that one found.
  if (beyond.some((other) => isSlow(other))) return false;
  if (own.some((other) => hasShown(key, writer, other) && isDelivered(other, reader))) return true;
  const isTold = writer.browser === reader.browser && isDelivered(writer, reader);
  return isTold && (isSlow(writer) || beyond.length === 0);
}

function isDelivered(exchange: Exchange, before: Exchange): boolean {
  return exchange.delivered !== undefined && exchange.delivered.order < before.sent.order;
}

/** Whether the other request saw the change soon enough to be given a cookie with it. */
function hasShown(key: string, writer: Exchange, other: Exchange): boolean {
  const { seen, isLive, hadConflict, handled } = other;
  if (!isLive || hadConflict || handled === undefined || other === writer) return false;
  if (seen.get(key) !== writer.number || writer.committed === undefined) return false;
  return handled.time - writer.committed.time < WINDOW - STORE_TIME;
}

/** Whether the other overlapped, and was written so much earlier or later that no record told. */
function isBeyondWindow(writer: Exchange, other: Exchange): boolean {
  if (other === writer || other.cookie === undefined) return false;
  if (isSlow(other) && other.effects?.isRegenerated !== true) return false;
  const isApart =
    (writer.delivered?.order ?? Infinity) < other.sent.order ||
    (other.delivered?.order ?? Infinity) < writer.sent.order;
  const [one, two] = [writer.committed ?? writer.answered, other.committed ?? other.answered];
  if (isApart || one === undefined || two === undefined) return false;
  return Math.abs(one.time - two.time) >= WINDOW - STORE_TIME;
}

/** With the data in the store every copy sees the same, which is all of it. */
export function* judgeStored(exchange: Exchange): Iterable<Finding> {
  if (!exchange.isLive) return;
  for (const [key, { number }] of exchange.expected) {
    if (exchange.seen.get(key) === number) continue;
    yield { fault: "lost", text: `${markOf(key, number)} is not in the store` };
  }
}

/** Whether a change was dropped though its session goes on. */
export function* judgeAnswer(model: Model, exchange: Exchange, now: number): Iterable<Finding> {
  const { token, effects, isLive, committed, answered } = exchange;
  const session = model.session(token?.id);
  if (!isLive || token === undefined || session === undefined || answered === undefined) return;
  if (effects === undefined || effects.set.size === 0 || committed !== undefined) return;
  if (mayBeOver(session) || token.endsAt * 1000 <= now + SKEW) return;
  // What the session's former subject set is nothing to the one it has now.
  const { subjectSeen } = exchange;
  if (subjectSeen !== undefined && subjectSeen !== session.subject) return;
  yield { fault: "lost", text: `what ${exchange.number} set was not put down` };
}

/** Looks at a response that takes a good session's cookie from the browser. */
export function* judgeDelivery(
  model: Model,
  exchange: Exchange,
  jar: Token | undefined,
): Iterable<Finding> {
  const { token, cookie, effects, isLive, asked, opened } = exchange;
  const present = model.session(jar?.id);
  if (cookie === undefined || present === undefined || present.isEnded) return;
  if (cookie !== "deleted" && cookie.id === present.id) return;
  if (token === undefined) {
    yield { limit: "parallel", text: "a session without a cookie took its place" };
    return;
  }
  const { moved: movedAt, mayHaveMovedNothing } = model.session(token.id) ?? {};
  const moved = mayHaveMovedNothing === true ? undefined : movedAt;
  const mayDelete = effects?.isDestroyed === true && !isWithin(moved, exchange.handled);
  const isOwn = effects?.isRegenerated === true || mayDelete;
  const isEmptied = isLive && exchange.committed !== undefined;
  const isOld = cookie !== "deleted" && cookie.id === token.id;
  if (isOwn || isEmptied || isOld) {
    yield { limit: "overtaken", text: "an overtaken response changed the cookie" };
    return;
  }
  const isExpired = token.endsAt * 1000 <= (opened?.time ?? 0) + SKEW;
  const isOver = isExpired || !isWithin(moved, asked);
  if (!isLive && isOver) {
    yield { limit: "parallel", text: "a session after an ended one took its place" };
  } else {
    yield { fault: "signedOut", text: `${exchange.number} took the cookie of ${present.id} away` };
  }
}

/** Whether the moment is in the window after the move, on any clock. */
function isWithin(moved: Moment | undefined, moment: Moment | undefined): boolean {
  if (moved === undefined || moment === undefined || moment.order < moved.order) return false;
  return moment.time < moved.time + WINDOW - SKEW;
}
