import { SessionOptionsError } from "../errors.ts";
import type { MaybePromise } from "../maybe.ts";
import type { Session } from "../session.ts";
import type { Sessions } from "../sessions.ts";
import { createJar, isTrustworthy, type JarCookie } from "./jar.ts";

/** The options of `createClient`. */
export interface ClientOptions<Data extends object = Record<string, unknown>> {
  /**
   * The origin that paths belong to, and whose pages send the requests. `https://localhost` by
   * default; `Secure` cookies work on `http://localhost` as well, as in browsers.
   */
  readonly origin?: string | URL;
  /** What the handler's sessions come from, for `session`. None by default. */
  readonly sessions?: Sessions<Data>;
  /** The jar's clock, in milliseconds: give it that of the sessions. `Date.now` by default. */
  readonly now?: () => number;
}

/** A browser for tests, whose network is a fetch handler. */
export interface Client<Data extends object = Record<string, unknown>> {
  /**
   * Sends a request, keeps the cookies of the answer, and follows redirects: at most 20, to whatever
   * host, with the handler answering for all (Fetch Standard §4.4). `init.redirect` may be
   * `"manual"`, which gives the 3xx as it is, or `"error"`.
   *
   * A request carries what a browser would say of one that a page of `origin` started: `Cookie` from
   * the jar, `Origin` unless it is a GET or HEAD, and `Sec-Fetch-Site`: `same-origin`, or
   * `cross-site` once another origin is involved (`same-site` is never told apart), and none over
   * plain HTTP but to localhost. A header of your own stands instead, and an empty one for none at
   * all; your own `Cookie` for the first request alone. `SameSite` keeps no cookie back.
   *
   * Rejects with what the handler throws, and with `TypeError` for more redirects, for one to no URL
   * of HTTP, and for any with `"error"`.
   */
  fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>;
  /** Sends a GET: `fetch` with that method. */
  get(path: string | URL, init?: RequestInit): Promise<Response>;
  /**
   * Sends a POST: `fetch` with that method and body. An object of strings is a form's fields, sent
   * as `application/x-www-form-urlencoded`.
   */
  post(path: string | URL, form: Fields | BodyInit, init?: RequestInit): Promise<Response>;
  /**
   * Opens the visitor's session, calls `change` with it, commits it, and keeps its cookie: reads and
   * prepares what the next request will see (Flask's `session_transaction`). Gives what `change`
   * gives; where that throws, nothing is committed. `path` matters for a cookie with a path of its
   * own; `/` by default. Rejects with `SessionOptionsError` for a client without `sessions`, and with
   * whatever `open` and `commit` reject.
   */
  session<Result>(
    change: (session: Session<Data>) => MaybePromise<Result>,
    path?: string | URL,
  ): Promise<Result>;
  /** The URL of the last request, after redirects: what the address bar shows. */
  readonly url: string;
  /** Every cookie that has not expired, the oldest first. */
  cookies(): JarCookie[];
  /** The oldest cookie of that name; undefined where there is none. */
  cookie(name: string): JarCookie | undefined;
  /**
   * Takes a `Set-Cookie` line as if `url` had sent it: what a browser would refuse is ignored.
   * `url` may be a path; `/` by default. Throws `TypeError` for a character above U+00FF, which is no
   * byte of a header.
   */
  setCookie(line: string, url?: string | URL): void;
  /** Forgets every cookie. */
  clear(): void;
}

/** A form's values by the names of its fields. */
export type Fields = Readonly<Record<string, string>>;

/** One request of a chain of redirects. */
interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: ArrayBuffer | null;
  /** The `Origin` header. */
  readonly origin: string;
  /** Whether the chain never left that origin. */
  readonly isSameOrigin: boolean;
}

/** Fetch Standard §4.4. */
const REDIRECT_LIMIT = 20;
const SAFE: ReadonlySet<string> = new Set(["GET", "HEAD"]);
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** These go with the body where a redirect drops it. */
const BODY_HEADER = /^content-(?:encoding|language|length|location|type)$/;

/** Makes a client with an empty jar. Throws `TypeError` where `origin` is no URL. */
export function createClient<Data extends object = Record<string, unknown>>(
  handler: (request: Request) => MaybePromise<Response>,
  options: ClientOptions<Data> = {},
): Client<Data> {
  const { sessions, now = Date.now } = options;
  const { origin } = new URL(options.origin ?? "https://localhost");
  const jar = createJar(now);
  let url = new URL(origin);

  function keepCookies(response: Response, from: URL): void {
    for (const line of response.headers.getSetCookie()) jar.store(line, from);
  }

  async function send(hop: Hop, signal: AbortSignal): Promise<Response> {
    const { method, body } = hop;
    const headers = headersOf(hop, jar.header(hop.url));
    url = hop.url;
    const target = url.href.replace(/#.*/, ""); // A fragment stays in the browser.
    const response = await handler(new Request(target, { method, headers, body, signal }));
    keepCookies(response, hop.url);
    return response;
  }

  async function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
    const request = new Request(input instanceof Request ? input : new URL(input, origin), init);
    const { method, headers, redirect, signal } = request;
    const body = request.body === null ? null : await request.arrayBuffer();
    if (typeof init?.body === "string" && !headers.has("content-type")) {
      headers.set("content-type", "text/plain;charset=UTF-8"); // Bun does as it sends, no sooner.
    }
    const to = new URL(request.url);
    let hop: Hop = { url: to, method, headers, body, origin, isSameOrigin: to.origin === origin };
    for (let redirects = 0; redirects <= REDIRECT_LIMIT; redirects++) {
      const response = await send(hop, signal);
      const location = response.headers.get("location");
      if (redirect === "manual" || location === null || !REDIRECTS.has(response.status)) {
        return response;
      }
      if (redirect === "error") fail(location, `the request's redirect is "error"`);
      await response.body?.cancel();
      hop = nextHop(hop, response.status, location);
    }
    return fail(hop.url.href, `there were ${REDIRECT_LIMIT} before`);
  }

  async function session<Result>(
    change: (session: Session<Data>) => MaybePromise<Result>,
    path: string | URL = "/",
  ): Promise<Result> {
    if (sessions === undefined) {
      throw new SessionOptionsError("Cannot open the session: give createClient `sessions`");
    }
    const at = new URL(path, origin);
    const opened = await sessions.open(new Request(at, { headers: { cookie: jar.header(at) } }));
    const result = await change(opened);
    keepCookies(await sessions.commit(opened, new Response()), at);
    return result;
  }

  return Object.freeze({
    fetch,
    get: (path, init) => fetch(path, { ...init, method: "GET" }),
    post: (path, form, init) => {
      const body = isFields(form) ? new URLSearchParams(form) : form;
      return fetch(path, { ...init, method: "POST", body });
    },
    session,
    get url() {
      return url.href;
    },
    cookies: () => jar.cookies(),
    cookie: (name) => jar.cookies().find((cookie) => cookie.name === name),
    setCookie: (line, from = "/") => {
      if (/[^\0-\xFF]/.test(line)) {
        throw new TypeError(
          `Cannot set the cookie: a header has bytes alone, got ${JSON.stringify(line)}. ` +
            "Encode its value, with encodeURIComponent for one",
        );
      }
      jar.store(line, new URL(from, origin));
    },
    clear: () => jar.clear(),
  } satisfies Client<Data>);
}

/** A request's headers: the caller's, and a browser's where the caller gave none. */
function headersOf({ url, method, headers, origin, isSameOrigin }: Hop, cookie: string): Headers {
  const site = isSameOrigin ? "same-origin" : "cross-site";
  const all = new Headers({
    cookie,
    origin: SAFE.has(method) ? "" : origin,
    "sec-fetch-site": isTrustworthy(url) ? site : "",
  });
  const names = [...all.keys()];
  for (const [name, value] of headers) all.set(name, value);
  for (const name of names) if (all.get(name) === "") all.delete(name);
  return all;
}

/** The request that a redirect asks for (Fetch Standard §4.4, HTTP-redirect fetch). */
function nextHop(hop: Hop, status: number, location: string): Hop {
  const url = new URL(location, hop.url);
  if (!/^https?:$/.test(url.protocol)) fail(location, "it is no URL of HTTP");
  const headers = new Headers(hop.headers);
  headers.delete("cookie");
  const isLeaving = url.origin !== hop.url.origin;
  if (isLeaving) headers.delete("authorization");
  const origin = isLeaving && !hop.isSameOrigin ? "null" : hop.origin;
  const next = { ...hop, url, headers, origin, isSameOrigin: hop.isSameOrigin && !isLeaving };
  const isGet = status === 303 ? !SAFE.has(hop.method) : status < 303 && hop.method === "POST";
  if (!isGet) return next;
  for (const name of hop.headers.keys()) if (BODY_HEADER.test(name)) headers.delete(name);
  return { ...next, method: "GET", body: null };
}

function fail(location: string, state: string): never {
  throw new TypeError(`Cannot follow the redirect to ${location}: ${state}`);
}

function isFields(form: Fields | BodyInit): form is Fields {
  return typeof form === "object" && Object.getPrototypeOf(form) === Object.prototype;
}
