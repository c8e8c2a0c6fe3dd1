import { apply, begin, type Calls, type Changes, type Foreign, hasChanges } from "./changes.ts";
import type { Settings } from "./options.ts";
import { type Found, type Live, writeGeneration, writeMark } from "./record.ts";
import { beginTimes, type Login, NO_CLAIMS, renewTimes, type State, type Times } from "./state.ts";

/**
 * Seconds for which requests of a session may overlap. A late answer may undo its end, and the requests
 * of one page may each adopt the same session of another system.
 */
const OVERLAP = 60;
/** Seconds that a record outlives the token beside it: twice the clocks' difference, and a minute. */
export const MARGIN = 120;
/** Seconds that a generation is kept, and the mark of an id whose times are unknown. */
export const RETENTION: number = 401 * 24 * 60 * 60;

/** What a commit saw when it looked at the store. */
export interface Sight {
  /** In milliseconds, from before the store was asked. */
  readonly now: number;
  /** What the store had under each key that was looked at. A write replaces exactly that. */
  readonly texts: ReadonlyMap<string, string | undefined>;
  /** The session that the request came with, and what the store says of it. */
  readonly found: Found | undefined;
  /** Whether `open` found it live. */
  readonly wasLive: boolean;
  /** Set if it is another system's session. */
  readonly foreign: Foreign | undefined;
  /** The id for a session that begins or moves. */
  readonly newId: string;
  /** The generation for `endOthers`: another one at each look, since one that was replaced is over. */
  readonly newGeneration: string;
  /** Whether another request has ended that id since. */
  readonly isNewIdEnded: boolean;
  /** The highest version that an earlier try wrote: its answer may have been lost, and others saw it. */
  readonly triedVersion: number;
  /** The subject that the request signs in, with its generation. */
  readonly newLogin: Pick<Login, "subject" | "key" | "generation"> | undefined;
  /** The store's key of the subject whose other sessions it ends. */
  readonly othersKey: string | undefined;
  /** The id that a session to be destroyed has moved to. */
  readonly successor: string | undefined;
}

/** What a commit does. A crash between two writes leaves a session that works. */
export interface Plan {
  /** In their order. */
  readonly writes: readonly Write[];
  /** What the browser is sent: a token of a state, a deletion, or nothing. */
  readonly cookie: State | "delete" | undefined;
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

/**
 * Applies one request's changes to the session's newest state. They begin a session if there is none,
 * and are dropped if they come too late.
 */
export function decide(sight: Sight, changes: Changes, settings: Settings): Plan {
  const { now, found, foreign, newId, successor } = sight;
  const { calls } = changes;
  const live = found?.kind === "live" ? found : undefined;
  if (sight.isNewIdEnded || (live === undefined && !mayBegin(sight, calls))) {
    return { writes: [], cookie: undefined, isDropped: hasChanges(changes) };
  }
  const { content, isDropped } =
    live !== undefined && calls.keepsRest ? apply(live.state, changes) : begin(changes);
  const login = loginOf(sight, calls, calls.isDestroyed ? undefined : live?.state.login);
  const isKept = login !== undefined || content.data.size + content.flashes.length > 0;
  const own = foreign === undefined && !calls.isDestroyed ? live : undefined;
  const begins = own === undefined || calls.signedIn !== undefined;
  const keepsId = own !== undefined && isKept && !calls.hasNewId;
  const state: State = {
    id: keepsId ? own.state.id : newId,
    version: Math.max(now, sight.triedVersion + 1, (live?.state.version ?? 0) + 1),
    ...(begins ? beginTimes(now, settings) : nextTimes(own, now)),
    login,
    ...content,
    unknown: begins ? NO_CLAIMS : own.state.unknown,
  };
  const hasRecord = isKept && (keepsId || settings.dataIn === "store");
  const mark = foreign === undefined ? markOwn : markForeign;
  const isDeleted =
    found !== undefined && foreign === undefined && (live !== undefined || calls.isDestroyed);
  return {
    writes: [
      ...endOthers(sight),
      ...(hasRecord ? [recordOf(state, now)] : []),
      ...(keepsId ? [] : mark(sight, calls, isKept)),
      ...(successor === undefined ? [] : [endSuccessor(successor, sight)]),
    ],
    cookie: isKept ? state : isDeleted ? "delete" : undefined,
    isDropped,
  };
}

/** Whether so much time has passed that the store may have forgotten the session's end. */
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
function mayBegin({ found, wasLive, now }: Sight, calls: Calls): boolean {
  if (found === undefined || calls.isDestroyed || calls.signedIn !== undefined) return true;
  return !wasLive && !isRecent(found, now);
}

/** Whether a request with the ended cookie may overlap the request that ended it. */
export function isRecent(found: Found, now: number): boolean {
  return found.kind === "ended" && found.at !== undefined && now < found.at + OVERLAP * 1000;
}

/** The write that marks an id that ended or moved, unless it has a mark. */
function markOwn({ now, found, newId }: Sight, calls: Calls, isKept: boolean): readonly Write[] {
  if (found === undefined) return [];
  // Only a logout or a login marks an id that its generation or the clock has ended.
  const isToMark = calls.isDestroyed || calls.signedIn !== undefined;
  if (found.kind === "ended" && (found.hasMark || !isToMark)) return [];
  const { id } = found.token.state;
  const ttl = ttlOf(nextTimes(found, now), now);
  const how = isKept && calls.hasNewId ? "moved" : "ended";
  return [{ key: id, next: writeMark(id, how, now, newId), ttl }];
}

/** The write that marks another system's session, so that it is adopted only once. */
function markForeign(
  { now, found, foreign, newId }: Sight,
  calls: Calls,
  isKept: boolean,
): readonly Write[] {
  if (found === undefined || foreign?.isOnce !== true) return [];
  const how = !isKept || calls.hasNewId || calls.isDestroyed ? "ended" : "moved";
  if (found.kind === "live" && found.hasRecord && how === "moved") return [];
  const { id } = found.token.state;
  return [{ key: id, next: writeMark(id, how, now, newId), ttl: RETENTION }];
}

/** Who is signed in after the request, with the generation that the subject then has. */
function loginOf(
  { now, newLogin, othersKey, newGeneration }: Sight,
  { authentication }: Calls,
  present: Login | undefined,
): Login | undefined {
  const given = newLogin ?? present;
  const login =
    given === undefined || authentication === undefined
      ? present
      : { ...given, authenticatedAt: Math.floor(now / 1000), methods: authentication.methods };
  const isRenewed = login !== undefined && login.key === othersKey;
  return isRenewed ? { ...login, generation: newGeneration } : login;
}

/** The write that replaces the subject's generation, if this request ends other sessions. */
function endOthers({ othersKey: key, newGeneration, now }: Sight): readonly Write[] {
  if (key === undefined) return [];
  return [{ key, next: writeGeneration(key, newGeneration, now), ttl: RETENTION }];
}

function recordOf(state: State, now: number): Write {
  return { key: state.id, next: state, ttl: ttlOf(state, now) };
}

function endSuccessor(key: string, { now, newId }: Sight): Write {
  return { key, next: writeMark(key, "ended", now, newId), ttl: RETENTION };
}

/** The times of a token signed now: its `iat` is before neither the cookie's nor the record's. */
function nextTimes(found: Found, now: number): Times {
  const { state } = found.token;
  const newest = found.kind === "live" ? found.state : state;
  return renewTimes(newest, Math.max(now, state.issuedAt * 1000));
}

/** The whole seconds that a record or mark must outlive tokens with these times. */
export function ttlOf({ expiresAt }: Pick<Times, "expiresAt">, now: number): number {
  return Math.max(1, Math.ceil(expiresAt + MARGIN - now / 1000));
}

/** Signs a session again without a change, unless it has ended meanwhile. */
export function decideRefresh({ found, now }: Sight, { dataIn }: Settings): Plan {
  if (found?.kind !== "live" || !isDue(found, now)) {
    return { writes: [], cookie: undefined, isDropped: false };
  }
  const state = { ...found.state, ...nextTimes(found, now) };
  const writes = dataIn === "store" ? [recordOf(state, now)] : [];
  return { writes, cookie: state, isDropped: false };
}

/** Whether a cookie is signed again though nobody changed its session. */
export function isDue({ token, state, isNewer }: Live, now: number): boolean {
  if (isNewer) return true;
  if (token.isExposed) return true;
  const seconds = now / 1000;
  const { issuedAt, expiresAt } = token.state;
  if (!token.isCurrentKey && seconds - issuedAt > OVERLAP) return true;
  const isHalfGone = expiresAt - seconds < (expiresAt - issuedAt) / 2;
  return isHalfGone && renewTimes(state, now).expiresAt > expiresAt;
}
