import { apply, isSame } from "./effects.ts";
import {
  clockOf,
  type End,
  type Exchange,
  type Moment,
  TOLERANCE,
  type Token,
} from "./exchange.ts";
import type { Finding } from "./finding.ts";
import { LATE } from "./judge.ts";
import type { Model } from "./model.ts";

const SECOND = 1000;

/** Looks at what became of a request that got its answer, before the model takes it in. */
export function* judgeAnswer(model: Model, exchange: Exchange, now: Moment): Iterable<Finding> {
  if (exchange.failure !== undefined) yield* judgeFailure(exchange, exchange.failure);
  else if (exchange.isLive) yield* judgeLive(model, exchange, now);
  else yield* judgeNew(model, exchange, now);
}

function* judgeFailure(exchange: Exchange, code: string): Iterable<Finding> {
  const { changed, effects, hadFault, handled, looks, settings } = exchange;
  if (handled !== undefined && isReader(exchange)) {
    yield { fault: "failed", text: `it only read, and failed: ${code}` };
    return;
  }
  if (code === "ERR_SESSION_STORE" && hadFault) {
    if (changed !== undefined) yield { limit: "unknown", text: "it took effect" };
    return;
  }
  const mayBeHuge = effects.huge.size > 0 || looks.some(({ isHuge }) => isHuge);
  if (code !== "ERR_SESSION_TOO_LARGE" || !mayBeHuge || settings.dataIn === "store") {
    yield { fault: "failed", text: code };
  } else if (changed !== undefined && !hadFault) {
    yield { fault: "failed", text: "a session that was too large was put down" };
  }
}

/** Its session was there when it was opened. */
function* judgeLive(model: Model, exchange: Exchange, now: Moment): Iterable<Finding> {
  const { changed, cookie, effects, generation, moved, token } = exchange;
  const isNewId = typeof cookie === "object" && cookie.id !== token?.id;
  if (hasEnded(model, exchange)) {
    const isNewIdEnded = moved !== undefined && model.endOf(moved.id) !== undefined;
    if (changesAnything(exchange)) yield { limit: "raced", text: "its session was over" };
    if (effects.signedIn !== undefined && !isNewId && !isNewIdEnded) {
      yield { fault: "lost", text: "it signed in and got no cookie" };
    }
    const begins = isNewId && cookie.id !== moved?.id;
    if (begins && effects.signedIn === undefined && !effects.isDestroyed) {
      yield { fault: "revived", text: "it began another session after the end of its own" };
    }
    return;
  }
  if (changed === undefined && changesAnything(exchange)) {
    yield { fault: "lost", text: "its change was not put down" };
  }
  if (moved !== undefined && (!isNewId || cookie.id !== moved.id)) {
    yield { fault: "signedOut", text: "its session moved, and it got no cookie" };
  }
  if (effects.endsOthers && generation === undefined) {
    yield { fault: "missedEnd", text: "the generation is the same" };
  }
  if (isDue(model, exchange, now)) {
    yield { fault: "signedOut", text: "less than half of its window is left" };
  }
}

/** Whether others ended the session, or the id that it moved to, while the request ran. */
function hasEnded(model: Model, { changed, looks, moved, token }: Exchange): boolean {
  const last = looks.at(-1);
  if (last?.end !== undefined || last?.isOutlived === true) return true;
  if (moved !== undefined) return model.endOf(moved.id) !== undefined;
  return changed === undefined && model.endOf(token?.id) !== undefined;
}

function isReader({ effects }: Exchange): boolean {
  const { set, inside, removed, flashes, isMoved, isDestroyed } = effects;
  const count = set.size + inside.size + removed.size + flashes.length;
  return count === 0 && !isMoved && !isDestroyed;
}

function changesAnything({ effects, looks, number }: Exchange): boolean {
  const { contents = new Map<string, number>() } = looks.at(-1) ?? {};
  if (effects.isMoved || effects.isDestroyed) return true;
  return !isSame(contents, apply(contents, effects, number));
}

/** Whether the cookie had to be signed again, and was not. */
function isDue(model: Model, exchange: Exchange, now: Moment): boolean {
  const { cookie, hadConflict, hadFault, looks, opened, token } = exchange;
  const session = model.session(token?.id);
  if (cookie !== undefined || hadConflict || hadFault || opened === undefined) return false;
  if (session === undefined || token === undefined) return false;
  // What the request found does not fit, though another one may have made it smaller since.
  if (looks.at(-1)?.isHuge === true) return false;
  const left = token.expiresAt - clockOf(exchange, opened) / SECOND;
  const isOver = clockOf(exchange, now) >= token.expiresAt * SECOND;
  return !isOver && left < session.window / 2 - 1 && token.expiresAt < session.endsAt - 1;
}

/** It came without a session that was there. */
function* judgeNew(model: Model, exchange: Exchange, now: Moment): Iterable<Finding> {
  const { cookie, effects, moved, token } = exchange;
  const hasContents = apply(new Map(), effects, exchange.number).size > 0;
  const isNewId = typeof cookie === "object" && cookie.id !== token?.id;
  const end = exchange.found?.end;
  const isNewIdEnded = moved !== undefined && model.endOf(moved.id) !== undefined;
  if (effects.signedIn !== undefined) {
    if (!isNewId && !isNewIdEnded) yield { fault: "lost", text: "it signed in and got no cookie" };
  } else if (isNewId && !hasContents) {
    yield { fault: "revived", text: "it began a session with nothing in it" };
  } else if (isNewId && end !== undefined && !effects.isDestroyed) {
    const isLate = now.time < end.moment.time + LATE - TOLERANCE;
    if (isLate) yield { fault: "signedOut", text: "it overlapped the end, and got a new session" };
  } else if (!isNewId && hasContents) {
    const ends = [end, model.endOf(token?.id)];
    if (!ends.some((one) => mayBeLate(one, exchange.opened ?? now))) {
      yield { fault: "lost", text: "what it set began no session" };
    }
  }
}

function mayBeLate(end: End | undefined, { time }: Moment): boolean {
  return end !== undefined && time < end.moment.time + LATE + TOLERANCE;
}

/** Looks at the times in a new cookie, after the model took the answer in. */
export function* judgeTimes(model: Model, exchange: Exchange, now: Moment): Iterable<Finding> {
  const { cookie, effects, token } = exchange;
  if (typeof cookie !== "object") return;
  const session = model.session(cookie.id);
  if (session === undefined) return;
  if (cookie.id !== token?.id) yield* judgeStart(exchange, cookie, now);
  yield* judgeAuthentication(exchange, cookie, session.authenticatedAt, now);
  yield* compare("max", cookie.endsAt, session.endsAt);
  const end = Math.min(cookie.issuedAt + session.window, session.endsAt);
  yield* compare("exp", cookie.expiresAt, end);
  const isNew = effects.signedIn !== undefined || effects.isDestroyed;
  const isRenewed = !isNew && cookie.endsAt === token?.endsAt;
  const earliest = Math.floor(clockOf(exchange, lastUse(exchange)) / SECOND);
  if (cookie.issuedAt < Math.max(earliest, isRenewed ? token.issuedAt : 0)) {
    yield { fault: "signedOut", text: `iat is ${cookie.issuedAt}, before its request` };
  }
  if (cookie.issuedAt * SECOND > now.time + TOLERANCE) {
    yield { fault: "overLife", text: `iat is ${cookie.issuedAt}, after its request` };
  }
  if (cookie.expiresAt * SECOND < clockOf(exchange, exchange.handled ?? now)) {
    yield { fault: "overLife", text: "a token was signed that is over" };
  }
}

/** `auth_time` is when the request signed in or confirmed, or stays as it was. */
function* judgeAuthentication(
  exchange: Exchange,
  { id, authenticatedAt }: Token,
  expected: number | undefined,
  now: Moment,
): Iterable<Finding> {
  if (authenticatedAt !== expected) {
    yield { fault: "fresh", text: `auth_time is ${authenticatedAt}, and was ${expected}` };
  }
  const { effects, handled, sent, token } = exchange;
  if (!effects.authenticates || id === token?.id || authenticatedAt === undefined) return;
  const earliest = Math.floor(clockOf(exchange, handled ?? sent) / SECOND);
  if (authenticatedAt < earliest || authenticatedAt > clockOf(exchange, now) / SECOND) {
    yield { fault: "fresh", text: `auth_time is ${authenticatedAt}, another time` };
  }
}

/** A session that begins has the times of its instance. */
function* judgeStart(exchange: Exchange, { endsAt }: Token, now: Moment): Iterable<Finding> {
  const { effects, moved, settings, sent } = exchange;
  if (moved !== undefined && effects.signedIn === undefined) return;
  const latest = clockOf(exchange, now) / SECOND + settings.lifetime;
  const earliest = Math.floor(clockOf(exchange, sent) / SECOND) + settings.lifetime;
  if (endsAt > latest) yield { fault: "overLife", text: "max is later than its lifetime" };
  if (endsAt < earliest) yield { fault: "signedOut", text: "max is earlier than its lifetime" };
}

function* compare(claim: string, is: number, should: number): Iterable<Finding> {
  if (is > should) yield { fault: "overLife", text: `${claim} is ${is - should} s too late` };
  if (is < should) yield { fault: "signedOut", text: `${claim} is ${should - is} s too early` };
}

/** From when the times of a request's token count: the handler's end, where it changed something. */
function lastUse({ changed, handled, sent }: Exchange): Moment {
  return changed === undefined ? sent : (handled ?? sent);
}
