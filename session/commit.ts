import { findForeign } from "./adopt.ts";
import { type Changes, changesOf, type Draft, hasChanges, isUnused } from "./changes.ts";
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
import type { ListPlan } from "./list_plan.ts";
import { type MaybePromise, within } from "./maybe.ts";
import type { Settings } from "./options.ts";
import { find, findMark, type Found, isEnd, readGeneration, writeRecord } from "./record.ts";
import type { State } from "./state.ts";
import type { Store } from "./stores/store.ts";
import { writeClaims, writeData } from "./token/claims.ts";
import { tokenLength } from "./token/format.ts";
import { dataClaim, generationKey, listKey, randomId, type Tokens } from "./token/token.ts";

/** What the commits of one `createSessions` share. */
export interface Committer {
  readonly settings: Settings;
  readonly tokens: Tokens;
  readonly store: Store;
  /** The newest unfinished commit of each session, by its id, and of each list. */
  readonly turns: Map<string, Promise<unknown>>;
}

/** The token that a commit sends. */
interface Signed {
  readonly state: State;
  readonly text: string;
  /** What the cookie's name and value take. */
  readonly bytes: number;
}

/** In bytes. A larger cookie is reported as `near-limit`. */
const NEAR_LIMIT = 3072;
/** How many ids a late logout follows. */
const SUCCESSORS = 8;
const NO_COOKIES: readonly CommittedCookie[] = [];

/**
 * Commits what a request changed, and returns the cookies to send: none if the browser's are up to
 * date. Rejects with `SessionStoreError`, `SessionTooLargeError` or `SessionValueError`; then the same
 * session can be committed again.
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
    return isStale ? refresh(committer, draft) : NO_COOKIES;
  }
  return inTurn(committer, found?.kind === "live" ? found.state.id : undefined, () =>
    inTurn(committer, listTurnOf(draft), () => settle(committer, draft, changes)),
  );
}

/** The name under which commits that write one subject's list take turns; undefined without a list. */
function listTurnOf({ settings, calls, found }: Draft): string | undefined {
  const subject = calls.signedIn ?? found?.token.state.login?.subject;
  return settings.list && subject !== undefined ? `list of ${subject}` : undefined;
}

/**
 * Makes the commits of one session in one process take turns, and those that write one list, because
 * racing ones starve each other. Without a name there is no turn to wait for.
 */
function inTurn<T>(
  { turns, settings }: Committer,
  name: string | undefined,
  commit: () => Promise<T>,
): Promise<T> {
  if (name === undefined) return commit();
  const before = turns.get(name);
  const turn =
    before === undefined ? commit() : within(before, settings.storeTimeout, busyError).then(commit);
  const done: Promise<unknown> = turn
    .catch(() => {})
    .then(() => turns.get(name) === done && turns.delete(name));
  turns.set(name, done);
  return turn;
}

function busyError(): SessionStoreError {
  return new SessionStoreError("other requests kept changing the session, or its subject's list");
}

/** Tries until no other request comes between, or the time is over. */
async function settle(
  committer: Committer,
  draft: Draft,
  changes: Changes,
): Promise<readonly CommittedCookie[]> {
  const { settings } = committer;
  const deadline = performance.now() + settings.storeTimeout;
  // Others may know of an end that an earlier commit wrote before it failed, so it stays.
  const kept = Array.from(draft.attempts).filter(([text]) => !isEnd(text));
  draft.attempts = new Map(kept);
  try {
    do {
      const cookies = await attempt(committer, draft, (sight) => decide(sight, changes, settings));
      if (cookies !== undefined) return cookies;
    } while (performance.now() < deadline);
  } catch (error) {
    // Another system's session that is too large must not fail a request that did not change it.
    if (error instanceof SessionTooLargeError && !hasChanges(changes)) return NO_COOKIES;
    throw error;
  }
  throw busyError();
}

/** A request that only read never fails: its cookie can be signed again another time. */
async function refresh(committer: Committer, draft: Draft): Promise<readonly CommittedCookie[]> {
  const { settings } = committer;
  try {
    return await inTurn(committer, listTurnOf(draft), () => tryRefresh(committer, draft));
  } catch (error) {
    if (!(error instanceof SessionError)) throw error;
    if (error instanceof SessionStoreError) settings.onEvent({ type: "unavailable", error });
    return NO_COOKIES;
  }
}

/** Looks, decides, signs and writes. Undefined if another request came between. */
async function attempt(
  committer: Committer,
  draft: Draft,
  planFor: (sight: Sight) => Plan,
): Promise<readonly CommittedCookie[] | undefined> {
  const looked = await look(committer, draft);
  const { plan, sight } = await addListWrites(committer, draft, planFor(looked), looked);
  // A cookie that is too large must change nothing, so it is signed before anything is written.
  const state = typeof plan.cookie === "object" ? plan.cookie : undefined;
  const signed = state && (await sign(committer, draft, state));
  if (!(await putAll(committer, draft, sight, plan.writes, signed?.state))) return undefined;
  report(committer, sight, plan, signed);
  return cookiesOf(committer, sight, plan, signed);
}

/** Gives way to another request, but not to one that only wrote the same list. */
async function tryRefresh(committer: Committer, draft: Draft): Promise<readonly CommittedCookie[]> {
  const { settings } = committer;
  const deadline = performance.now() + settings.storeTimeout;
  let cookies: readonly CommittedCookie[] | undefined;
  do {
    cookies = await attempt(committer, draft, (sight) => decideRefresh(sight, settings));
  } while (cookies === undefined && settings.list && performance.now() < deadline);
  if (cookies === undefined && settings.list) throw busyError();
  return cookies ?? NO_COOKIES;
}

/** With the option `list`, adds the writes into the lists to the plan. */
async function addListWrites(
  { settings, store }: Committer,
  { calls }: Draft,
  plan: Plan,
  sight: Sight,
): Promise<ListPlan> {
  if (!settings.list) return { plan, sight };
  const { withList } = await import("./list_plan.ts");
  return withList(plan, sight, calls, store);
}

/** Looks at everything that the decision depends on, usually in one call of the store. */
async function look({ settings, store, tokens }: Committer, draft: Draft): Promise<Sight> {
  const now = Math.floor(settings.now());
  const newId = (draft.newId ??= randomId());
  const { signedIn: subject, endedOthersOf, isDestroyed } = draft.calls;
  const keyOf = (name: string): Promise<string> => generationKey(settings.cookie.audience, name);
  const key = subject === undefined ? undefined : await keyOf(subject);
  const othersKey = endedOthersOf === undefined ? undefined : await keyOf(endedOthersOf);
  const { id, login } = draft.found?.token.state ?? {};
  const retriedId = draft.attempts.size > 0 ? newId : undefined;
  const lists = settings.list ? [login?.key, key].map((key) => key && listKey(key)) : [];
  const texts = await getAll(store, [id, login?.key, retriedId, key, othersKey, ...lists]);
  const found = await findAgain({ store, tokens }, draft, texts, now);
  const newText = texts.get(newId);
  const wasLive = draft.found?.kind === "live";
  const mayFollow = isDestroyed && found?.kind === "ended" && (wasLive || isRecent(found, now));
  return {
    now,
    texts,
    found,
    wasLive,
    foreign: draft.foreign,
    newId,
    newGeneration: randomId(),
    isNewIdEnded: newText !== undefined && !draft.attempts.has(newText),
    triedVersion: draft.triedVersion,
    newLogin:
      subject === undefined || key === undefined
        ? undefined
        : { subject, key, generation: readGeneration(key, texts.get(key)) },
    othersKey,
    successor: mayFollow ? await follow(store, found.next, texts) : undefined,
  };
}

async function getAll(
  store: Store,
  keys: readonly (string | undefined)[],
): Promise<Map<string, string | undefined>> {
  const names = [...new Set(keys)].filter((key) => key !== undefined);
  const values = names.length === 0 ? [] : await store.get(names);
  return new Map(names.map((name, index) => [name, values[index]]));
}

/** What the store says of the session now, apart from what this commit itself has written. */
async function findAgain(
  { store, tokens }: Pick<Committer, "store" | "tokens">,
  draft: Draft,
  texts: Sight["texts"],
  now: number,
): Promise<Found | undefined> {
  const { found, foreign } = draft;
  if (found === undefined) return undefined;
  const { token } = found;
  const { id, login } = token.state;
  const before = (key: string): string | undefined => original(draft, texts.get(key));
  if (found.kind === "ended") {
    // It stays ended, whatever the store says now: the handler saw an empty session.
    const mark = findMark(id, before(id));
    const { at, next } = mark ?? found;
    return { ...found, at, next, hasMark: mark !== undefined };
  }
  const both = [before(id), login && before(login.key)] as const;
  const again =
    foreign === undefined
      ? await find(token, ...both, tokens.reveal)
      : await findForeign(token, ...both, store, now);
  if (again.kind === "ended" || !isOutlived(again, now)) return again;
  return { kind: "ended", token, at: undefined, next: undefined, hasMark: false };
}

/** A text of the store; for one that an earlier try of this commit wrote, the text that it replaced. */
function original({ attempts }: Draft, text: string | undefined): string | undefined {
  return text !== undefined && attempts.has(text) ? attempts.get(text) : text;
}

/** The id that a session has now, however often it moved. Adds what it looks at to `texts`. */
async function follow(
  store: Store,
  next: string | undefined,
  texts: Map<string, string | undefined>,
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

/** Whether all writes took effect. Stops at the first that another request came before. */
async function putAll(
  committer: Committer,
  draft: Draft,
  looked: Sight,
  writes: readonly Write[],
  signed: State | undefined,
): Promise<boolean> {
  const { settings, store } = committer;
  if (settings.store === null) return true;
  // A record that is too large must change nothing, so all texts are made before the first write.
  const texts: (Omit<Write, "next"> & { readonly text: string })[] = [];
  for (const { key, next, ttl } of writes) {
    const isText = typeof next === "string";
    const text = isText ? next : await recordText(committer, signed ?? next);
    texts.push({ key, text, ttl });
  }
  const present = new Map(looked.texts);
  for (const { key, text, ttl } of texts) {
    const previous = present.get(key);
    // Noted first, because the answer may be lost after the store took the text.
    draft.attempts = new Map(draft.attempts).set(text, original(draft, previous));
    if (signed !== undefined) draft.triedVersion = signed.version;
    if (!(await store.replace(key, previous, text, ttl))) return false;
    present.set(key, text);
  }
  return true;
}

/** A state's record, encrypted where tokens are. */
async function recordText({ settings, tokens }: Committer, state: State): Promise<string> {
  const claims = writeClaims(state, settings.cookie.audience, writeData(state.data));
  return writeRecord(state, await tokens.hide(claims));
}

/**
 * Signs a state. If the cookie is too large, the oldest flashes are dropped, but not the last one of
 * this request: without it nothing may be left.
 */
async function sign(
  { settings, tokens }: Committer,
  { addedFlashes }: Draft,
  state: State,
): Promise<Signed> {
  const { cookie, dataIn, onEvent } = settings;
  const hasData = dataIn === "cookie";
  const data = hasData ? await dataClaim(state.data, settings.format) : undefined;
  for (let fitting = state; ; fitting = { ...fitting, flashes: fitting.flashes.slice(1) }) {
    const claims = writeClaims(fitting, cookie.audience, data);
    const bytes = cookie.name.length + tokenLength(claims, settings.format);
    if (bytes <= COOKIE_LIMIT) {
      return { state: fitting, text: await tokens.sign(claims, fitting, hasData), bytes };
    }
    const [oldest, next] = fitting.flashes;
    if (oldest !== undefined && (next !== undefined || !addedFlashes.includes(oldest))) continue;
    onEvent({ type: "too-large", id: state.id, bytes });
    throw new SessionTooLargeError("cookie", bytes, COOKIE_LIMIT, state.data);
  }
}

/** Reports a commit that took effect. */
function report(
  { settings: { cookie, onEvent } }: Committer,
  { found, foreign, newId }: Sight,
  plan: Plan,
  signed: Signed | undefined,
): void {
  const token = foreign === undefined ? found?.token : undefined;
  const isShortened = signed !== undefined && signed.state !== plan.cookie;
  if (plan.isDropped || isShortened) onEvent({ type: "dropped", id: token?.state.id ?? newId });
  if (signed === undefined) return;
  if (token?.isCurrentKey === false) onEvent({ type: "rotated", id: token.state.id });
  const bytesBefore = cookie.name.length + (token?.text.length ?? 0);
  if (signed.bytes < NEAR_LIMIT || bytesBefore >= NEAR_LIMIT) return;
  onEvent({ type: "near-limit", id: signed.state.id, bytes: signed.bytes });
}

/** Our cookie, and the deletion of another system's unless ours takes its place. */
function cookiesOf(
  { settings: { cookie } }: Committer,
  { now, found, foreign }: Sight,
  plan: Plan,
  signed: Signed | undefined,
): readonly CommittedCookie[] {
  const cookies: CommittedCookie[] = [];
  if (signed !== undefined) {
    const { permanent, expiresAt } = signed.state;
    const maxAge = permanent ? expiresAt - Math.floor(now / 1000) : undefined;
    cookies.push(setCookie(cookie, signed.text, maxAge));
  } else if (plan.cookie === "delete") {
    cookies.push(deleteCookie(cookie));
  }
  const forget = found?.kind === "live" ? foreign?.forget : undefined;
  const isReplaced = plan.cookie !== undefined && forget?.audience === cookie.audience;
  if (forget !== undefined && !isReplaced) cookies.push(deleteCookie(forget));
  return cookies;
}
