import type { Cookie, CookieAttributes } from "./attributes.ts";

/** The bytes that name and value may take together (RFC 6265bis §5.6): browsers drop larger ones. */
export const COOKIE_LIMIT = 4096;

const SPACE = 0x20;
const TAB = 0x09;

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/**
 * The values of the cookies called `name` in a `Cookie` header (RFC 6265 §5.4), in their order.
 *
 * Only space and tab are trimmed, nothing is decoded or unquoted, and the name has to be there to
 * the letter: every lenience here has once let another cookie pass for the session. The search for
 * `name=` is the platform's own and each blank is looked at once, so the cost is linear.
 */
export function cookieValues(header: string, name: string): string[] {
  const values: string[] = [];
  for (let at = header.indexOf(name); at !== -1; at = header.indexOf(name, at + name.length)) {
    const start = at + name.length;
    if (header[start] !== "=") continue;
    let before = at - 1;
    while (before >= 0 && isBlank(header.charCodeAt(before))) before--;
    if (before >= 0 && header[before] !== ";") continue;
    const end = header.indexOf(";", start);
    values.push(trimBlanks(header, start + 1, end === -1 ? header.length : end));
  }
  return values;
}

function trimBlanks(text: string, start: number, end: number): string {
  let first = start;
  let last = end;
  while (first < last && isBlank(text.charCodeAt(first))) first++;
  while (last > first && isBlank(text.charCodeAt(last - 1))) last--;
  return text.slice(first, last);
}

/** A cookie as a commit gives it, for whoever sends it. */
export interface CommittedCookie {
  readonly name: string;
  readonly value: string;
  readonly options: CookieAttributes;
  /** The `Set-Cookie` line (RFC 6265 §4.1). */
  readonly line: string;
}

/**
 * Sets the cookie. With `maxAge`, in seconds, it outlives the browser; without, it goes when the browser
 * closes.
 */
export function setCookie(cookie: Cookie, value: string, maxAge?: number): CommittedCookie {
  const { name, attributes } = cookie;
  const age = maxAge === undefined ? "" : `; Max-Age=${maxAge}`;
  const options = maxAge === undefined ? cookie.options : { ...cookie.options, maxAge };
  return { name, value, options, line: `${name}=${value}${age}${attributes}` };
}

/** Deletes the cookie, with the attributes that it was set with. */
export function deleteCookie({ name, attributes, options }: Cookie): CommittedCookie {
  const line = `${name}=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT${attributes}`;
  return { name, value: "", options: { ...options, maxAge: 0 }, line };
}
