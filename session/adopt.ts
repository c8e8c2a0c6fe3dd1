import { type Adopted, checkSubject } from "./changes.ts";
import { createCookie } from "./cookie/attributes.ts";
import { isTaken } from "./decide.ts";
import { SessionError, SessionStoreError } from "./errors.ts";
import type { Adoptable, Settings } from "./options.ts";
import type { Store } from "./stores/store.ts";
import { encode } from "./token/json.ts";
import { generationKey, hashKey } from "./token/token.ts";

/**
 * What a request adopts of the session that the option `adopt` gave. Undefined where that is too late or
 * where a session can't carry it: then an event says why. Rejects with `SessionStoreError`.
 */
export async function adoptedFrom(
  foreign: Adoptable<object>,
  store: Store,
  settings: Settings,
): Promise<Adopted | undefined> {
  const { onEvent } = settings;
  try {
    const adopted = await readAdoptable(foreign, settings);
    const reason = await reasonAgainst(adopted, store, settings);
    if (reason === undefined) return adopted;
    onEvent({ type: "not-adopted", reason });
  } catch (error) {
    if (!(error instanceof SessionError) || error instanceof SessionStoreError) throw error;
    onEvent({ type: "not-adopted", reason: error.message });
  }
  return undefined;
}

/** Checks what `adopt` gave. Rejects with `SessionError` for what a session can't carry. */
async function readAdoptable(
  { data, subject, permanent = false, credential, forget }: Adoptable<object>,
  { cookie, store }: Settings,
): Promise<Adopted> {
  if (subject !== undefined) checkSubject(subject);
  const texts = Object.entries(data).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, encode(value, key)] as const],
  );
  const { name, path = "/", domain } = forget ?? {};
  const foreign = { path, secure: cookie.isSecure, ...(domain !== undefined && { domain }) };
  const isOnce = credential !== undefined && store !== null;
  return {
    content: { data: new Map(texts), flashes: [], permanent },
    subject,
    key: isOnce ? await hashKey("adopted", cookie.audience, credential) : undefined,
    forget: name === undefined ? undefined : createCookie({ ...foreign, name }),
  };
}

/** Why the session is not adopted: it was before, or all sessions of its subject were ended. */
async function reasonAgainst(
  { key, subject }: Adopted,
  store: Store,
  { cookie, now }: Settings,
): Promise<string | undefined> {
  const subjectKey =
    subject === undefined ? undefined : await generationKey(cookie.audience, subject);
  const keys = [key, subjectKey].filter((key) => key !== undefined);
  const texts = keys.length === 0 ? [] : await store.get(keys);
  const textOf = (key: string): string | undefined => texts[keys.indexOf(key)];
  if (key !== undefined && isTaken(key, textOf(key), now())) return "adopted-before";
  const hasGeneration = subjectKey !== undefined && textOf(subjectKey) !== undefined;
  return hasGeneration ? "ended" : undefined;
}
