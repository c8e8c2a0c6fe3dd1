import {
  adoptedSubject,
  type Changes,
  changesOf,
  type Draft,
  hasChanges,
  isUnused,
} from "./changes.ts";
import { COOKIE_LIMIT, deleteCookie, setCookie } from "./cookie/header.ts";
import {
  decide,
  decideRefresh,
  isDue,
  isOutlived,
  isRecent,
  isTaken,
  type Plan,
  type Sight,
  type Write,
} from "./decide.ts";
import { SessionError, SessionStoreError, SessionTooLargeError } from "./errors.ts";
import { type MaybePromise, within } from "./maybe.ts";
import type { Settings } from "./options.ts";
import {
  type Found,
  type Live,
  find,
  readGeneration,
  readMark,
  readVersion,
  writeRecord,
} from "./record.ts";
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

/** In bytes. A larger cookie is reported as `near-limit`. */
const NEAR_LIMIT = 3072;
/** How many ids a late logout follows. */
const SUCCESSORS = 8;
/** Another request was faster: look again. */
const CONFLICT: unique symbol = Symbol("conflict");
const NO_LINES: readonly string[] = [];

/**
 * Commits what a request changed, and gives its `Set-Cookie` lines: none where the browser has nothing
 * to learn. Rejects with `SessionStoreError`, `SessionTooLargeError` or `SessionValueError`;
 * then the same session can be committed again.
 */
export function commitDraft(committer: Committer, draft: Draft): MaybePromise<readonly string[]> {
  const { found, adopted } = draft;
  const isStale = found?.kind === "live" && isDue(found, committer.settings.now());
  if (!isStale && adopted === undefined && isUnused(draft)) return NO_LINES;
  const changes = changesOf(draft);
  if (!hasChanges(changes)) {
    if (adopted !== undefined) return adopt(committer, draft, changes);
    return isStale ? refresh(committer, draft, changes) : NO_LINES;
  }
  const commit = (): Promise<readonly string[]> => settle(committer, draft, changes);
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
    before === undefined ? commit() : within(before, settings.storeTimeout, isBusy).then(commit);
  const done: Promise<unknown> = turn
    .catch(() => {})
    .then(() => turns.get(id) === done && turns.delete(id));
  turns.set(id, done);
  return turn;
}

function isBusy(): SessionStoreError {
  return new SessionStoreError("other requests of the session kept changing it");
}

/** Looks, decides and acts until no other request comes between, or the time is over. */
async function settle(
  committer: Committer,
  draft: Draft,
  changes: Changes,
): Promise<readonly string[]> {
  const deadline = performance.now() + committer.settings.storeTimeout;
  do {
    const sight = await look(committer, draft, changes);
    const lines = await act(committer, draft, sight, decide(sight, changes, committer.settings));
    if (lines !== CONFLICT) return lines;
  } while (performance.now() < deadline);
  throw isBusy();
}

/** What was only read never fails: its cookie can be signed again another time. */
async function refresh(
  committer: Committer,
  draft: Draft,
  changes: Changes,
): Promise<readonly string[]> {
  try {
    const sight = await look(committer, draft, changes);
    const lines = await act(committer, draft, sight, decideRefresh(sight, committer.settings));
    return lines === CONFLICT ? NO_LINES : lines;
  } catch (error) {
    if (error instanceof SessionError) return NO_LINES;
    throw error;
  }
}

/** Another system's session that does not fit is no reason to fail a request that did not change it. */
async function adopt(
  committer: Committer,
  draft: Draft,
  changes: Changes,
): Promise<readonly string[]> {
  try {
    return await settle(committer, draft, changes);
  } catch (error) {
    if (error instanceof SessionTooLargeError) return NO_LINES;
    throw error;
  }
}

/** Looks at all that the decision depends on, in one call of the store. */
async function look(
  { settings, store }: Committer,
  draft: Draft,
  { signedIn = adoptedSubject(draft), endedOthersOf, isDestroyed }: Changes,
): Promise<Sight> {
  const now = Math.floor(settings.now());
  const newId = (draft.newId ??= randomId());
  const { id, login, adopted } = draft.found?.token.state ?? {};
  const keyOf = (subject: string): Promise<string> =>
    generationKey(settings.cookie.audience, subject);
  const signedInKey = signedIn === undefined ? undefined : await keyOf(signedIn);
  const othersKey = endedOthersOf === undefined ? undefined : await keyOf(endedOthersOf);
  const retriedId = draft.attempts.size > 0 ? newId : undefined;
  const adoptedKey = draft.adopted?.key ?? adopted;
  const keys = [id, login?.key, retriedId, signedInKey, othersKey, adoptedKey];
  const texts = await getAll(store, keys);
  const found = findAgain(draft, texts);
  if (found?.kind === "live" && isOutlived(found, now)) draft.latest = endedByTime(found);
  if (found?.kind === "ended") draft.latest = found;
  const newText = texts.get(newId);
  const wasLive = draft.found?.kind === "live";
  const mayFollow = isDestroyed && found?.kind === "ended" && (wasLive || isRecent(found, now));
  const subjectOf = (key: string): Sight["signedIn"] => {
    const text = texts.get(key);
    return { key, text, generation: readGeneration(key, text)?.generation };
  };
  return {
    now,
    found,
    wasLive,
    newId,
    newText,
    isNewIdEnded: newText !== undefined && !draft.attempts.has(newText),
    signedIn: signedInKey === undefined ? undefined : subjectOf(signedInKey),
    endedOthersOf: othersKey === undefined ? undefined : subjectOf(othersKey),
    adopted: draft.adopted && { ...draft.adopted, isOver: isOver(draft, signedInKey, texts, now) },
    adoption:
      adoptedKey === undefined ? undefined : { key: adoptedKey, text: texts.get(adoptedKey) },
    successor: mayFollow ? await follow(store, found.next) : undefined,
  };
}

/** Whether an earlier request took the other system's session for good, or ended its subject's. */
function isOver(
  { adopted, attempts, signedIn }: Draft,
  subjectKey: string | undefined,
  texts: ReadonlyMap<string, string | undefined>,
  now: number,
): boolean {
  const before = (key: string | undefined): string | undefined => {
    const text = texts.get(key ?? "");
    return text !== undefined && attempts.has(text) ? attempts.get(text) : text;
  };
  const key = adopted?.key;
  const hasGeneration = signedIn === undefined && before(subjectKey) !== undefined;
  return hasGeneration || (key !== undefined && isTaken(key, before(key), now));
}

async function getAll(
  store: Store,
  keys: readonly (string | undefined)[],
): Promise<ReadonlyMap<string, string | undefined>> {
  const names = [...new Set(keys)].filter((key) => key !== undefined);
  const values = names.length === 0 ? [] : await store.get(names);
  return new Map(names.map((name, index) => [name, values[index]]));
}

/** What the store says now, where what this commit itself tried to put counts as what was before. */
function findAgain(
  { latest: found, attempts }: Draft,
  texts: ReadonlyMap<string, string | undefined>,
): Found | undefined {
  if (found === undefined) return undefined;
  const { id, login } = found.token.state;
  const text = texts.get(id);
  if (found.kind === "ended") {
    const mark = text === undefined ? undefined : readMark(id, text);
    return mark === undefined ? { ...found, text } : { ...found, ...mark, hasMark: true, text };
  }
  const generation = login === undefined ? undefined : texts.get(login.key);
  const before = text !== undefined && attempts.has(text) ? attempts.get(text) : text;
  const isOwn = generation !== undefined && attempts.has(generation);
  const again = find(found.token, before, isOwn ? attempts.get(generation) : generation);
  if (again.kind === "ended" || text === before) return again;
  // Someone may have been given the version that the lost answer was about.
  const version = Math.max(again.state.version, text === undefined ? 0 : readVersion(id, text));
  return { ...again, text, state: { ...again.state, version } };
}

function endedByTime({ token, text }: Live): Found {
  return { kind: "ended", token, at: undefined, next: undefined, hasMark: false, text };
}

/** Where a session that moved is now, though it moved again. */
async function follow(store: Store, next: string | undefined): Promise<Sight["successor"]> {
  let key = next;
  for (let step = 0; key !== undefined && step < SUCCESSORS; step++) {
    const [previous] = await store.get([key]);
    const mark = previous === undefined ? undefined : readMark(key, previous);
    if (mark === undefined) return { key, previous };
    key = mark.next;
  }
  return undefined;
}

/** Signs first, since a cookie that is too large must change nothing; then writes, in order. */
async function act(
  committer: Committer,
  draft: Draft,
  { found, now }: Sight,
  { writes, cookie, forget, isDropped }: Plan,
): Promise<readonly string[] | typeof CONFLICT> {
  const { settings } = committer;
  const { onEvent } = settings;
  const signed = typeof cookie === "object" ? await sign(committer, cookie.state) : undefined;
  if (!(await putAll(committer, draft, writes, signed?.state))) return CONFLICT;
  const token = found?.token;
  const isTrimmed = typeof cookie === "object" && cookie.state !== signed?.state;
  if (isDropped || isTrimmed)
    onEvent({ type: "dropped", id: token?.state.id ?? draft.newId ?? "" });
  const isSame = forget?.audience === settings.cookie.audience && cookie !== undefined;
  const others = forget === undefined || isSame ? NO_LINES : [deleteCookie(forget)];
  if (signed === undefined) {
    return cookie === "delete" ? [deleteCookie(settings.cookie), ...others] : others;
  }
  const { state, bytes, text } = signed;
  if (token?.isCurrentKey === false) onEvent({ type: "rotated", id: token.state.id });
  const bytesBefore = settings.cookie.name.length + (token?.text.length ?? 0);
  if (bytes >= NEAR_LIMIT && bytesBefore < NEAR_LIMIT) {
    onEvent({ type: "near-limit", id: state.id, bytes });
  }
  const maxAge = state.permanent ? state.expiresAt - Math.floor(now / 1000) : undefined;
  return [setCookie(settings.cookie, text, maxAge), ...others];
}

/** Whether all writes took effect: it stops at the first that found something else. */
async function putAll(
  { settings, store }: Committer,
  draft: Draft,
  writes: readonly Write[],
  signed: State | undefined,
): Promise<boolean> {
  if (settings.store === null) return true;
  const { audience } = settings.cookie;
  // All texts come first, since a record that is too large must change nothing.
  const texts = writes.map(({ next, ...write }) => ({
    ...write,
    text: typeof next === "string" ? next : writeRecord(signed ?? next, audience),
  }));
  for (const { key, previous, text, ttl } of texts) {
    // The answer may be lost though the store took it.
    const { attempts } = draft;
    const isOwn = previous !== undefined && attempts.has(previous);
    draft.attempts = new Map(attempts).set(text, isOwn ? attempts.get(previous) : previous);
    if (!(await store.replace(key, previous, text, ttl))) return false;
  }
  return true;
}

/** Signs a state. Where the cookie would grow too large, the oldest flashes go first. */
async function sign(
  { settings, tokens }: Committer,
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
    if (fitting.flashes.length > 0) continue;
    onEvent({ type: "too-large", id: state.id, bytes });
    throw new SessionTooLargeError("cookie", bytes, COOKIE_LIMIT, state.data);
  }
}
