import { deleteCookie } from "./cookie/attributes.ts";
import { snapshot } from "./entries.ts";
import { SessionError, SessionStoreError } from "./errors.ts";
import { type MaybePromise, within } from "./maybe.ts";
import { WINDOW } from "./record.ts";
import { STORE_DEADLINE, type View } from "./records.ts";
import {
  changesOf,
  hasNewSubject,
  isModified,
  isUnused,
  NO_ENTRIES,
  type Origin,
  type SessionState,
} from "./state.ts";
import {
  begin,
  type Committer,
  CONFLICT,
  drop,
  endOf,
  endOthers,
  isOutlived,
  type Live,
  type LiveCommit,
  NONE,
  type Result,
  write,
} from "./write.ts";

type LiveOrigin = Extract<Origin, { kind: "live" }>;

/**
 * Puts down what a request changed, and gives its `Set-Cookie` line: undefined where there is
 * nothing to tell the browser. Rejects with `SessionStoreError`, `SessionTooLargeError` or
 * `SessionValueError`: then nothing was put down.
 */
export function commitState(
  committer: Committer,
  state: SessionState,
): MaybePromise<string | undefined> {
  const { origin, openedAt } = state;
  const isIdle = origin.kind !== "live" || !isDue(committer, origin, openedAt);
  if (isIdle && isUnused(state)) return undefined;
  const changes = changesOf(state);
  const modified = isModified(state, changes);
  if (isIdle && !modified) return undefined;
  const commit = { ...committer, state, changes, now: committer.settings.now() };
  if (origin.kind === "live") {
    const live = { ...commit, token: origin.token, seen: origin.version, isModified: modified };
    return modified ? inTurn(live) : settle(live); // A refresh gives way by itself.
  }
  if (origin.kind === "new" || state.isRegenerated) return begin(commit, changes);
  return drop(commit, origin.id).line;
}

/** Whether a cookie that nobody changed is to be signed again, as of when the request was opened. */
function isDue({ settings }: Committer, { token, present }: LiveOrigin, now: number): boolean {
  const { dataIn, idleTimeout } = settings;
  const isStale = dataIn === "cookie" && present !== token;
  if (isStale || !token.isCurrentKey) return true;
  const { startedAt, endsAt } = token;
  return endsAt - now / 1000 < idleTimeout / 2 && endOf(settings, now, startedAt) > endsAt;
}

/** Each waits for the one before: commits of one session that race in one process would starve. */
function inTurn(commit: LiveCommit): Promise<string | undefined> {
  const { turns, token } = commit;
  const { id } = token;
  const deadline = performance.now() + STORE_DEADLINE;
  const before = turns.get(id);
  const turn =
    before === undefined
      ? settle(commit, deadline)
      : within(before, STORE_DEADLINE, isBusy).then(() => settle(commit, deadline));
  const done: Promise<unknown> = turn
    .catch(() => {})
    .then(() => turns.get(id) === done && turns.delete(id));
  turns.set(id, done);
  return turn;
}

function isBusy(): SessionStoreError {
  return new SessionStoreError("other requests of the session kept changing it");
}

/** Looks and writes until no other request comes between, or the time is over. */
async function settle(
  commit: LiveCommit,
  deadline: number = performance.now() + STORE_DEADLINE,
): Promise<string | undefined> {
  const { patience } = commit.state;
  do {
    patience.left = Math.min(patience.left, deadline - performance.now());
    const result = await tryOnce(commit);
    if (result !== CONFLICT) return result.line;
    if (!commit.isModified) return undefined;
  } while (performance.now() < deadline);
  throw isBusy();
}

async function tryOnce(commit: LiveCommit): Promise<Result> {
  const { token, state, records } = commit;
  try {
    const view = await records.view(token, state.patience);
    if (view.end !== undefined) return await afterEnd(commit, view);
    if (isTakenOver(commit, view)) return drop(commit, token.id);
    if (!isOutlived(commit)) return await write(commit, view);
    return state.isDestroyed || state.isRegenerated
      ? await write(commit, { ...view, present: snapshot(view.present, NO_ENTRIES) })
      : await afterEnd(commit, { ...view, end: "over", since: 0 });
  } catch (error) {
    // A cookie that is only refreshed can be refreshed another time.
    if (!commit.isModified && error instanceof SessionError) return NONE;
    throw error;
  }
}

/**
 * Whether the session became another subject's meanwhile, whom the changes of this request's subject
 * are no business of. To end it, or to make it a third one's, is for all of them.
 */
function isTakenOver({ state, isModified: modified }: LiveCommit, { present }: Live): boolean {
  const owner = state.opened?.subject?.name;
  const isAnothers = owner !== undefined && present.subject?.name !== owner;
  return isAnothers && modified && !state.isDestroyed && !hasNewSubject(state);
}

/** The session was ended while the request ran, or a copy of its cookie came late. */
async function afterEnd(commit: LiveCommit, view: Exclude<View, Live>): Promise<Result> {
  const { state, changes, token, settings, now } = commit;
  const isOvertaken = view.end === "moved" && now < view.since + WINDOW * 1000;
  if (state.isRegenerated) {
    const kept = { ...changes, changedInside: NO_ENTRIES, removed: new Set<string>() };
    if (changes.changedInside.size > 0) drop(commit, token.id);
    const line = await begin(commit, kept);
    // A late answer to the old id must not take the new one's cookie away.
    const how = line === undefined ? "over" : "moved";
    return (await endOthers(commit, view, how)) ? { line } : CONFLICT;
  }
  if (!state.isDestroyed) return commit.isModified ? drop(commit, token.id) : NONE;
  if (isOvertaken) return drop(commit, token.id);
  const line = (await begin(commit, changes)) ?? deleteCookie(settings.cookie);
  return (await endOthers(commit, view, "over")) ? { line } : CONFLICT;
}
