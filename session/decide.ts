import { apply, begin, type Changes, hasChanges } from "./changes.ts";
import type { Settings } from "./options.ts";
import { type Found, type Live, writeGeneration, writeMark } from "./record.ts";
import { beginTimes, type Login, NO_CLAIMS, renewTimes, type State, type Times } from "./state.ts";

/**
 * Seconds for which requests of a session overlap, so that a late answer may undo its end; and in which
 * the requests of one page may each adopt the same session of another system.
 */
const OVERLAP = 60;
/** Seconds that a record outlives the token beside it: twice the clocks' difference, and a minute. */
const MARGIN = 120;
/** Seconds that a generation is kept, and the end of an id whose own end is unknown. */
export const RETENTION: number = 401 * 24 * 60 * 60;

/** What a commit saw when it looked at the store. */
export interface Sight {
  /** In milliseconds, from before the store was asked. */
  readonly now: number;
  /** The session that the request came with, and what the store says of it. */
  readonly found: Found | undefined;
  /** Whether `open` found it live. */
  readonly wasLive: boolean;
  /** Where it is another system's: whether the store keeps it from being adopted again. */
  readonly foreign: { readonly isOnce: boolean } | undefined;
  /** The id for a session that begins or moves, and the generation for `endOthers`. */
  readonly newId: string;
  /** Whether another request has ended that id since. */
  readonly isNewIdEnded: boolean;
  /** The highest version that an earlier try wrote: its answer may have been lost, and others saw it. */
  readonly triedVersion: number;
  /** The subject that the request signs in, with its generation. */
  readonly signedIn: Omit<Login, "authenticatedAt"> | undefined;
  /** The store's key of the subject whose other sessions it ends. */
  readonly endedOthersOf: string | undefined;
  /** The id where a session to be destroyed went on; undefined where it did not. */
  readonly successor: string | undefined;
}

/** What is to be done, in the order in which a crash may interrupt it. */
export interface Plan {
  readonly writes: readonly Write[];
  /** What the browser gets: a token of a state, a deletion, or nothing. */
  readonly cookie: { readonly state: State } | "delete" | undefined;
  /** Whether a change had to be dropped. */
  readonly isDropped: boolean;
}

/** Puts a text, or the record of a state, in place of what was looked at. */
export interface Write {
  readonly key: string;
  readonly next: string | State;
  /** In seconds. */
  readonly ttl: number;
}

/** The settings that a decision depends on. */
export type Rules = Pick<Settings, "dataIn" | "idleTimeout" | "lifetime">;

/**
 * What one request's changes do to the session that is there now: to the newest state, to nothing
 * where there is none, and to neither where they come too late.
 */
export function decide(sight: Sight, changes: Changes, rules: Rules): Plan {
  const { now, found, foreign, newId, successor } = sight;
  const { hasNewId, isDestroyed, signedIn, keepsRest } = changes.calls;
  const live = found?.kind === "live" ? found : undefined;
  if (sight.isNewIdEnded || (live === undefined && !mayBegin(sight, changes))) {
    return { writes: [], cookie: undefined, isDropped: hasChanges(changes) };
  }
  const goesOn = live !== undefined && keepsRest;
  const { content, isDropped } = goesOn ? apply(live.state, changes) : begin(changes);
  const login = loginOf(sight, isDestroyed ? undefined : live?.state.login);
  const isKept = login !== undefined || content.data.size + content.flashes.length > 0;
  const hasEnded = !isKept || hasNewId || isDestroyed;
  const keepsId = live !== undefined && foreign === undefined && !hasEnded;
  const begins =
    live === undefined || foreign !== undefined || isDestroyed || signedIn !== undefined;
  const state: State = {
    id: keepsId ? live.state.id : newId,
    version: Math.max(now, sight.triedVersion + 1, (live?.state.version ?? 0) + 1),
    ...(begins ? beginTimes(now, rules) : renewed(live, now)),
    login,
    ...content,
    unknown: begins ? NO_CLAIMS : live.state.unknown,
  };
  const hasRecord = isKept && (keepsId || rules.dataIn === "store");
  const isDeleted =
    found !== undefined && foreign === undefined && (live !== undefined || isDestroyed);
  return {
    writes: [
      ...endOthers(sight),
      ...(hasRecord ? [recordOf(state, now)] : []),
      ...(keepsId ? [] : markFound(sight, changes, isKept, hasEnded)),
      ...(successor === undefined ? [] : [endSuccessor(successor, sight)]),
    ],
    cookie: isKept ? { state } : isDeleted ? "delete" : undefined,
    isDropped,
  };
}

/** Whether so much time went by that an end of the session may be forgotten by now. */
export function isOutlived({ token, state, hasRecord }: Live, now: number): boolean {
  const seconds = now / 1000;
  const isForgotten = !hasRecord && seconds > token.state.expiresAt + OVERLAP;
  return isForgotten || seconds >= state.endsAt;
}

/**
 * Whether a request whose session is not live begins a new one. If the session ended during the
 * request, the changes are lost with it. A request that may overlap the end must not send a cookie,
 * because it could replace a login's.
 */
function mayBegin({ found, wasLive, now }: Sight, { calls }: Changes): boolean {
  if (found === undefined || calls.isDestroyed || calls.signedIn !== undefined) return true;
  return !wasLive && !isRecent(found, now);
}

/** Whether a request with the ended cookie may overlap the request that ended it. */
export function isRecent(found: Found, now: number): boolean {
  return found.kind === "ended" && found.at !== undefined && now < found.at + OVERLAP * 1000;
}

/** The write that marks an id that ended or moved, unless it has a mark that says so. */
function markFound(
  { now, found, foreign, newId }: Sight,
  { calls }: Changes,
  isKept: boolean,
  hasEnded: boolean,
): readonly Write[] {
  if (found === undefined) return [];
  const { id } = found.token.state;
  if (foreign !== undefined) {
    if (!foreign.isOnce || (found.kind === "live" && found.hasRecord && !hasEnded)) return [];
    const how = hasEnded ? "ended" : "moved";
    return [{ key: id, next: writeMark(id, how, now, newId), ttl: RETENTION }];
  }
  // One that only its generation ended, or the clock, gets a mark from a logout or a login.
  const isToMark = calls.isDestroyed || calls.signedIn !== undefined;
  if (found.kind === "ended" && (found.hasMark || !isToMark)) return [];
  const how = isKept && calls.hasNewId ? "moved" : "ended";
  const ttl = retention(renewed(found, now), now);
  return [{ key: id, next: writeMark(id, how, now, newId), ttl }];
}

/** Who is signed in after the request, with the generation that the subject then has. */
function loginOf(
  { now, signedIn, endedOthersOf, newId }: Sight,
  present: Login | undefined,
): Login | undefined {
  const login =
    signedIn === undefined ? present : { ...signedIn, authenticatedAt: Math.floor(now / 1000) };
  const isRenewed = login !== undefined && login.key === endedOthersOf;
  return isRenewed ? { ...login, generation: newId } : login;
}

/** The write that replaces the subject's generation, where this request ends other sessions. */
function endOthers({ endedOthersOf: key, newId, now }: Sight): readonly Write[] {
  if (key === undefined) return [];
  return [{ key, next: writeGeneration(key, newId, now), ttl: RETENTION }];
}

function recordOf(state: State, now: number): Write {
  return { key: state.id, next: state, ttl: retention(state, now) };
}

function endSuccessor(key: string, { now, newId }: Sight): Write {
  return { key, next: writeMark(key, "ended", now, newId), ttl: RETENTION };
}

/** The times of a token signed now: its `iat` is before neither the cookie's nor the record's. */
function renewed(found: Found, now: number): Times {
  const { state } = found.token;
  const newest = found.kind === "live" ? found.state : state;
  return renewTimes(newest, Math.max(now, state.issuedAt * 1000));
}

/** Whole seconds for which a value must be kept that contradicts tokens with these times. */
function retention({ expiresAt }: Times, now: number): number {
  return Math.max(1, Math.ceil(expiresAt + MARGIN - now / 1000));
}

/** What signing again without a change does: nothing where the session has ended meanwhile. */
export function decideRefresh({ found, now }: Sight, rules: Rules): Plan {
  if (found?.kind !== "live" || !isDue(found, now)) {
    return { writes: [], cookie: undefined, isDropped: false };
  }
  const state = { ...found.state, ...renewed(found, now) };
  const writes = rules.dataIn === "store" ? [recordOf(state, now)] : [];
  return { writes, cookie: { state }, isDropped: false };
}

/** Whether a cookie is to be signed again though nobody changed its session. */
export function isDue({ token, state, isNewer }: Live, now: number): boolean {
  if (isNewer) return true;
  const seconds = now / 1000;
  const { issuedAt, expiresAt } = token.state;
  if (!token.isCurrentKey && seconds - issuedAt > OVERLAP) return true;
  const isHalfGone = expiresAt - seconds < (expiresAt - issuedAt) / 2;
  return isHalfGone && renewTimes(state, now).expiresAt > expiresAt;
}
