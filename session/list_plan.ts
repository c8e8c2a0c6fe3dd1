import type { Calls } from "./changes.ts";
import { MARGIN, type Plan, RETENTION, type Sight, ttlOf, type Write } from "./decide.ts";
import { excessOf, lastEnd, type Listed, put, readList, writeList } from "./list.ts";
import { findMark, writeMark } from "./record.ts";
import type { State } from "./state.ts";
import type { Store } from "./stores/store.ts";
import { listKey } from "./token/token.ts";

/** A plan with its writes into the list, and the sight with the texts that they replace. */
export interface ListPlan {
  readonly plan: Plan;
  readonly sight: Sight;
}

/**
 * Adds a plan's writes into the list of the subject's sessions, or into two subjects' lists. A session
 * enters the list before its token exists, and leaves it after it has ended. So a crash between two
 * writes hides no live session.
 */
export async function withList(
  plan: Plan,
  sight: Sight,
  calls: Calls,
  store: Store,
): Promise<ListPlan> {
  const signed = typeof plan.cookie === "object" ? plan.cookie : undefined;
  const logins = [signed?.login ?? sight.newLogin, sight.found?.token.state.login];
  const keys = new Set(logins.flatMap((login) => (login === undefined ? [] : [login.key])));
  const texts = new Map(sight.texts);
  const first: Write[] = [];
  const last: Write[] = [];
  for (const key of keys) {
    const name = listKey(key);
    const before = unexpired(readList(name, texts.get(name)), sight.now);
    const own = signed?.login?.key === key ? signed : undefined;
    const withOwn = own === undefined ? before : put(before, listedOf(own, before, sight, calls));
    const kept = withOwn.filter((session) => !isOver(session.id, key, plan, sight, calls));
    const excess = excessOf(kept, own?.id);
    // They must end before they leave the list.
    first.push(...(await marksOf(excess, sight, store, texts)));
    const during = withOwn.filter((session) => !excess.includes(session));
    const after = kept.filter((session) => !excess.includes(session));
    if (own !== undefined) first.push(listOf(name, during, sight.now));
    if (after.length < during.length) last.push(listOf(name, after, sight.now));
  }
  const writes = [...first, ...plan.writes, ...last];
  return { plan: { ...plan, writes }, sight: { ...sight, texts } };
}

/** The sessions that may be live by any instance's clock. */
function unexpired(sessions: readonly Listed[], now: number): readonly Listed[] {
  return sessions.filter(({ expiresAt }) => now / 1000 < expiresAt + MARGIN);
}

/** The session of the token to be signed. A new id keeps the start and the label of the old one. */
function listedOf(
  { id, issuedAt, expiresAt, endsAt, login }: State,
  sessions: readonly Listed[],
  { found }: Sight,
  { signedIn, label }: Calls,
): Listed {
  const old = signedIn === undefined ? found?.token.state.id : undefined;
  const known =
    sessions.find((session) => session.id === id) ?? sessions.find((session) => session.id === old);
  return {
    id,
    // A session from before the option was set: this is the best guess.
    startedAt: known?.startedAt ?? login?.authenticatedAt ?? issuedAt,
    seenAt: Math.max(issuedAt, known?.seenAt ?? 0),
    expiresAt: Math.max(expiresAt, known?.expiresAt ?? 0),
    endsAt,
    generation: login?.generation,
    label: signedIn === undefined ? known?.label : label,
  };
}

/** Whether the plan ends the session, or an earlier try listed an id that never got a token. */
function isOver(
  id: string,
  key: string,
  { writes, cookie }: Plan,
  { found, newId, othersKey }: Sight,
  { isDestroyed }: Calls,
): boolean {
  if (typeof cookie === "object" && cookie.id === id) return false;
  if (id === newId || writes.some((write) => write.key === id && typeof write.next === "string")) {
    return true;
  }
  if (isDestroyed && found?.token.state.id === id) return true;
  // A new generation ends all that was in the list before.
  return key === othersKey && writes.some((write) => write.key === key);
}

/** The writes that end these sessions. Adds what it looks at to `texts`. */
async function marksOf(
  sessions: readonly Listed[],
  { now, newId }: Sight,
  store: Store,
  texts: Map<string, string | undefined>,
): Promise<readonly Write[]> {
  if (sessions.length === 0) return [];
  const values = await store.get(sessions.map(({ id }) => id));
  return sessions.flatMap(({ id, endsAt }, index) => {
    const text = values[index];
    texts.set(id, text);
    if (findMark(id, text) !== undefined) return [];
    return [{ key: id, next: writeMark(id, "ended", now, newId), ttl: markTtl(endsAt, now) }];
  });
}

/** The seconds for which a mark outlives every token of a session. */
export function markTtl(endsAt: number, now: number): number {
  return Math.min(RETENTION, ttlOf({ expiresAt: endsAt }, now));
}

/** The write of a list, kept until the last of its sessions has expired. */
export function listOf(
  key: string,
  sessions: readonly Listed[],
  now: number,
): Write & { readonly next: string } {
  const ttl = Math.min(RETENTION, ttlOf({ expiresAt: lastEnd(sessions) }, now));
  return { key, next: writeList(key, sessions), ttl };
}
