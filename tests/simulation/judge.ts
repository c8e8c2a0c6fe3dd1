import type { Contents } from "./effects.ts";
import {
  clockOf,
  type End,
  type Exchange,
  type Moment,
  TOLERANCE,
  type Token,
} from "./exchange.ts";
import type { Finding } from "./finding.ts";
import { markOf, type Model, type SessionModel } from "./model.ts";

/** A call that is about a subject and no request: `endAll`, `list` or `end`. */
export interface Errand {
  readonly subject: string;
  readonly sent: Moment;
  /** Every cookie that had been sent by then. */
  readonly tokens: readonly Token[];
  hadFault: boolean;
}

/** How long a session may outlive its window, where clocks differ: in milliseconds. */
const SKEW_ALLOWANCE = 60_000;
/** How long after an end a late request gets no cookie, in milliseconds (design §7). */
export const LATE = 60_000;
/** Claims are in whole seconds. */
const SECOND = 1000;

/** Compares what a request was given with the newest state of its session. */
export function* judgeOpen(model: Model, exchange: Exchange): Iterable<Finding> {
  const { token, isLive, found: look, seen, settings } = exchange;
  const session = model.session(token?.id);
  if (!isLive) {
    if (seen.size > 0) yield { fault: "revived", text: "a new session is not empty" };
    if (token !== undefined) yield judgeMissing(exchange, token);
    return;
  }
  if (session === undefined || look === undefined) {
    yield { fault: "failed", text: "the store was not asked" };
    return;
  }
  if (look.end !== undefined) yield judgeReopened(look.end);
  else yield* judgeContents(session, look.contents, seen);
  if (exchange.subjectSeen !== session.subject) {
    yield { fault: "revived", text: `it is the session of ${exchange.subjectSeen}` };
  }
  if (exchange.authenticatedSeen !== session.authenticatedAt) {
    yield { fault: "fresh", text: `its user was there at ${exchange.authenticatedSeen}` };
  }
  const { time } = look.moment;
  const isUnused = time > look.usedBefore + session.window * SECOND + SKEW_ALLOWANCE;
  if (isUnused) yield { fault: "overLife", text: "it was not used for longer than its window" };
  if (exchange.sent.time + settings.skew >= session.endsAt * SECOND) {
    yield { fault: "overLife", text: "its lifetime was over" };
  }
}

function judgeMissing(exchange: Exchange, { expiresAt }: Token): Finding {
  if (exchange.found?.end !== undefined) return { limit: "ended", text: "it was ended" };
  const isExpired = clockOf(exchange, exchange.sent) > (expiresAt - 1) * SECOND;
  if (isExpired) return { limit: "expired", text: "the cookie is over" };
  return { fault: "signedOut", text: "its session did not open" };
}

/** Compares the list of a subject's sessions with those that a cookie opens. */
export function* judgeList(
  model: Model,
  { subject, sent, tokens }: Errand,
  refs: ReadonlySet<string>,
  clock: number,
): Iterable<Finding> {
  for (const { id, expiresAt } of tokens) {
    if (model.session(id)?.subject !== subject) continue;
    const isListed = refs.has(id.slice(0, 12));
    const end = model.endOf(id);
    if (end === undefined && !isListed && clock < expiresAt * SECOND) {
      yield { fault: "unlisted", text: "a live session is not in the list" };
    }
    if (isListed && end !== undefined && end.moment.order < sent.order) {
      yield { fault: faultOf(end.kind), text: `a session in the list was over: ${end.kind}` };
    }
  }
}

/** Looks at what became of a session that a call of `end` named by one of its cookies. */
export function* judgeEnd(
  model: Model,
  { subject }: Errand,
  { id, expiresAt }: Token,
  isEnded: boolean,
  clock: number,
): Iterable<Finding> {
  const isOver = model.endOf(id) !== undefined;
  const isOfSubject = model.session(id)?.subject === subject;
  if (isEnded && !isOver) yield { fault: "missedEnd", text: "end() ended no session" };
  if (isEnded && !isOfSubject) yield { fault: "signedOut", text: "end() ended another user's" };
  if (!isEnded && !isOver && isOfSubject && clock < expiresAt * SECOND) {
    yield { fault: "unlisted", text: "end() did not find a live session" };
  }
}

function judgeReopened({ kind }: End): Finding {
  return { fault: faultOf(kind), text: `its session was over: ${kind}` };
}

function faultOf(kind: End["kind"]): "missedEnd" | "revived" {
  return kind === "destroyed" || kind === "generation" ? "missedEnd" : "revived";
}

function* judgeContents(
  session: SessionModel,
  expected: Contents,
  seen: Contents,
): Iterable<Finding> {
  for (const [key, by] of seen) {
    if (expected.get(key) === by) continue;
    const mark = markOf(key, by);
    if (session.history.has(mark)) yield { fault: "older", text: `${mark} is there again` };
    else yield { fault: "revived", text: `${mark} was never in this session` };
  }
  for (const [key, by] of expected) {
    if (!seen.has(key)) yield { fault: "lost", text: `${markOf(key, by)} is not there` };
  }
}

/** Looks at a response that takes a good session's cookie from the browser. */
export function* judgeDelivery(
  model: Model,
  exchange: Exchange,
  jar: Token | undefined,
  now: Moment,
): Iterable<Finding> {
  const { cookie } = exchange;
  if (jar === undefined || cookie === undefined || model.endOf(jar.id) !== undefined) return;
  if (jar.expiresAt * SECOND <= now.time) return;
  if (cookie !== "deleted" && cookie.id === jar.id) return;
  if (isOwn(exchange) || isOld(exchange)) {
    yield { limit: "overtaken", text: "an overtaken response changed the cookie" };
  } else if (hadNoSession(exchange)) {
    yield { limit: "parallel", text: "a session that began without a cookie took its place" };
  } else yield { fault: "signedOut", text: `${exchange.number} took the cookie away` };
}

/** Whether the request itself ended its session, or moved it. */
function isOwn({ effects, changed, cookie }: Exchange): boolean {
  return effects.isDestroyed || effects.isMoved || (cookie === "deleted" && changed !== undefined);
}

/** Whether the response has the cookie of the session that the request came with. */
function isOld({ cookie, token }: Exchange): boolean {
  return typeof cookie === "object" && cookie.id === token?.id;
}

/** Whether the request came without a session, and not only because it overlapped the end. */
function hadNoSession({ isLive, found, handled }: Exchange): boolean {
  if (isLive) return false;
  if (found?.end === undefined || handled === undefined) return true;
  return handled.time - found.end.moment.time >= LATE - TOLERANCE;
}
