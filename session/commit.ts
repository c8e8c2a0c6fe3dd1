import { findForeign } from "./adopt.ts";
import {
  type Calls,
  type Changes,
  changesOf,
  type Draft,
  hasChanges,
  isUnused,
} from "./changes.ts";
import { type CommittedCookie, COOKIE_LIMIT, deleteCookie, setCookie } from "./cookie/header.ts";
import {
  decide,
  decideRefresh,
  isDue,
  isOutlived,
  isRecent,
  type Plan,
  type Sight,
  type Write,
} from "./decide.ts";
import { SessionError, SessionStoreError, SessionTooLargeError } from "./errors.ts";
import { type MaybePromise, within } from "./maybe.ts";
import type { Settings } from "./options.ts";
import { find, findMark, type Found, readGeneration, writeRecord } from "./record.ts";
import type { State } from "./state.ts";
import type { Store } from "./stores/store.ts";
import { shortenData, writeClaims, writeData } from "./token/claims.ts";
import { generationKey, randomId, tokenLength, type Tokens } from "./token/token.ts";

/** What `commit` works with, the same for all sessions of one `createSessions`. */
export interface Committer {
  readonly settings: Settings;
  readonly tokens: Tokens;
  readonly store: Store;
  /** The last commit under way of each session, by its id. */
  readonly turns: Map<string, Promise<unknown>>;
}

/** What the store has, by key. */
type Texts = Map<string, string | undefined>;

/** In bytes. A larger cookie is reported as `near-limit`. */
const NEAR_LIMIT = 3072;
/** How many ids a late logout follows. */
const SUCCESSORS = 8;
const NO_COOKIES: readonly CommittedCookie[] = [];

/**
 * Commits what a request changed, and gives the cookies to send: none where the browser has nothing
 * to learn. Rejects with `SessionStoreError`, `SessionTooLargeError` or `SessionValueError`;
 * then the same session can be committed again.
 */
export function commitDraft(
  committer: Committer,
  draft: Draft,
): MaybePromise<readonly CommittedCookie[]> {
  const { found, foreign } = draft;
  const isStale = found?.kind === "live" && isDue(found, committer.settings.now());
  if (!isStale && foreign === undefined && isUnused(draft)) return NO_COOKIES;
  const changes = changesOf(draft);
  if (!hasChanges(changes) && foreign === undefined) {
    return isStale ? refresh(committer, draft, changes) : NO_COOKIES;
  }
  const commit = (): Promise<readonly CommittedCookie[]> => settle(committer, draft, changes);
  return found?.kind === "live" ? inTurn(committer, found.state.id, commit) : commit();
}

/** Commits of one session in one process take turns: those that race would starve each other. */
function inTurn<T>(
  { turns, settings }: Committer,
  id: string,
  commit: () => Promise<T>,
): Promise<T> {
  const before = turns.get(id);
  const turn =
    before === undefined ? commit() : within(before, settings.storeTimeout, busyError).then(commit);
  const done: Promise<unknown> = turn
    .catch(() => {})
    .then(() => turns.get(id) === done && turns.delete(id));
  turns.set(id, done);
  return turn;
}

function busyError(): SessionStoreError {
  return new SessionStoreError("other requests of the session kept changing it");
}

/** Looks, decides and acts until no other request comes between, or the time is over. */
async function settle(
  committer: Committer,
  draft: Draft,
  changes: Changes,
): Promise<readonly CommittedCookie[]> {
  const deadline = performance.now() + committer.settings.storeTimeout;
  try {
    do {
      const { sight, texts } = await look(committer, draft, changes.calls);
      const plan = decide(sight, changes, committer.settings);
      const cookies = await act(committer, draft, sight, plan, texts);
      if (cookies !== undefined) return cookies;
    } while (performance.now() < deadline);
  } catch (error) {
    // Another system's session that does not fit fails no request that did not change it.
    if (error instanceof SessionTooLargeError && !hasChanges(changes)) return NO_COOKIES;
    throw error;
  }
  throw busyError();
}

/** What was only read never fails: its cookie can be signed again another time. */
async function refresh(
  committer: Committer,
  draft: Draft,
  changes: Changes,
): Promise<readonly CommittedCookie[]> {
  try {
    const { sight, texts } = await look(committer, draft, changes.calls);
    const plan = decideRefresh(sight, committer.settings);
    return (await act(committer, draft, sight, plan, texts)) ?? NO_COOKIES;
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    if (error instanceof SessionStoreError) {
      committer.settings.onEvent({ type: "unavailable", error });
    }
    return NO_COOKIES;
  }
}

/** Looks at all that the decision depends on, as a rule in one call of the store. */
async function look(
  { settings, store }: Committer,
  draft: Draft,
  { signedIn: subject, endedOthersOf, isDestroyed }: Calls,
): Promise<{ readonly sight: Sight; readonly texts: Texts }> {
  const now = Math.floor(settings.now());
  const newId = (draft.newId ??= randomId());
  const { audience } = settings.cookie;
  const keyOf = async (subject: string): Promise<string> => generationKey(audience, subject);
  const key = subject === undefined ? undefined : await keyOf(subject);
  const othersKey = endedOthersOf === undefined ? undefined : await keyOf(endedOthersOf);
  const { id, login } = draft.found?.token.state ?? {};
  const retriedId = draft.attempts.size > 0 ? newId : undefined;
  const texts = await getAll(store, [id, login?.key, retriedId, key, othersKey]);
  const found = await findAgain(draft, store, texts, now);
  const newText = texts.get(newId);
  const wasLive = draft.found?.kind === "live";
  const mayFollow = isDestroyed && found?.kind === "ended" && (wasLive || isRecent(found, now));
  const sight: Sight = {
    now,
    found,
    wasLive,
    foreign: draft.foreign,
    newId,
    isNewIdEnded: newText !== undefined && !draft.attempts.has(newText),
    triedVersion: draft.triedVersion,
    signedIn:
      subject === undefined || key === undefined
        ? undefined
        : { subject, key, generation: readGeneration(key, texts.get(key)) },
    endedOthersOf: othersKey,
    successor: mayFollow ? await follow(store, found.next, texts) : undefined,
  };
  return { sight, texts };
}

async function getAll(store: Store, keys: readonly (string | undefined)[]): Promise<Texts> {
  const names = [...new Set(keys)].filter((key) => key !== undefined);
  const values = names.length === 0 ? [] : await store.get(names);
  return new Map(names.map((name, index) => [name, values[index]]));
}

/** What the store says now, where what this commit itself tried to put counts as what was before. */
async function findAgain(
  { found, foreign, attempts }: Draft,
  store: Store,
  texts: Texts,
  now: number,
): Promise<Found | undefined> {
  if (found === undefined) return undefined;
  const { token } = found;
  const { id, login } = token.state;
  const before = (key: string): string | undefined => {
    const text = texts.get(key);
    return text !== undefined && attempts.has(text) ? attempts.get(text) : text;
  };
  if (found.kind === "ended") {
    // It stays ended, whatever the store says now: another request may take its own end back.
    const mark = findMark(id, before(id));
    const { at, next } = mark ?? found;
    return { ...found, at, next, hasMark: mark !== undefined };
  }
  const both = [before(id), login && before(login.key)] as const;
  const again =
    foreign === undefined ? find(token, ...both) : await findForeign(token, ...both, store, now);
  if (again.kind === "ended" || !isOutlived(again, now)) return again;
  return { kind: "ended", token, at: undefined, next: undefined, hasMark: false };
}

/** The id where a session that moved is now, though it moved again. Adds what was looked at. */
async function follow(
  store: Store,
  next: string | undefined,
  texts: Texts,
): Promise<string | undefined> {
  let key = next;
  for (let step = 0; key !== undefined && step < SUCCESSORS; step++) {
    const [text] = await store.get([key]);
    texts.set(key, text);
    const mark = findMark(key, text);
    if (mark === undefined) return key;
    key = mark.next;
  }
  return undefined;
}

/**
 * Signs first, since a cookie that is too large must change nothing; then writes, in order. Undefined
 * where another request was faster.
 */
async function act(
  committer: Committer,
  draft: Draft,
  { found, now }: Sight,
  { writes, cookie, isDropped }: Plan,
  texts: Texts,
): Promise<readonly CommittedCookie[] | undefined> {
  const { settings } = committer;
  const { onEvent } = settings;
  const state = typeof cookie === "object" ? cookie.state : undefined;
  const signed = state && (await sign(committer, draft, state));
  if (!(await putAll(committer, draft, writes, texts, signed?.state))) return undefined;
  const token = draft.foreign === undefined ? found?.token : undefined;
  if (isDropped || signed?.state !== state) {
    onEvent({ type: "dropped", id: token?.state.id ?? draft.newId ?? "" });
  }
  const others = found?.kind === "live" ? forgotten(committer, draft, cookie !== undefined) : [];
  if (signed === undefined) {
    return cookie === "delete" ? [deleteCookie(settings.cookie), ...others] : others;
  }
  const { bytes, text } = signed;
  if (token?.isCurrentKey === false) onEvent({ type: "rotated", id: token.state.id });
  const bytesBefore = settings.cookie.name.length + (token?.text.length ?? 0);
  if (bytes >= NEAR_LIMIT && bytesBefore < NEAR_LIMIT) {
    onEvent({ type: "near-limit", id: signed.state.id, bytes });
  }
  const { permanent, expiresAt } = signed.state;
  const maxAge = permanent ? expiresAt - Math.floor(now / 1000) : undefined;
  return [setCookie(settings.cookie, text, maxAge), ...others];
}

/** Deletes the other system's cookie, unless ours takes its place. */
function forgotten(
  { settings: { cookie } }: Committer,
  { foreign }: Draft,
  hasOurs: boolean,
): readonly CommittedCookie[] {
  if (foreign?.forget === undefined) return NO_COOKIES;
  const isSame = foreign.forget.audience === cookie.audience && hasOurs;
  return isSame ? NO_COOKIES : [deleteCookie(foreign.forget)];
}

/** Whether all writes took effect: it stops at the first that found something else. */
async function putAll(
  { settings, store }: Committer,
  draft: Draft,
  writes: readonly Write[],
  looked: Texts,
  signed: State | undefined,
): Promise<boolean> {
  if (settings.store === null) return true;
  const { audience } = settings.cookie;
  // All texts come first, since a record that is too large must change nothing.
  const texts = writes.map(({ key, next, ttl }) => {
    const text = typeof next === "string" ? next : writeRecord(signed ?? next, audience);
    return { key, text, ttl };
  });
  for (const { key, text, ttl } of texts) {
    const previous = looked.get(key);
    // The answer may be lost though the store took it.
    const { attempts } = draft;
    const isOwn = previous !== undefined && attempts.has(previous);
    draft.attempts = new Map(attempts).set(text, isOwn ? attempts.get(previous) : previous);
    if (signed !== undefined) draft.triedVersion = signed.version;
    if (!(await store.replace(key, previous, text, ttl))) return false;
  }
  return true;
}

/**
 * Signs a state. Where the cookie would grow too large, the oldest flashes go first, but not the last
 * one of this request: without it nothing may be left.
 */
async function sign(
  { settings, tokens }: Committer,
  { addedFlashes }: Draft,
  state: State,
): Promise<{ readonly state: State; readonly text: string; readonly bytes: number }> {
  const { cookie, dataIn, onEvent } = settings;
  const hasData = dataIn === "cookie";
  const data = hasData ? await shortenData(writeData(state.data)) : undefined;
  for (let fitting = state; ; fitting = { ...fitting, flashes: fitting.flashes.slice(1) }) {
    const claims = writeClaims(fitting, cookie.audience, data);
    const bytes = cookie.name.length + tokenLength(claims);
    if (bytes <= COOKIE_LIMIT) {
      return { state: fitting, text: await tokens.sign(claims, fitting, hasData), bytes };
    }
    const [oldest, next] = fitting.flashes;
    if (oldest !== undefined && (next !== undefined || !addedFlashes.includes(oldest))) continue;
    onEvent({ type: "too-large", id: state.id, bytes });
    throw new SessionTooLargeError("cookie", bytes, COOKIE_LIMIT, state.data);
  }
}
