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
 * A response with a body is sent once, and so is nobody else's: it needs no copy for this. What has
 * no body is told by its status, because to ask for a body would make a stream of it.
 */
function withVary(response: Response): Response {
  const { status } = response;
  const isShareable = status >= 300 || status === 204 || status === 205;
  const own = isShareable ? copyOf(response) : response;
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
 * only as it sends it, and knows of it in a clone alone; the original's half of the clone is
 * cancelled so that it keeps nothing.
 */
function copyOf(response: Response): Response {
  const { body, headers } = response;
  if (body === null || headers.has("content-type") || !isMutable(headers)) {
    return new Response(body, response);
  }
  const clone = response.clone();
  void response.body?.cancel();
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
