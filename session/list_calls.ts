import { SessionStoreError } from "./errors.ts";
import { type Listed, readList } from "./list.ts";
import { listOf, markTtl } from "./list_plan.ts";
import type { Settings } from "./options.ts";
import { findMark, readGeneration, writeMark } from "./record.ts";
import { refOf } from "./state.ts";
import type { Store } from "./stores/store.ts";
import { generationKey, listKey, randomId } from "./token/token.ts";

/** A session of a subject, as `list` gives it. */
export interface SessionInfo {
  /** The first 12 characters of its id, as `session.ref` gives them: what `end` takes. */
  readonly ref: string;
  /** The label given to `signIn`. Escape it in a page, like any text. */
  readonly label?: string;
  /** When the subject signed in. */
  readonly startedAt: Date;
  /** When its newest cookie was signed. It was last used then, or up to half of `idleTimeout` later. */
  readonly seenAt: Date;
  /** When it ends unless it is used. */
  readonly expiresAt: Date;
}

/** What the calls below work with. */
export interface Place {
  readonly settings: Settings;
  readonly store: Store;
}

/** The live sessions of a subject, newest first. Rejects with `SessionStoreError`. */
export async function listSessions(place: Place, subject: string): Promise<SessionInfo[]> {
  const { settings, store } = place;
  const key = await generationKey(settings.cookie.audience, subject);
  const name = listKey(key);
  const inTime = createDeadline(place);
  let [text] = await store.get([name]);
  do {
    const sessions = readList(name, text);
    const keys = [key, ...sessions.map(({ id }) => id)];
    // The list comes last: a session that had moved by then is in it under its new id.
    const [generation, ...texts] = await store.get([...keys, name]);
    const isSame = texts.at(-1) === text;
    if (isSame) {
      const now = settings.now();
      return sessions
        .filter((session, index) => isLive(session, texts[index], key, generation, now))
        .toReversed()
        .toSorted((one, other) => other.startedAt - one.startedAt)
        .map(infoOf);
    }
    text = texts.at(-1);
  } while (inTime());
  throw busyError();
}

/** Ends a subject's session. False if there is no such session of this subject. */
export async function endSession(place: Place, subject: string, ref: string): Promise<boolean> {
  const { settings, store } = place;
  const key = await generationKey(settings.cookie.audience, subject);
  const name = listKey(key);
  const now = Math.floor(settings.now());
  const random = randomId();
  const inTime = createDeadline(place);
  do {
    const [list] = await store.get([name]);
    const session = readList(name, list).find(({ id }) => refOf(id) === ref);
    if (session === undefined) return false;
    const { id, endsAt } = session;
    const [text, generation] = await store.get([id, key]);
    const mark = writeMark(id, "ended", now, random);
    // This call's own mark is there if the answer to an earlier try was lost.
    if (text !== mark) {
      if (!isLive(session, text, key, generation, now)) return false;
      if (!(await store.replace(id, text, mark, markTtl(endsAt, now)))) continue;
    }
    await changeList(place, name, (sessions) => sessions.filter((session) => session.id !== id));
    return true;
  } while (inTime());
  throw busyError();
}

/**
 * Removes from the list the sessions of generations that `endAll` replaced. Those of any other stay:
 * it may be a newer one, even one that is not in the store yet.
 */
export async function clearList(
  place: Place,
  key: string,
  replaced: readonly (string | undefined)[],
): Promise<void> {
  const ended = new Set(replaced.map((text) => readGeneration(key, text)));
  await changeList(place, listKey(key), (sessions) =>
    sessions.filter(({ generation }) => !ended.has(generation)),
  );
}

async function changeList(
  place: Place,
  name: string,
  change: (sessions: readonly Listed[]) => readonly Listed[],
): Promise<void> {
  const { settings, store } = place;
  const inTime = createDeadline(place);
  do {
    const [text] = await store.get([name]);
    const sessions = readList(name, text);
    const changed = change(sessions);
    if (changed.length === sessions.length) return;
    const { next, ttl } = listOf(name, changed, Math.floor(settings.now()));
    if (await store.replace(name, text, next, ttl)) return;
  } while (inTime());
  throw busyError();
}

/** Whether a listed session is live, by what the store has under its id and its subject's key. */
function isLive(
  { id, expiresAt, generation }: Listed,
  text: string | undefined,
  key: string,
  generationText: string | undefined,
  now: number,
): boolean {
  const present = readGeneration(key, generationText);
  const isOfPresent = present === undefined || present === generation;
  return findMark(id, text) === undefined && isOfPresent && now / 1000 < expiresAt;
}

function infoOf({ id, label, startedAt, seenAt, expiresAt }: Listed): SessionInfo {
  return {
    ref: refOf(id),
    ...(label === undefined ? {} : { label }),
    startedAt: new Date(startedAt * 1000),
    seenAt: new Date(seenAt * 1000),
    expiresAt: new Date(expiresAt * 1000),
  };
}

/** Returns a function that says whether there is time for another try. */
function createDeadline({ settings }: Place): () => boolean {
  const deadline = performance.now() + settings.storeTimeout;
  return () => performance.now() < deadline;
}

function busyError(): SessionStoreError {
  return new SessionStoreError("other requests kept changing the subject's sessions");
}
