/**
 * The response with what the session adds to it: `Vary: Cookie` where the handler touched its
 * session, and its `Set-Cookie` lines with `Cache-Control: no-store`, without the headers that some caches
 * obey instead. A network error (`Response.error()`) comes back unchanged.
 *
 * A `Set-Cookie` goes on a copy, because the handler's response may be a constant or have immutable
 * headers. On Bun it may be the response itself: see `ownOf`.
 *
 * A response of a subclass, such as Next's `NextResponse`, comes back as a plain `Response`, whether
 * the session was read or written. `NextResponse.cookies` knows only the cookies that it set itself:
 * used after the commit, it would remove the session's without a word. Set other cookies before.
 */
export function withSession(
  response: Response,
  isTouched: boolean,
  lines: readonly string[],
): Response {
  if (response.status === 0) return response;
  if (lines.length > 0) return withCookies(response, lines);
  return isTouched ? withVary(response) : response;
}

function withCookies(response: Response, lines: readonly string[]): Response {
  const own = ownOf(response);
  addSession(own.headers, true, lines);
  return own;
}

/** A response's headers: `Headers`, or those of a server that has its own kind. */
export interface ChangeableHeaders {
  keys(): Iterable<string>;
  get(name: string): string | null;
  set(name: string, value: string): void;
  append(name: string, value: string): void;
  delete(name: string): void;
}

/** Adds to a response's headers what `withSession` adds. */
export function addSession(
  headers: ChangeableHeaders,
  isTouched: boolean,
  lines: readonly string[],
): void {
  if (isTouched || lines.length > 0) addVary(headers);
  if (lines.length > 0) forbidStoring(headers);
  for (const line of lines) headers.append("set-cookie", line);
}

/**
 * The response itself, since `Vary` does no harm on it. Redirects and answers without content are
 * copied, because they are often constants.
 */
function withVary(response: Response): Response {
  const { status } = response;
  const isOftenShared = (status >= 300 && status < 400) || status === 204 || status === 205;
  const own = isOftenShared || isOfSubclass(response) ? ownOf(response) : response;
  try {
    addVary(own.headers);
    return own;
  } catch {
    const copy = copyOf(response);
    addVary(copy.headers);
    return copy;
  }
}

/** A class with a `status` of its own is a server's own kind of `Response`, and a faster one. */
function isOfSubclass(response: Response): boolean {
  const prototype = Reflect.getPrototypeOf(response) ?? Response.prototype;
  return prototype !== Response.prototype && !Object.hasOwn(prototype, "status");
}

/** Adds `Cookie` to `Vary` (RFC 9110 §12.5.5), once. */
function addVary(headers: ChangeableHeaders): void {
  const vary = headers.get("vary");
  if (vary === null) headers.set("vary", "Cookie");
  else if (!/(?:^|,)\s*(?:cookie|\*)\s*(?:,|$)/i.test(vary)) headers.set("vary", `${vary}, Cookie`);
}

/** Headers that some cache obeys instead of `Cache-Control`. */
const OVERRIDES: ReadonlySet<string> = new Set([
  "edge-control", // Akamai
  "expires",
  "surrogate-control", // Fastly, Varnish
  "x-accel-expires", // nginx
]);

/** Leaves nothing that lets a cache store the response. */
function forbidStoring(headers: ChangeableHeaders): void {
  for (const name of [...headers.keys()].filter(overridesCacheControl)) headers.delete(name);
  headers.set("cache-control", noStore(headers.get("cache-control") ?? ""));
}

/** Targeted headers, such as `CDN-Cache-Control`, are RFC 9213's. */
function overridesCacheControl(name: string): boolean {
  return OVERRIDES.has(name) || name.endsWith("-cache-control");
}

/**
 * `Cache-Control` with `no-store` (RFC 9111 §5.2.2). A value that has it stays as it is, unless
 * `must-understand` lifts it. Of any other value, only `no-transform` adds something to `no-store`.
 */
function noStore(cacheControl: string): string {
  if (cacheControl === "" || cacheControl === "no-store") return "no-store";
  const directives = directivesOf(cacheControl);
  if (directives.has("no-store") && !directives.has("must-understand")) return cacheControl;
  return directives.has("no-transform") ? "no-store, no-transform" : "no-store";
}

/** The directives in lower case. Quoted strings are emptied first, because they may hold commas. */
function directivesOf(cacheControl: string): ReadonlySet<string> {
  const unquoted = cacheControl.replaceAll(/"(?:[^"\\]|\\.)*"?/g, '""');
  return new Set(unquoted.split(",").map((directive) => directive.trim().toLowerCase()));
}

function isRedirect({ status, headers }: Response): boolean {
  return status >= 300 && status < 400 && headers.has("location");
}

/** Undefined on every other runtime. */
declare const Bun: { inspect(value: unknown): string } | undefined;

/**
 * A response whose headers are this request's own: a copy, with one exception.
 *
 * Without a `Content-Type`, Bun 1.4 finds the type of a body as it sends it: `text/plain` for a
 * string, `application/octet-stream` for bytes. Reading `body` turns a string into bytes, and so does
 * `clone()` unless it is ASCII; a browser then downloads the copy. Bun sends a body only once, so a
 * response with one belongs to this request and gets the headers itself. One without a body can be
 * sent again, to another user, so it is copied. Only what Bun prints tells the two apart without
 * reading `body`; if it prints anything else, this makes a copy. Printing is slow, so a redirect is
 * copied at once: nobody sees the text of one.
 */
function ownOf(response: Response): Response {
  const { bodyUsed, headers, url } = response;
  // Whoever reads the start of a body can't have it copied any more.
  if (bodyUsed && isMutable(headers)) return response;
  // A fetched body that is still arriving is printed like none. It is bytes: a copy is sent alike.
  if (typeof Bun === "undefined" || /^https?:/.test(url)) return copyOf(response);
  if (isRedirect(response)) return response.clone();
  const printed = Bun.inspect(response);
  // No body, or an empty string, which can be sent again unless `body` was read.
  if (printed.endsWith("bodyUsed: false\n}")) return response.clone();
  const hasBytes = /^Response \([^)]*[1-9]/.test(printed);
  const isTyped = (headers.get("content-type") ?? "") !== "";
  return hasBytes && !isTyped && isMutable(headers) ? response : copyOf(response);
}

/**
 * A copy with mutable headers. `fetch` decodes the body but keeps the headers of the encoded one.
 * Deno drops them when it sends a fetched response, and cannot know that the copy is one. Bun's
 * fetched headers are mutable, and its `fetch` can be told not to decode, so they stay.
 */
function copyOf(response: Response): Response {
  const copy = new Response(response.body, response);
  const isEncoded = response.url !== "" && response.headers.has("content-encoding");
  if (isEncoded && !isMutable(response.headers)) {
    copy.headers.delete("content-encoding");
    copy.headers.delete("content-length");
  }
  return copy;
}

function isMutable(headers: Headers): boolean {
  try {
    headers.delete("set-cookie-of-no-name");
    return true;
  } catch {
    return false;
  }
}
