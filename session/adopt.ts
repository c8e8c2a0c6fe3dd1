import { type Adopted, checkSubject } from "./changes.ts";
import { type Cookie, createCookie } from "./cookie/attributes.ts";
import type { Adoptable } from "./options.ts";
import { encode } from "./token/json.ts";
import { hashKey } from "./token/token.ts";

/** Seconds in which the requests of one page may each adopt the same session. */
const OVERLAP = 60;

/** Checks what `adopt` gave. Rejects with `SessionError` for what a session can't carry. */
export async function readAdoptable(
  { data, subject, permanent = false, credential, forget }: Adoptable<object>,
  cookie: Cookie,
): Promise<Adopted> {
  if (subject !== undefined) checkSubject(subject);
  const texts = Object.entries(data).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, encode(value, key)] as const],
  );
  const { name, path = "/", domain } = forget ?? {};
  const foreign = {
    ...(name !== undefined && { name }),
    ...(domain !== undefined && { domain }),
    path,
    secure: cookie.isSecure,
  };
  return {
    content: { data: new Map(texts), flashes: [], permanent },
    subject,
    key:
      credential === undefined ? undefined : await hashKey("adopted", cookie.audience, credential),
    forget: name === undefined ? undefined : createCookie(foreign),
  };
}

/** The text that says when a session was adopted, in milliseconds. */
export function writeAdoption(key: string, at: number): string {
  return `${key} ${at}`;
}

/** Whether it was adopted too long ago for this request to be one of the same page. */
export function isTaken(key: string, text: string | undefined, now: number): boolean {
  if (text === undefined) return false;
  const at = Number(text.slice(key.length + 1));
  return now >= at + OVERLAP * 1000;
}
