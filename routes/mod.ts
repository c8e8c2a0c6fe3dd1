import {
  createSessions,
  type MaybePromise,
  type SessionEvent,
  type Store,
} from "../session/mod.ts";
import { checkOrigin } from "../session/origin.ts";
import { clientAddress, type TrustedProxies } from "./shared/address.ts";
import type { Data, Route } from "./shared/types.ts";
import * as everywhere from "./everywhere.ts";
import * as health from "./health.ts";
import { checkHost } from "./shared/host.ts";
import { problem, SECURITY_HEADERS } from "./shared/html.ts";
import * as index from "./index.ts";
import { createLimit } from "./shared/limit.ts";
import { errorFields, type Log } from "./shared/log.ts";
import * as login from "./login.ts";
import * as logout from "./logout.ts";

type Methods = { readonly GET?: Route; readonly POST?: Route };

/** The paths with a session, and what answers each method. HEAD is answered as GET. */
const ROUTES: ReadonlyMap<string, Methods> = new Map<string, Methods>([
  ["/", index],
  ["/login", login],
  ["/logout", logout],
  ["/logout/everywhere", everywhere],
]);

/** What the application is made of. */
export interface AppOptions {
  readonly secretKey: string;
  readonly secretKeyFallbacks: readonly string[];
  readonly store: Store;
  /** Seconds. */
  readonly lifetime: number;
  /** Seconds. */
  readonly idleTimeout: number;
  /** Whether users come over https: then the cookie is secure and HSTS is sent. */
  readonly isSecure: boolean;
  /** The origin that users see, where it is not what the request shows. */
  readonly publicOrigin: string | undefined;
  /** Login attempts a minute from one address; 0 for no limit. */
  readonly loginRate: number;
  readonly trustedProxies: TrustedProxies;
  readonly log: Log;
  /** Whether requests may come: the store answers, and the server is not stopping. */
  readonly isReady: () => MaybePromise<boolean>;
}

/** Who sent a request: Bun's server knows, until the connection is reset. */
export interface Peers {
  requestIP(request: Request): { readonly address: string } | null;
}

/** The whole application. */
export interface App {
  /** Answers a request, with a page that says nothing about us where that fails. */
  readonly fetch: (request: Request, peers: Peers) => Promise<Response>;
  /** That page, for what goes wrong outside of `fetch`. The reason is left to the log. */
  readonly error: (error: unknown) => Response;
}

/** Makes the application. Throws `SessionOptionsError` for a wrong configuration. */
export function createApp(options: AppOptions): App {
  const { log, isSecure, publicOrigin, trustedProxies, isReady } = options;
  const { secretKey, secretKeyFallbacks, store, lifetime, idleTimeout } = options;
  const sessions = createSessions<Data>({
    secretKey,
    secretKeyFallbacks,
    store,
    lifetime,
    idleTimeout,
    cookie: { secure: isSecure },
    onEvent: tell,
  });
  const attempts = createLimit({ rate: options.loginRate });
  const origins = publicOrigin === undefined ? {} : { publicOrigin };
  const context = { sessions, publicOrigin, note: log.note };
  const page = sessions.handler((request: Request, session, route: Route) =>
    route(request, session, context),
  );
  const headers = isSecure
    ? { ...SECURITY_HEADERS, "strict-transport-security": "max-age=31536000" }
    : SECURITY_HEADERS;

  function tell({ type, ...fields }: SessionEvent): void {
    if (!("id" in fields)) return log.note(type, fields);
    const { id, ...rest } = fields;
    log.note(type, { session: shortHash(id), ...rest });
  }

  function addressOf(request: Request, peer: string): string {
    return clientAddress(peer, request.headers.get("x-forwarded-for"), trustedProxies);
  }

  function answer(request: Request, peer: string): MaybePromise<Response> {
    const noHost = checkHost(request);
    if (noHost !== null) {
      log.note("refused-host", { reason: noHost });
      return problem(400, "That is no valid request", "Please check the address.");
    }
    const path = pathOf(request.url);
    if (path === "/healthz") return onlyGet(request, health.live);
    if (path === "/readyz") return onlyGet(request, async () => health.ready(await isReady()));
    const methods = ROUTES.get(path);
    if (methods === undefined) {
      return problem(404, "There is no such page", "Please check the address.");
    }
    const route = routeOf(methods, request.method);
    if (route === undefined) return methodNotAllowed(allowedBy(methods));
    const refusal = checkOrigin(request, origins);
    if (refusal !== null) {
      log.note("refused-origin", { reason: refusal });
      return problem(403, "That did not come from this site", "Please use the form on our page.");
    }
    if (route === login.POST) {
      const seconds = attempts.take(addressOf(request, peer));
      if (seconds > 0) return tooMany(seconds);
    }
    return page(request, route);
  }

  async function answerAlways(request: Request, peer: string): Promise<Response> {
    try {
      const response = await answer(request, peer);
      if (response.status === 503) log.note("unavailable");
      return response;
    } catch (error) {
      return isAbort(request, error) ? new Response(null, { status: 499 }) : answerError(error);
    }
  }

  function answerError(error: unknown): Response {
    log.note("error", errorFields(error));
    return problem(500, "Something went wrong", "Please try again. We have noted what happened.");
  }

  function tooMany(seconds: number): Response {
    log.note("limited");
    const advice = `Please wait ${seconds} seconds and try again.`;
    return problem(429, "Too many attempts", advice, { headers: { "retry-after": `${seconds}` } });
  }

  function withHeaders(response: Response): Response {
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  }

  return {
    async fetch(request, peers) {
      // Asked once and first of all: of a connection that is reset nothing is known any more.
      const peer = peers.requestIP(request)?.address ?? UNKNOWN;
      return withHeaders(
        await log.request(
          () => answerAlways(request, peer),
          () => ({ address: addressOf(request, peer) }),
        ),
      );
    },
    error: (error) => withHeaders(answerError(error)),
  };
}

/** A peer that is nobody's address, so it is never trusted, and all such requests count as one. */
const UNKNOWN = "unknown";

/** Whether the client has gone, so that nobody reads an answer and nothing is wrong here. */
function isAbort(request: Request, error: unknown): boolean {
  return request.signal.aborted && error instanceof DOMException && error.name === "AbortError";
}

/** Tells sessions apart in the log, which is no place for their ids. */
function shortHash(id: string): string {
  return new Bun.CryptoHasher("sha256").update(id).digest("base64url").slice(0, 12);
}

/**
 * The path of a URL, to the letter: an encoded spelling is another path. The URL has no origin where
 * the request had no good `Host`.
 */
function pathOf(url: string): string {
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  const end = url.slice(start).search(/[?#]/);
  return end === -1 ? url.slice(start) : url.slice(start, start + end);
}

function routeOf(methods: Methods, method: string): Route | undefined {
  if (method === "GET" || method === "HEAD") return methods.GET;
  return method === "POST" ? methods.POST : undefined;
}

function allowedBy({ GET, POST }: Methods): string {
  return [...(GET ? ["GET", "HEAD"] : []), ...(POST ? ["POST"] : [])].join(", ");
}

function methodNotAllowed(allow: string): Response {
  const advice = "Please use the links and forms on our pages.";
  return problem(405, "That is not possible here", advice, { headers: { allow } });
}

function onlyGet(request: Request, answer: () => MaybePromise<Response>): MaybePromise<Response> {
  const isGet = request.method === "GET" || request.method === "HEAD";
  return isGet ? answer() : methodNotAllowed("GET, HEAD");
}
