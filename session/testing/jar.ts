import { COOKIE_LIMIT } from "../cookie/header.ts";

/** A cookie as a browser keeps it (RFC 6265bis §5.7). */
export interface JarCookie {
  readonly name: string;
  readonly value: string;
  /** The host that set it; with a `Domain` attribute that domain, without a leading dot. */
  readonly domain: string;
  /** Whether `domain` alone gets it; otherwise its subdomains do as well. */
  readonly isHostOnly: boolean;
  /** Requests to this path and below carry it. */
  readonly path: string;
  readonly secure: boolean;
  readonly httpOnly: boolean;
  /** As the line spells it; undefined without the attribute. */
  readonly sameSite: string | undefined;
  readonly partitioned: boolean;
  /** When it goes, 400 days ahead at most (§5.5); undefined where that is as the browser closes. */
  readonly expiresAt: Date | undefined;
}

/** The cookies of one browser. */
export interface Jar {
  /** Takes a `Set-Cookie` line that came from `url`, or ignores it as a browser does (§5.6, §5.7). */
  store(line: string, url: URL): void;
  /** The `Cookie` header for a request to `url` (§5.8.3); empty where no cookie is for it. */
  header(url: URL): string;
  /** Every cookie that has not expired, the oldest first. */
  cookies(): JarCookie[];
  clear(): void;
}

/** §5.6: a browser ignores an attribute whose value is longer. */
const ATTRIBUTE_LIMIT = 1024;
/** §5.5: the longest life of a cookie, in milliseconds. */
const LIFETIME_LIMIT = 400 * 24 * 60 * 60 * 1000;
/** §5.6, step 1: a line with a control character other than a tab is ignored. */
const CONTROL = /[^\t\x20-\x7E\x80-\uFFFF]/;
/** §4.1.3, and the younger `__Http-` and `__Host-Http-`, which ask for `HttpOnly` as well. */
const PREFIX = /^__(?:host-http|host|http|secure)-/i;

/**
 * An empty jar. `now` is the clock, in milliseconds.
 *
 * It does as Chromium does, except where that differs from RFC 6265bis on when a cookie ends: some
 * texts are a date for one and not for the other (§5.1.1), and where the last `Max-Age` or `Expires`
 * is invalid, the one before it counts (§5.6), while Chromium then ignores them all.
 */
export function createJar(now: () => number): Jar {
  // A Map keeps the place of a key that is set again, as a cookie keeps its creation time.
  const jar = new Map<string, JarCookie>();

  function cookies(): JarCookie[] {
    for (const [key, { expiresAt }] of jar) {
      if (expiresAt !== undefined && expiresAt.getTime() <= now()) jar.delete(key);
    }
    return [...jar.values()];
  }

  function store(line: string, url: URL): void {
    const cookie = readSetCookie(line, url, now());
    const present = cookies();
    if (cookie === undefined) return;
    if (!isTrustworthy(url) && present.some((other) => isOverlaid(other, cookie))) return;
    const { name, domain, isHostOnly, path, partitioned } = cookie;
    jar.set(JSON.stringify([name, domain, isHostOnly, path, partitioned]), cookie);
  }

  function header(url: URL): string {
    return cookies()
      .filter((cookie) => isFor(cookie, url))
      .toSorted((one, other) => other.path.length - one.path.length)
      .map(({ name, value }) => (name === "" ? value : `${name}=${value}`))
      .join("; ");
  }

  return { store, header, cookies, clear: () => jar.clear() };
}

/**
 * Whether `Secure` cookies go to `url`: over TLS, and to this machine itself, which browsers count as
 * safe ("potentially trustworthy", W3C Secure Contexts §3.1).
 */
export function isTrustworthy({ protocol, hostname }: URL): boolean {
  return (
    protocol === "https:" ||
    hostname === "[::1]" ||
    /^127(?:\.\d+){3}$/.test(hostname) ||
    domainMatches(hostname, "localhost")
  );
}

function isFor(cookie: JarCookie, url: URL): boolean {
  const { domain, isHostOnly, path, secure } = cookie;
  return (
    (isHostOnly ? url.hostname === domain : domainMatches(url.hostname, domain)) &&
    pathMatches(url.pathname, path) &&
    (!secure || isTrustworthy(url))
  );
}

/** §5.7, "leave secure cookies alone": what plain HTTP set would be sent in place of a secure one. */
function isOverlaid(secure: JarCookie, cookie: JarCookie): boolean {
  return (
    secure.secure &&
    secure.name === cookie.name &&
    (domainMatches(secure.domain, cookie.domain) || domainMatches(cookie.domain, secure.domain)) &&
    pathMatches(cookie.path, secure.path)
  );
}

/** §5.1.3. An address has no subdomains. */
function domainMatches(host: string, domain: string): boolean {
  return host === domain || (host.endsWith(`.${domain}`) && !/^[\d.]+$/.test(host));
}

/** §5.1.4. */
function pathMatches(path: string, cookiePath: string): boolean {
  return (
    path === cookiePath || path.startsWith(cookiePath.endsWith("/") ? cookiePath : `${cookiePath}/`)
  );
}

/** The cookie of a `Set-Cookie` line; undefined where a browser ignores it. */
function readSetCookie(line: string, url: URL, now: number): JarCookie | undefined {
  const [pair = "", ...rest] = line.split(";");
  const [name, value] = pair.includes("=") ? cut(pair) : ["", trim(pair)];
  if (CONTROL.test(line) || name + value === "" || name.length + value.length > COOKIE_LIMIT) {
    return undefined;
  }
  // Chromium ignores these two as well: a tab inside, and what would be sent as another name's.
  if ([pair, ...rest].flatMap(cut).some((text) => text.includes("\t"))) return undefined;
  if (name === "" && value.includes("=")) return undefined;
  const attributes = readAttributes(rest);
  const place = readDomain(attributes.get("domain"), url.hostname);
  if (place === undefined) return undefined;
  const path = attributes.get("path") ?? "";
  const cookie = {
    name,
    value,
    ...place,
    path: path.startsWith("/") ? path : defaultPath(url.pathname),
    secure: attributes.has("secure"),
    httpOnly: attributes.has("httponly"),
    sameSite: attributes.get("samesite"),
    partitioned: attributes.has("partitioned"),
    expiresAt: readExpiry(attributes, now),
  };
  const needsSecure = cookie.partitioned || cookie.sameSite?.toLowerCase() === "none";
  const isKept = cookie.secure ? isTrustworthy(url) : !needsSecure;
  return isKept && keepsPrefix(cookie, path) ? cookie : undefined;
}

/** By name in lower case: the last one of a name that is valid counts. */
function readAttributes(texts: readonly string[]): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  for (const text of texts) {
    const [spelled, value] = cut(text);
    const name = spelled.toLowerCase();
    const isIgnored =
      value.length > ATTRIBUTE_LIMIT ||
      (name === "max-age" && !/^-?\d+$/.test(value)) ||
      (name === "expires" && readDate(value) === undefined);
    if (!isIgnored) attributes.set(name, value);
  }
  return attributes;
}

/** What stands before and after the first `=`, without blanks around. */
function cut(text: string): [name: string, value: string] {
  const at = text.indexOf("=");
  return at === -1 ? [trim(text), ""] : [trim(text.slice(0, at)), trim(text.slice(at + 1))];
}

function trim(text: string): string {
  return text.replaceAll(/^[ \t]+|[ \t]+$/g, "");
}

/**
 * Whose cookie it is; undefined where the host may not say so. A domain of one label stands for the
 * public suffixes: the list of the others (`co.uk`) is not here.
 */
function readDomain(
  attribute: string | undefined,
  host: string,
): Pick<JarCookie, "domain" | "isHostOnly"> | undefined {
  if (attribute === ".") return undefined;
  const domain = (attribute ?? "").replace(/^\./, "").toLowerCase();
  const isSuffix = !domain.includes(".");
  if (domain === "" || (isSuffix && domain === host)) return { domain: host, isHostOnly: true };
  return !isSuffix && domainMatches(host, domain) ? { domain, isHostOnly: false } : undefined;
}

/** §5.1.4: the directory of the request's path. */
function defaultPath(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

/** §5.7: `Max-Age` before `Expires`. What is over is kept until the jar is next looked at. */
function readExpiry(attributes: ReadonlyMap<string, string>, now: number): Date | undefined {
  const maxAge = attributes.get("max-age");
  const time =
    maxAge === undefined ? readDate(attributes.get("expires") ?? "") : now + Number(maxAge) * 1000;
  return time === undefined
    ? undefined
    : new Date(Math.max(0, Math.min(time, now + LIFETIME_LIMIT)));
}

/** §5.1.1: the parts of a date. Each token of its text is the first of them that is still missing. */
const TIME = /^(\d\d?):(\d\d?):(\d\d?)(?!\d)/;
const DAY = /^(\d\d?)(?!\d)/;
const MONTH = /^(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)/;
const YEAR = /^(\d{2,4})(?!\d)/;
const MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");

/** A cookie's date in milliseconds (§5.1.1); undefined where it is none. */
function readDate(text: string): number | undefined {
  const found = new Map<RegExp, RegExpExecArray>();
  for (const token of text.toLowerCase().split(/[\t\x20-\x2F;-@[-`{-~]+/)) {
    for (const part of [TIME, DAY, MONTH, YEAR]) {
      const match = found.has(part) ? null : part.exec(token);
      if (match === null) continue;
      found.set(part, match);
      break;
    }
  }
  const [, hours = NaN, minutes = NaN, seconds = NaN] = (found.get(TIME) ?? []).map(Number);
  const month = MONTHS.indexOf(found.get(MONTH)?.[1] ?? "");
  const [day, short] = [Number(found.get(DAY)?.[1]), Number(found.get(YEAR)?.[1])];
  const year = short < 70 ? short + 2000 : short < 100 ? short + 1900 : short;
  const time = Date.UTC(year, month, day, hours, minutes, seconds);
  // A day or an hour that is not in the month runs over into another day.
  const isInRange = year >= 1601 && month >= 0 && minutes < 60 && seconds < 60;
  return isInRange && new Date(time).getUTCDate() === day ? time : undefined;
}

/**
 * Whether the cookie keeps what its name's prefix promises (§5.4); without a name, its value's. The
 * path is that of the attribute.
 */
function keepsPrefix(cookie: JarCookie, path: string): boolean {
  const { name, value, secure, httpOnly, isHostOnly } = cookie;
  if (name === "") return !PREFIX.test(value);
  const prefix = PREFIX.exec(name)?.[0].toLowerCase();
  if (prefix === undefined) return true;
  const isHost = !prefix.startsWith("__host-") || (isHostOnly && path === "/");
  return secure && isHost && (!prefix.endsWith("http-") || httpOnly);
}
