import { REFUSED } from "./answers.ts";
import { SessionOptionsError } from "./errors.ts";

/**
 * Whose pages may send requests that change something. Origins are written as browsers write them,
 * `https://example.org` or `https://example.org:8443`: in lower case, without a path, a trailing
 * slash or a default port.
 */
export interface OriginOptions {
  /**
   * Other origins whose pages may do so too: each is compared as a whole with the `Origin` header,
   * and there are no wildcards. Their pages can do what your own can: name few. Default: none.
   */
  readonly trustedOrigins?: readonly string[];
  /**
   * The origin that users see, in place of the one that the request itself shows (its `Host` and
   * the scheme of its URL). Give it behind a proxy: there the request's URL says `http:` of an
   * `https:` site, so that the site's unencrypted pages would pass for its own, and `Host` may be
   * an inner name, or lack the port, so that its own pages would be refused. Default: what the
   * request shows.
   */
  readonly publicOrigin?: string;
}

/**
 * Why a request is refused: the browser says that another site's page sent it (`Sec-Fetch-Site`),
 * or, where the browser does not say, its `Origin` is another one, `null` or no origin at all.
 */
export type OriginRefusal = "cross-site" | "other-origin";

/** What the check looks at: a `Request`, or as much of one as a server without one has. */
export interface CheckedRequest {
  readonly method: string;
  /** The whole URL: its scheme says whether the request came over https. */
  readonly url: string;
  readonly headers: { get(name: string): string | null };
}

/** An option that is written wrong would leave the origins that it names refused, or our own unknown. */
const NAMES: ReadonlySet<string> = new Set<keyof OriginOptions>(["publicOrigin", "trustedOrigins"]);

/** RFC 9110 §9.2.1, less TRACE: what a page of any site can make a browser send by a mere link. */
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** RFC 9110 §7.8: one of the protocols in `Upgrade`, each a name and perhaps a version. */
const WEBSOCKET = /(?:^|,)[ \t]*websocket[ \t]*(?:[,/]|$)/i;

/**
 * The reason to refuse a request that a page of another site made the browser send, or `null` where
 * it may pass. This takes the place of CSRF tokens, for logins too. It follows Go's
 * `CrossOriginProtection` and looks only at the method and at headers that no page can set: never
 * at cookies, the content type or the body.
 *
 * - GET, HEAD and OPTIONS pass: they must change nothing. A WebSocket's handshake does not, though it
 *   is a GET: its page can send whatever it likes afterwards, and `SameSite` does not stop another
 *   port of the host.
 * - `Sec-Fetch-Site` decides where it is present, which is in every browser since 2023, on https
 *   and on localhost: `same-origin` passes and `none`, the user's own doing; no other value does.
 * - Without it, our own `Origin` passes, and a request without any, as no browser sent that.
 * - A trusted origin passes in either case.
 *
 * Where `Sec-Fetch-Site` is missing, forms on pages with `Referrer-Policy: no-referrer` are
 * refused, because their `Origin` is `null`; `same-origin` is a policy that keeps it.
 *
 * No answer that a cache keeps depends on this check, as it lets every GET pass. An answer to GET
 * that depends on the same headers needs `Vary: Sec-Fetch-Site, Origin`.
 *
 * The options are not validated here: `protect` does that.
 */
export function checkOrigin(
  request: CheckedRequest,
  options: OriginOptions = {},
): OriginRefusal | null {
  const isHandshake = WEBSOCKET.test(request.headers.get("Upgrade") ?? "");
  if (SAFE_METHODS.has(request.method) && !isHandshake) return null;
  const site = request.headers.get("Sec-Fetch-Site");
  if (site === "same-origin" || site === "none") return null;
  const origin = request.headers.get("Origin");
  if (origin !== null && options.trustedOrigins?.includes(origin)) return null;
  if (site !== null) return "cross-site";
  if (origin === null || isOwn(origin, request, options.publicOrigin)) return null;
  return "other-origin";
}

/**
 * Puts `checkOrigin` before a fetch handler: a refused request is answered with 403, and neither
 * the handler nor anyone else reads its body. Other arguments (Bun's server, for one) go through.
 *
 * @throws {SessionOptionsError} at once, where an origin in the options is not written as a browser
 * writes it, and so could never match.
 */
export function protect<Req extends Request, Rest extends readonly unknown[]>(
  handler: (request: Req, ...rest: Rest) => Response | Promise<Response>,
  options: OriginOptions = {},
): (request: Req, ...rest: Rest) => Response | Promise<Response> {
  validateOrigins(options);
  return (request, ...rest) =>
    checkOrigin(request, options) === null ? handler(request, ...rest) : refuseOrigin();
}

/** The answer to a request that `checkOrigin` refused. */
export function refuseOrigin(): Response {
  return new Response(REFUSED.body, REFUSED);
}

/**
 * Checks the options. Throws `SessionOptionsError` for one that does not exist, and where an origin is
 * not written as a browser writes it, and so could never match.
 */
export function validateOrigins(options: OriginOptions): void {
  for (const name of Object.keys(options)) {
    if (NAMES.has(name)) continue;
    const names = [...NAMES].join(" and ");
    throw new SessionOptionsError(
      `Cannot use option origin.${name}: there is no such option, only ${names}`,
    );
  }
  const { trustedOrigins = [], publicOrigin } = options;
  for (const origin of trustedOrigins) validateOrigin(origin);
  if (publicOrigin !== undefined) validateOrigin(publicOrigin);
}

/**
 * Browsers write `Origin` and `Host` in one canonical form, so whole strings are compared and
 * nothing is parsed: what a parser would forgive, such as `http://evil@victim`, is not ours.
 */
function isOwn(origin: string, request: CheckedRequest, publicOrigin: string | undefined): boolean {
  if (publicOrigin !== undefined) return origin === publicOrigin;
  // HTTP/2 has no Host header, and a request without a valid Host a URL without an origin.
  const host = request.headers.get("Host") ?? hostOf(request.url) ?? "";
  if (host === "") return false;
  if (origin === `https://${host}`) return true;
  // Who can change an unencrypted page of the site must not send its forms to the encrypted one.
  return origin === `http://${host}` && !request.url.startsWith("https:");
}

function hostOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).host : undefined;
}

function validateOrigin(origin: string): void {
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  const isValid =
    url !== undefined &&
    url.host !== "" &&
    !url.host.includes("*") &&
    origin === `${url.protocol}//${url.host}`;
  if (isValid) return;
  throw new SessionOptionsError(
    `Cannot trust the origin ${JSON.stringify(origin)}: ` +
      'write it as browsers do, such as "https://example.org" or "https://example.org:8443", ' +
      "in lower case, without a path, a trailing slash or a default port",
  );
}
