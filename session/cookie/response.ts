/**
 * The response with what the session adds to it. A handler that looked at its session gets
 * `Vary: Cookie`; a `Set-Cookie` comes with `Cache-Control: no-store`, without the headers that some
 * caches obey instead, and on a copy: the handler's response may be shared between requests, or have
 * immutable headers.
 */
export function withSession(
  response: Response,
  isTouched: boolean,
  setCookie: string | undefined,
): Response {
  if (setCookie === undefined) return isTouched ? withVary(response) : response;
  const copy = copyOf(response);
  addVary(copy.headers);
  forbidStoring(copy.headers);
  copy.headers.append("set-cookie", setCookie);
  return copy;
}

/**
 * The response itself, since `Vary` does no harm on it; a copy of a redirect or an answer without
 * content, which are often constants. Whether there is a body is not looked at: that costs more than
 * all of this, and Bun then sends a string as `application/octet-stream`.
 */
function withVary(response: Response): Response {
  const { status } = response;
  const isOftenShared = (status >= 300 && status < 400) || status === 204 || status === 205;
  const own = isOftenShared ? copyOf(response) : response;
  try {
    addVary(own.headers);
    return own;
  } catch {
    const copy = new Response(own.body, own);
    addVary(copy.headers);
    return copy;
  }
}

/** Adds `Cookie` to `Vary` (RFC 9110 §12.5.5), once. */
function addVary(headers: Headers): void {
  const vary = headers.get("vary");
  if (vary === null) headers.set("vary", "Cookie");
  else if (!/(?:^|,)\s*(?:cookie|\*)\s*(?:,|$)/i.test(vary)) headers.append("vary", "Cookie");
}

/** Headers that some cache obeys instead of `Cache-Control`. */
const OVERRIDES: ReadonlySet<string> = new Set([
  "edge-control", // Akamai
  "expires",
  "surrogate-control", // Fastly, Varnish
  "x-accel-expires", // nginx
]);

/** Leaves nothing that lets a cache store the response. */
function forbidStoring(headers: Headers): void {
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
  const directives = directivesOf(cacheControl);
  if (directives.has("no-store") && !directives.has("must-understand")) return cacheControl;
  return directives.has("no-transform") ? "no-store, no-transform" : "no-store";
}

/** The directives in lower case. Quoted strings are emptied first, because they may hold commas. */
function directivesOf(cacheControl: string): ReadonlySet<string> {
  const unquoted = cacheControl.replaceAll(/"(?:[^"\\]|\\.)*"?/g, '""');
  return new Set(unquoted.split(",").map((directive) => directive.trim().toLowerCase()));
}

/**
 * A copy with headers of its own, that can be changed. Bun adds the type of a body that is a string
 * only as it sends it, and knows of it in a clone alone, made before `body` is looked at; the
 * original's half of the clone is cancelled so that it keeps nothing.
 */
function copyOf(response: Response): Response {
  const isTyped = response.headers.has("content-type");
  if (isTyped || !isMutable(response.headers)) return new Response(response.body, response);
  const clone = response.clone();
  response.body?.cancel().catch(() => {});
  return clone;
}

function isMutable(headers: Headers): boolean {
  try {
    headers.delete("set-cookie-of-no-name");
    return true;
  } catch {
    return false;
  }
}
