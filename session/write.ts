import { COOKIE_LIMIT, deleteCookie, setCookie } from "./cookie/attributes.ts";
import {
  apply,
  type Changes,
  type Entries,
  FLASHES,
  hasKeys,
  keyOf,
  PERMANENT,
  shared,
  type Snapshot,
  snapshot,
  SUBJECT,
  subjectEntry,
  type VerifiedToken,
} from "./entries.ts";
import { type KeySize, SessionStoreError, SessionTooLargeError } from "./errors.ts";
import { chain, type MaybePromise } from "./maybe.ts";
import type { SessionEvent, Settings } from "./options.ts";
import { formatRecord, nextRecord, nextVersion, WINDOW } from "./record.ts";
import type { Records, View } from "./records.ts";
import { hasNewSubject, isFirst, NO_ENTRIES, type SessionState } from "./state.ts";
import { randomId, subjectKey, type Tokens } from "./token/token.ts";

/** What `commit` works with, the same for all sessions of one `createSessions`. */
export interface Committer {
  readonly settings: Omit<Settings<never>, "adopt">;
  readonly tokens: Tokens;
  readonly records: Records;
  /** The last commit under way of each session, by its id. */
  readonly turns: Map<string, Promise<unknown>>;
}

/** A commit under way. */
export interface Commit extends Committer {
  readonly state: SessionState;
  readonly changes: Changes;
  /** In milliseconds. */
  readonly now: number;
}

/** The commit of a session that came with a cookie. */
export interface LiveCommit extends Commit {
  readonly token: VerifiedToken;
  /** The version of the last write that the request saw. */
  readonly seen: number;
  readonly isModified: boolean;
}

/** A session that goes on, as its cookie and the store say. */
export type Live = Extract<View, { end: undefined }>;

/** There is no line to send. */
export const NONE = { line: undefined } as const;
/** Another request was faster: look again. */
export const CONFLICT = "conflict";

/** What one try to commit came to. */
export type Result = { readonly line: string | undefined } | typeof CONFLICT;

/** From here on the application is told that its cookie grows large. */
const NEAR_LIMIT = 3072;

/** Puts the changes on what is there now, and tells store and browser. */
export async function write(commit: LiveCommit, view: Live): Promise<Result> {
  const { state, changes, token } = commit;
  const before = view.present.entries;
  const owner = view.present.subject?.name;
  // Nothing that a parallel request left goes on in another subject's session.
  const isNewOwners = hasNewSubject(state) && owner !== undefined && owner !== state.subject;
  const own = state.isDestroyed || isNewOwners ? shared(state.base, before) : before;
  const applied = apply(own, changes, removedBefore(commit, view));
  const entries = await withSubject(commit, applied.entries);
  if (applied.isDropped) drop(commit, token.id);
  const hadKeys = hasKeys(before) || hasKeys(token.entries);
  const hasLogin = hasNewSubject(state) && state.subject !== undefined;
  const isLastKeyGone = hadKeys && !hasKeys(entries) && !hasLogin;
  if (state.isDestroyed || isLastKeyGone) {
    return end(commit, view, "over", isLastKeyGone ? only(entries, FLASHES) : entries);
  }
  if (state.isRegenerated) return end(commit, view, "moved", entries);
  if (isWorthKeeping(entries)) return update(commit, view, entries);
  // Flashes that were read, and nothing else.
  return end(commit, view, "over", NO_ENTRIES);
}

/**
 * Tells which names were removed since the request saw them. Not all that is no longer there was: a
 * value that the record alone showed goes with it.
 */
function removedBefore(commit: LiveCommit, view: Live): (name: string) => boolean {
  const isWhole = commit.settings.dataIn === "store" || isOutlived(commit);
  return isWhole
    ? (name) => !view.present.entries.has(name)
    : (name) => (view.record?.gone.get(name) ?? 0) > commit.seen;
}

/** Whether a browser without a session is to get one for these entries. */
function isWorthKeeping(entries: Entries): boolean {
  return hasKeys(entries) || entries.has(FLASHES) || entries.has(SUBJECT);
}

function only(entries: Entries, name: string): Entries {
  const text = entries.get(name);
  return text === undefined ? NO_ENTRIES : new Map([[name, text]]);
}

/** The entries with the subject that the request set, of the generation that is now. */
function withSubject(commit: Commit, entries: Entries): MaybePromise<Entries> {
  const { state } = commit;
  if (!hasNewSubject(state)) return entries;
  if (state.subject !== undefined) return ownedBy(state.subject, commit, entries);
  const next = new Map(entries);
  next.delete(SUBJECT);
  return next;
}

async function ownedBy(name: string, commit: Commit, entries: Entries): Promise<Entries> {
  const key = await subjectKey(name);
  const generation = await commit.records.generation(key, commit.state.patience);
  const since = Math.floor(commit.now / 1000);
  return new Map(entries).set(SUBJECT, subjectEntry({ name, key, generation, since }));
}

/** Begins a session with a new id, for a visitor or after an end. */
export function begin(commit: Commit, changes: Changes): MaybePromise<string | undefined> {
  const applied = withSubject(commit, apply(NO_ENTRIES, changes).entries);
  const startedAt = Math.floor(commit.now / 1000);
  return chain(applied, (entries) =>
    isWorthKeeping(entries) ? start(commit, entries, startedAt) : undefined,
  );
}

/** Signs a session with a new id; its data, where it lives in the store, is put there first. */
function start(commit: Commit, entries: Entries, startedAt: number): Promise<string> {
  const { state, settings, now } = commit;
  const id = (state.id ??= randomId());
  const next = renewed(commit, { id, startedAt, version: now }, entries);
  return settings.dataIn === "store" ? startInStore(commit, next) : sign(commit, next);
}

async function startInStore(commit: Commit, next: Snapshot): Promise<string> {
  const { state, records } = commit;
  const { id, entries, version } = next;
  const line = await sign(commit, next);
  const long = longOf(commit, next.endsAt);
  const record = nextRecord({
    previous: undefined,
    present: NO_ENTRIES,
    entries,
    removed: new Set(),
    version,
    isRaced: false,
    long,
    dataIn: "store",
  });
  const isPut = await records.replace(id, state.started, record, long, state.patience);
  if (!isPut) throw new SessionStoreError("it already has a session of a new id");
  state.started = formatRecord(id, record);
  return line;
}

/** Ends the id; what is to go on does so under a new one. */
async function end(
  commit: LiveCommit,
  view: Live,
  how: "over" | "moved",
  entries: Entries,
): Promise<Result> {
  const { state, records, token, settings, now } = commit;
  const { id, endsAt } = token;
  const startedAt = how === "moved" ? view.present.startedAt : Math.floor(now / 1000);
  if (state.id === id) state.id = undefined;
  const line = isWorthKeeping(entries)
    ? await start(commit, entries, startedAt)
    : deleteCookie(settings.cookie);
  const record = { version: nextVersion(settings.now(), token, view.record), end: how };
  const long = longOf(commit, endsAt);
  return (await records.replace(id, view.text, record, long, state.patience)) ? { line } : CONFLICT;
}

/** Writes to a session that goes on under its id. */
async function update(commit: LiveCommit, view: Live, entries: Entries): Promise<Result> {
  const { state, records, token, settings, now } = commit;
  const { present, record: previous } = view;
  const version = nextVersion(settings.now(), token, previous);
  const isSlow = settings.store !== null && now - state.openedAt > WINDOW * 1000;
  // A copy without the subject has to be told of it for long: endAll ends it with the others.
  const isRaced = isSlow || hasNewSubject(state) || (previous?.version ?? 0) > token.version;
  const next = renewed(commit, { id: token.id, startedAt: present.startedAt, version }, entries);
  const line = await sign(commit, next);
  const long = longOf(commit, Math.max(token.endsAt, next.endsAt));
  const { removed, takenFlashes } = commit.changes;
  const record = nextRecord({
    previous,
    present: present.entries,
    entries,
    // Taken flashes are a removal of their entry, which counts where none is left in it.
    removed: new Set(takenFlashes.length > 0 ? [...removed, FLASHES] : removed),
    version,
    isRaced,
    long,
    dataIn: settings.dataIn,
  });
  if (!(await records.replace(token.id, view.text, record, long, state.patience))) return CONFLICT;
  if (!token.isCurrentKey) report(commit, { type: "rotated", id: token.id });
  return isSlow ? NONE : { line };
}

/** The session as it is signed now, with its new end. */
function renewed(
  { settings, now }: Commit,
  times: Pick<Snapshot, "id" | "startedAt" | "version">,
  entries: Entries,
): Snapshot {
  const made = snapshot({ ...times, endsAt: 0 }, entries);
  return { ...made, endsAt: endOf(settings, now, made.startedAt) };
}

/** Ends the id for the cookies that are not over yet. False where another request came between. */
export function endOthers(
  commit: LiveCommit,
  view: Exclude<View, Live>,
  how: "over" | "moved",
): MaybePromise<boolean> {
  const { records, token, state, settings } = commit;
  const { record, text } = view;
  // Without a record it was endAll, which a request that sets another subject may not have seen.
  if (record === undefined ? settings.dataIn === "store" : "end" in record) return true;
  const { id, endsAt } = token;
  const version = nextVersion(settings.now(), token, record);
  const long = longOf(commit, endsAt);
  return records.replace(id, text, { version, end: how }, long, state.patience);
}

/**
 * Whether the handler took so long that its cookie expired, and the store may have forgotten since
 * what it knew of it: that its session was ended, or, in a record that goes on, what was removed.
 */
export function isOutlived({ token, now, settings }: LiveCommit): boolean {
  const isOver = now >= (token.endsAt + WINDOW) * 1000;
  return isOver && settings.dataIn === "cookie" && settings.store !== null;
}

/** When a session ends unless it is used, in seconds. */
export function endOf(settings: Committer["settings"], now: number, startedAt: number): number {
  const { idleTimeout, lifetime } = settings;
  return Math.min(Math.floor(now / 1000) + idleTimeout, startedAt + lifetime);
}

/** No cookie of the session outlives this many seconds, clocks and all. */
function longOf({ settings, now }: Commit, endsAt: number): number {
  return Math.ceil(Math.max(settings.idleTimeout, endsAt - now / 1000)) + 2 * WINDOW;
}

/** The `Set-Cookie` line of the session, which is checked for its size. */
async function sign(commit: Commit, next: Snapshot): Promise<string> {
  const { settings, tokens, state, now } = commit;
  const { cookie } = settings;
  const isPermanent = next.entries.has(PERMANENT);
  const token = await tokens.sign(
    settings.dataIn === "store" ? { ...next, entries: NO_ENTRIES, subject: undefined } : next,
  );
  const bytes = cookie.name.length + token.length;
  if (bytes > COOKIE_LIMIT) {
    report(commit, { type: "too-large", id: next.id, bytes });
    throw new SessionTooLargeError(bytes, COOKIE_LIMIT, sizesOf(next.entries));
  }
  const { origin } = state;
  const before = origin.kind === "live" ? cookie.name.length + origin.token.text.length : 0;
  if (bytes >= NEAR_LIMIT && before < NEAR_LIMIT)
    report(commit, { type: "near-limit", id: next.id, bytes });
  return setCookie(cookie, token, isPermanent ? next.endsAt - Math.floor(now / 1000) : undefined);
}

/** The bytes of each entry, the largest first. */
function sizesOf(entries: Entries): KeySize[] {
  const sizes = Array.from(entries, ([name, text]) => ({
    key: keyOf(name) ?? name.slice(1),
    bytes: new TextEncoder().encode(text).length,
  }));
  return sizes.toSorted((one, other) => other.bytes - one.bytes);
}

/** Tells that changes have no effect, of which the browser need not know. */
export function drop(commit: Commit, id: string): typeof NONE {
  report(commit, { type: "dropped", id });
  return NONE;
}

/** Tells of what happened, of each kind once: a commit may need several tries. */
function report({ state, settings }: Commit, event: SessionEvent): void {
  if (isFirst(state, event.type)) settings.onEvent(event);
}
