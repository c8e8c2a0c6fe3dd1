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

function judgeReopened({ kind }: End): Finding {
  const fault = kind === "destroyed" || kind === "generation" ? "missedEnd" : "revived";
  return { fault, text: `its session was over: ${kind}` };
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
