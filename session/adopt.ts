import { createDraft, type Draft, type Foreign } from "./changes.ts";
import { type Cookie, createCookie } from "./cookie/attributes.ts";
import { isRecent } from "./decide.ts";
import { SessionError } from "./errors.ts";
import { checkSubject, failExpected } from "./login.ts";
import type { Adoptable, Settings } from "./options.ts";
import { find, findMark, type Found } from "./record.ts";
import type { Source } from "./source.ts";
import { beginTimes, NO_CLAIMS } from "./state.ts";
import type { Store } from "./stores/store.ts";
import { encode, isPlain } from "./token/json.ts";
import { generationKey, hashKey, randomId, type VerifiedToken } from "./token/token.ts";

/**
 * The draft for a session that the option `adopt` returned. It is empty if the session can't be adopted:
 * it has ended, was adopted before, or a session can't carry it. Then an event says why. Rejects with
 * `SessionStoreError`.
 */
export async function adoptedDraft(
  adoptable: Adoptable<object>,
  store: Store,
  settings: Settings,
  source: Source,
): Promise<Draft> {
  const { onEvent, now } = settings;
  const read = await readAdoptable(adoptable, settings);
  if (typeof read === "string") {
    onEvent({ type: "not-adopted", reason: read });
    return createDraft(settings, source);
  }
  const { token, foreign } = read;
  const { id, login } = token.state;
  const [text, generation] = await store.get(login === undefined ? [id] : [id, login.key]);
  const found = await findForeign(token, text, generation, store, now());
  if (found.kind === "live") return createDraft(settings, source, found, foreign);
  onEvent({ type: "not-adopted", reason: found.hasMark ? "adopted-before" : "ended" });
  return createDraft(settings, source);
}

/**
 * What the store says of another system's session. For a minute after it was adopted, other requests of
 * the same page may adopt it too, unless the session that it became has ended.
 */
export async function findForeign(
  token: VerifiedToken,
  text: string | undefined,
  generation: string | undefined,
  store: Store,
  now: number,
): Promise<Found> {
  const found = await find(token, text, generation);
  if (found.kind === "live" || found.next === undefined || !isRecent(found, now)) return found;
  const [successor] = await store.get([found.next]);
  if (findMark(found.next, successor) !== undefined) return found;
  const again = await find(token, undefined, generation);
  return again.kind === "live" ? { ...again, hasRecord: true } : again;
}

/** The session as a token of ours, or the message of the error that says why that is impossible. */
async function readAdoptable(
  adoptable: Adoptable<object>,
  settings: Settings,
): Promise<{ readonly token: VerifiedToken; readonly foreign: Foreign } | string> {
  try {
    checkAdoptable(adoptable);
    const isOnce = adoptable.credential !== undefined && settings.store !== null;
    const forget = forgottenBy(adoptable, settings);
    return { token: await tokenOf(adoptable, settings), foreign: { isOnce, forget } };
  } catch (error) {
    // Its getters may throw anything.
    return error instanceof SessionError
      ? error.message
      : "Cannot read the result of adopt: it threw";
  }
}

function checkAdoptable(adoptable: unknown): asserts adoptable is Adoptable<object> {
  if (typeof adoptable !== "object" || adoptable === null) {
    failExpected("adopt's result", "an object", adoptable);
  }
  const { data, subject, permanent, credential }: Record<string, unknown> = { ...adoptable };
  if (typeof data !== "object" || data === null || !isPlain(data)) {
    failExpected("data", "a plain object", data);
  }
  if (subject !== undefined) checkSubject(subject);
  if (permanent !== undefined && typeof permanent !== "boolean") {
    failExpected("permanent", "a boolean", permanent);
  }
  const isCredential = typeof credential === "string" && credential !== "";
  if (credential !== undefined && !isCredential) {
    failExpected("credential", "a string with at least one character", credential);
  }
}

async function tokenOf(
  { data, subject, permanent = false, credential }: Adoptable<object>,
  settings: Settings,
): Promise<VerifiedToken> {
  const { audience } = settings.cookie;
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
          // The user proved nothing to us, so what asks for a fresh login must ask.
          authenticatedAt: undefined,
          methods: undefined,
        };
  const id = credential === undefined ? randomId() : await hashKey("adopted", audience, credential);
  const content = { data: new Map(texts), flashes: [], permanent };
  const state = { id, version: 0, ...times, login, ...content, unknown: NO_CLAIMS };
  return { text: "", state, hasData: true, isCurrentKey: true, isExposed: false };
}

/** The other system's cookie. Throws `SessionOptionsError` for one that cannot exist. */
function forgottenBy({ forget }: Adoptable<object>, { cookie }: Settings): Cookie | undefined {
  if (forget === undefined) return undefined;
  const { name, path = "/", domain } = forget;
  const place = domain === undefined ? { path } : { path, domain };
  return createCookie({ name, ...place, secure: cookie.options.secure });
}
