/**
 * The response with what the session adds to it. A handler that looked at its session gets
 * `Vary: Cookie`; a `Set-Cookie` comes with `Cache-Control: no-store`, and on a copy: the handler's
 * response may be shared between requests, or have immutable headers.
 */
export function withSession(
  response: Response,
  isTouched: boolean,
  setCookie: string | undefined,
): Response {
  if (setCookie === undefined) return isTouched ? withVary(response) : response;
  const copy = copyOf(response);
  addVary(copy.headers);
  const cacheControl = copy.headers.get("cache-control");
  if (cacheControl === null || !/\bno-store\b/i.test(cacheControl)) {
    copy.headers.set("cache-control", "no-store");
  }
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
