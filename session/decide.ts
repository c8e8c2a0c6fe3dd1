import { type Adopted, apply, type Changes, hasChanges } from "./changes.ts";
import type { Cookie } from "./cookie/attributes.ts";
import type { Settings } from "./options.ts";
import {
  type Found,
  type Live,
  readAdoption,
  writeAdoption,
  writeGeneration,
  writeMark,
} from "./record.ts";
import { beginTimes, type Login, NOTHING, renewTimes, type State, type Times } from "./state.ts";

/**
 * Seconds for which requests of a session overlap, so that a late answer may undo its end; and in which
 * the requests of one page may each adopt the same session of another system.
 */
const OVERLAP = 60;
/** Seconds that a record outlives the token beside it: twice the clocks' difference, and a minute. */
const MARGIN = 120;
/** Seconds that a generation is kept, and the end of an id whose own end is unknown. */
export const LONGEST: number = 401 * 24 * 60 * 60;

/** What a commit saw when it looked at the store. */
export interface Sight {
  /** In milliseconds, from before the store was asked. */
  readonly now: number;
  /** The cookie, and what the store says of it; undefined where none came. */
  readonly found: Found | undefined;
  /** Whether `open` found the cookie's session live. */
  readonly wasLive: boolean;
  /** The id for a session that begins or moves, and the generation for `endOthers`. */
  readonly newId: string;
  /** What an earlier try put under that id. */
  readonly newText: string | undefined;
  /** Whether another request has ended that id since. */
  readonly isNewIdEnded: boolean;
  /** The generation of the subject that the request signs in, or adopts. */
  readonly signedIn: Generation | undefined;
  /** The generation of the subject whose other sessions it ends. */
  readonly endedOthersOf: Generation | undefined;
  /** The other system's session that the request came with, and whether it is too late to adopt it. */
  readonly adopted: (Adopted & { readonly isOver: boolean }) | undefined;
  /** What the store has of that session, or of the one that the cookie's session was adopted from. */
  readonly adoption: { readonly key: string; readonly text: string | undefined } | undefined;
  /** Where a session to be destroyed went on; undefined where it did not. */
  readonly successor: Pick<Write, "key" | "previous"> | undefined;
}

/** A subject's generation in the store. */
interface Generation {
  readonly key: string;
  readonly generation: string | undefined;
  readonly text: string | undefined;
}

/** What is to be done, in the order in which a crash may interrupt it. */
export interface Plan {
  readonly writes: readonly Write[];
  /** What the browser gets: a token of a state, a deletion, or nothing. */
  readonly cookie: { readonly state: State } | "delete" | undefined;
  /** The other system's cookie, to be deleted. */
  readonly forget: Cookie | undefined;
  /** Whether a change had to be dropped. */
  readonly isDropped: boolean;
}

const NO_PLAN: Plan = { writes: [], cookie: undefined, forget: undefined, isDropped: false };

/** One compare-and-set: puts a text, or the record of a state, where `previous` was. */
export interface Write {
  readonly key: string;
  readonly previous: string | undefined;
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
  const { now, found, newId, newText, successor } = sight;
  const adopted = sight.adopted?.isOver === false ? sight.adopted : undefined;
  const live = found?.kind === "live" && !isOutlived(found, now) ? found : undefined;
  if (sight.isNewIdEnded || (live === undefined && !mayBegin(sight, changes))) {
    return { ...NO_PLAN, isDropped: hasChanges(changes) };
  }
  const present = live?.state;
  const before = present ?? adopted?.content ?? NOTHING;
  const { content, isDropped } = apply(changes.keepsRest ? before : NOTHING, changes);
  const subject = changes.signedIn ?? (changes.keepsRest ? adopted?.subject : undefined);
  const login = loginOf(sight, changes, subject, present?.login);
  const isKept = login !== undefined || content.data.size + content.flashes.length > 0;
  const hasEnded = !isKept || changes.hasNewId || changes.isDestroyed;
  const { adoption } = sight;
  const isOpen = adoption !== undefined && !isTaken(adoption.key, adoption.text, now);
  const keepsId = present !== undefined && !hasEnded;
  const begins = live === undefined || changes.isDestroyed || changes.signedIn !== undefined;
  const state: State = {
    id: keepsId ? present.id : newId,
    version: Math.max(now, (present?.version ?? 0) + 1),
    ...(begins ? beginTimes(now, rules) : renewed(live, now)),
    login,
    adopted: isOpen && !hasEnded ? adoption.key : undefined,
    ...content,
    unknown: begins ? {} : live.state.unknown,
  };
  const hasRecord = isKept && (keepsId || rules.dataIn === "store");
  const how = isKept && changes.hasNewId ? "moved" : "ended";
  const isDeleted = found !== undefined && (live !== undefined || changes.isDestroyed);
  return {
    writes: [
      ...(keepsId ? [] : adopt(sight, hasEnded)),
      ...endOthers(sight),
      ...(hasRecord ? [recordOf(state, keepsId ? live?.text : newText, now)] : []),
      ...(found !== undefined && !keepsId && isToMark(found, changes)
        ? [markOf(found, how, sight)]
        : []),
      ...(successor === undefined ? [] : [endSuccessor(successor, sight)]),
    ],
    cookie: isKept ? { state } : isDeleted ? "delete" : undefined,
    forget: adopted?.forget,
    isDropped,
  };
}

/** Whether so much time went by that an end of the session may be forgotten by now. */
export function isOutlived({ token, state, text }: Live, now: number): boolean {
  const seconds = now / 1000;
  const isForgotten = text === undefined && seconds > token.state.expiresAt + OVERLAP;
  return isForgotten || seconds >= state.endsAt;
}

/**
 * Whether a request whose session is not live begins a new one. If the session ended during the
 * request, the changes are lost with it. A request that may overlap the end must not send a cookie,
 * because it could replace a login's.
 */
function mayBegin(
  { found, wasLive, adopted, now }: Sight,
  { isDestroyed, signedIn }: Changes,
): boolean {
  if (isDestroyed || signedIn !== undefined) return true;
  if (found === undefined) return adopted?.isOver !== true;
  return !wasLive && !isRecent(found, now);
}

/** Whether another system's session was adopted too long ago to be adopted once more. */
export function isTaken(key: string, text: string | undefined, now: number): boolean {
  const at = readAdoption(key, text);
  return at !== undefined && now >= at + OVERLAP * 1000;
}

/**
 * The write that says that the other system's session is adopted: for the requests of the same page not
 * for the last time, unless the session that it became has ended or moved.
 */
function adopt({ adoption, now }: Sight, hasEnded: boolean): readonly Write[] {
  if (adoption === undefined) return [];
  const { key, text } = adoption;
  if (hasEnded ? isTaken(key, text, now) : text !== undefined) return [];
  return [{ key, previous: text, next: writeAdoption(key, hasEnded ? 0 : now), ttl: LONGEST }];
}

/** Whether a request with the ended cookie may overlap the request that ended it. */
export function isRecent(found: Found, now: number): boolean {
  return found.kind === "ended" && found.at !== undefined && now < found.at + OVERLAP * 1000;
}

/** Whether the id gets a mark. One that only its generation ended gets one from a logout or a login. */
function isToMark(found: Found, { isDestroyed, signedIn }: Changes): boolean {
  if (found.kind === "live") return true;
  return !found.hasMark && (isDestroyed || signedIn !== undefined);
}

/** Who is signed in after the request, with the generation that the subject then has. */
function loginOf(
  { now, signedIn, newId }: Sight,
  { endedOthersOf, isDestroyed }: Changes,
  subject: string | undefined,
  present: Login | undefined,
): Login | undefined {
  const kept = isDestroyed ? undefined : present;
  const login =
    subject === undefined || signedIn === undefined
      ? kept
      : {
          subject,
          key: signedIn.key,
          generation: signedIn.generation,
          authenticatedAt: Math.floor(now / 1000),
        };
  const isRenewed = login !== undefined && login.subject === endedOthersOf;
  return isRenewed ? { ...login, generation: newId } : login;
}

/** The write that replaces the subject's generation, where this request ends other sessions. */
function endOthers({ endedOthersOf: subject, newId, now }: Sight): readonly Write[] {
  if (subject === undefined) return [];
  const { key, text: previous } = subject;
  return [{ key, previous, next: writeGeneration(key, newId, now), ttl: LONGEST }];
}

function recordOf(state: State, previous: string | undefined, now: number): Write {
  return { key: state.id, previous, next: state, ttl: retention(state, now) };
}

function markOf(found: Found, how: "ended" | "moved", { now, newId }: Sight): Write {
  const { id } = found.token.state;
  const ttl = retention(renewed(found, now), now);
  return { key: id, previous: found.text, next: writeMark(id, how, now, newId), ttl };
}

function endSuccessor(successor: Pick<Write, "key" | "previous">, { now, newId }: Sight): Write {
  const next = writeMark(successor.key, "ended", now, newId);
  return { ...successor, next, ttl: LONGEST };
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
  if (found?.kind !== "live" || isOutlived(found, now) || !isDue(found, now)) {
    return NO_PLAN;
  }
  const state = { ...found.state, ...renewed(found, now) };
  const writes = rules.dataIn === "store" ? [recordOf(state, found.text, now)] : [];
  return { ...NO_PLAN, writes, cookie: { state } };
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
