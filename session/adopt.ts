import { checkSubject, createDraft, type Draft } from "./changes.ts";
import { createCookie } from "./cookie/attributes.ts";
import { isRecent } from "./decide.ts";
import { SessionError, SessionStoreError } from "./errors.ts";
import type { Adoptable, Settings } from "./options.ts";
import { find, findMark, type Found } from "./record.ts";
import { beginTimes, NO_CLAIMS } from "./state.ts";
import type { Store } from "./stores/store.ts";
import { encode } from "./token/json.ts";
import { generationKey, hashKey, randomId, type VerifiedToken } from "./token/token.ts";

/**
 * What a request makes of the session that the option `adopt` gave: a draft that holds it, or an empty
 * one where it is too late to adopt it or where a session can't carry it. Then an event says why.
 * Rejects with `SessionStoreError`.
 */
export async function adoptedDraft(
  adoptable: Adoptable<object>,
  store: Store,
  settings: Settings,
  request: Request,
): Promise<Draft> {
  const { onEvent, now } = settings;
  try {
    const token = await tokenOf(adoptable, settings);
    const { id, login } = token.state;
    const [text, generation] = await store.get(login === undefined ? [id] : [id, login.key]);
    const found = await findForeign(token, text, generation, store, now());
    if (found.kind === "live") {
      const isOnce = adoptable.credential !== undefined && settings.store !== null;
      const foreign = { isOnce, forget: forgottenBy(adoptable, settings) };
      return createDraft(settings, request, found, foreign);
    }
    const reason = found.hasMark ? "adopted-before" : "ended";
    onEvent({ type: "not-adopted", reason });
  } catch (error) {
    if (!(error instanceof SessionError) || error instanceof SessionStoreError) throw error;
    onEvent({ type: "not-adopted", reason: error.message });
  }
  return createDraft(settings, request);
}

/**
 * What the store says of another system's session. For a minute after it was adopted the other requests
 * of the same page may adopt it as well, unless the session that it became has ended.
 */
export async function findForeign(
  token: VerifiedToken,
  text: string | undefined,
  generation: string | undefined,
  store: Store,
  now: number,
): Promise<Found> {
  const found = find(token, text, generation);
  if (found.kind === "live" || found.next === undefined || !isRecent(found, now)) return found;
  const [successor] = await store.get([found.next]);
  if (findMark(found.next, successor) !== undefined) return found;
  const again = find(token, undefined, generation);
  return again.kind === "live" ? { ...again, hasRecord: true } : again;
}

/** The session as a token of ours would say it. Rejects with `SessionError` for what it can't carry. */
async function tokenOf(
  { data, subject, permanent = false, credential }: Adoptable<object>,
  settings: Settings,
): Promise<VerifiedToken> {
  const { audience } = settings.cookie;
  if (subject !== undefined) checkSubject(subject);
  const texts = Object.entries(data).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, encode(value, key)] as const],
  );
  const times = beginTimes(settings.now(), settings);
  const login =
    subject === undefined
      ? undefined
      : {
          subject,
          key: await generationKey(audience, subject),
          generation: undefined,
          authenticatedAt: times.issuedAt,
        };
  const id = credential === undefined ? randomId() : await hashKey("adopted", audience, credential);
  const content = { data: new Map(texts), flashes: [], permanent };
  const state = { id, version: 0, ...times, login, ...content, unknown: NO_CLAIMS };
  return { text: "", state, hasData: true, isCurrentKey: true };
}

function forgottenBy(
  { forget }: Adoptable<object>,
  { cookie }: Settings,
): ReturnType<typeof createCookie> | undefined {
  if (forget === undefined) return undefined;
  const { name, path = "/", domain } = forget;
  return createCookie({
    name,
    path,
    secure: cookie.isSecure,
    ...(domain !== undefined && { domain }),
  });
}
