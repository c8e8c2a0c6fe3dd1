import type { CookieAttributes } from "./cookie/attributes.ts";

/** The headers of a request of Node's. */
export type NodeHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** A request's cookies as a framework keeps them, with those that were set so far: Next's `cookies()`. */
export interface CookieJar {
  getAll(): readonly { readonly name: string; readonly value: string }[];
  set(name: string, value: string, options: CookieAttributes): unknown;
}

/**
 * What a session is opened from: a `Request`, its `Headers`, whatever has headers of either kind, such as
 * Node's `IncomingMessage`, or a framework's cookies.
 */
export type Source =
  | Headers
  | { readonly headers: Headers | NodeHeaders; readonly url?: string | undefined }
  | Pick<CookieJar, "getAll">;

/**
 * The source's headers, the same object each time. A jar has new ones, because its cookies change. Throws
 * `TypeError` for what has none.
 */
export function headersOf(source: Source): Headers | NodeHeaders {
  // Express' request has a `get` too, so look for `headers` first.
  if (!("headers" in source)) {
    if (isJar(source)) return { cookie: cookieTextOf(source) };
    if (isHeaders(source)) return source;
  } else if (typeof source.headers === "object" && source.headers !== null) {
    return source.headers;
  }
  throw new TypeError("Cannot open a session: the source has no headers. Give it a Request");
}

/** The `Cookie` header; null where there is none. Node joins several with `; ` (RFC 9113 §8.2.3). */
export function cookieHeaderOf(headers: Headers | NodeHeaders): string | null {
  if (isHeaders(headers)) return headers.get("cookie");
  const cookie = headers["cookie"];
  return typeof cookie === "string" ? cookie : null;
}

/** The headers as `adopt` gets them. */
export function webHeadersOf(headers: Headers | NodeHeaders): Headers {
  if (isHeaders(headers)) return headers;
  const copy = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    // HTTP/2 has pseudo-headers, such as `:path`, which are not headers.
    if (value === undefined || name.startsWith(":")) continue;
    for (const item of typeof value === "string" ? [value] : value) copy.append(name, item);
  }
  return copy;
}

/** `Headers` of Workers have a `getAll` too. */
function isJar(value: object): value is Pick<CookieJar, "getAll"> {
  return "getAll" in value && !("append" in value);
}

/** Frameworks decode a value. Encoded again, it can hold no second cookie. */
function cookieTextOf(jar: Pick<CookieJar, "getAll">): string {
  return jar
    .getAll()
    .map(({ name, value }) => `${name}=${encodeURIComponent(value)}`)
    .join("; ");
}

/** Another realm has a `Headers` of its own, so `instanceof` would miss some. */
function isHeaders(value: object): value is Headers {
  return "get" in value && typeof value.get === "function";
}
