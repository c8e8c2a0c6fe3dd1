import {
  createSessions,
  type MaybePromise,
  type SessionEvent,
  type Store,
} from "../session/mod.ts";
import { checkOrigin } from "../session/origin.ts";
import { clientAddress, networksOf, type TrustedProxies } from "./shared/address.ts";
import type { Context, Data, Paths, Route, RouteModule } from "./shared/types.ts";
import * as everywhere from "./everywhere.ts";
import * as healthz from "./healthz.ts";
import { checkHost } from "./shared/host.ts";
import { type Problem, problemPage, SECURITY_HEADERS } from "./shared/html.ts";
import * as index from "./index.ts";
import { createLimit } from "./shared/limit.ts";
import { errorFields, type Log } from "./shared/log.ts";
import * as login from "./login.ts";
import * as logout from "./logout.ts";
import * as readyz from "./readyz.ts";

/** All paths stand here, so that a prefix can be put before them. */
export const PATHS: Paths = {
  start: "/",
  login: "/login",
  logout: "/logout",
  everywhere: "/logout/everywhere",
  healthz: "/healthz",
  readyz: "/readyz",
};

/** A path's answers. */
interface Row {
  readonly GET: Answer | undefined;
  readonly POST: Answer | undefined;
  readonly isLimited: boolean;
}

type Answer = (request: Request) => MaybePromise<Response>;

/** What the application is made of. */
export interface AppOptions {
  readonly secretKey: string;
  readonly secretKeyFallbacks: readonly string[];
  readonly store: Store;
  /** The cookie's name; undefined for the library's own. */
  readonly cookieName: string | undefined;
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
  const { secretKey, secretKeyFallbacks, store, cookieName, lifetime, idleTimeout } = options;
  const sessions = createSessions<Data>({
    secretKey,
    secretKeyFallbacks,
    store,
    lifetime,
    idleTimeout,
    cookie: { secure: isSecure, ...(cookieName !== undefined && { name: cookieName }) },
    // The check stands before every route, also where there is no session.
    origin: false,
    onEvent: tell,
  });
  const attempts = createLimit({ rate: options.loginRate });
  const origins = publicOrigin === undefined ? {} : { publicOrigin };
  const context: Context = { paths: PATHS, sessions, publicOrigin, isReady, note: log.note };
  const table: ReadonlyMap<string, Row> = new Map([
    [PATHS.start, rowOf(index)],
    [PATHS.login, rowOf(login)],
    [PATHS.logout, rowOf(logout)],
    [PATHS.everywhere, rowOf(everywhere)],
    [PATHS.healthz, rowOf(healthz)],
    [PATHS.readyz, rowOf(readyz)],
  ]);
  const headers = isSecure
    ? { ...SECURITY_HEADERS, "strict-transport-security": "max-age=31536000" }
    : SECURITY_HEADERS;

  function rowOf(module: RouteModule): Row {
    if (module.session === "none") {
      return { GET: (request) => module.GET(request, context), POST: undefined, isLimited: false };
    }
    const { GET, POST, isLimited = false } = module;
    return { GET: GET && withSession(GET), POST: POST && withSession(POST), isLimited };
  }

  function withSession(route: Route): Answer {
    const handle = sessions.handler((request, session) => route(request, session, context));
    return async (request) => {
      const response = await handle(request);
      if (response.status === 503) log.note("unavailable");
      return response;
    };
  }

  function tell(event: SessionEvent): void {
    // The answer is noted.
    if (event.type === "unavailable") return;
    const { type, ...fields } = event;
    if (!("id" in fields)) return log.note(type, fields);
    const { id, ...rest } = fields;
    log.note(type, { session: shortHash(id), ...rest });
  }

  function addressOf(request: Request, peer: string): string {
    return clientAddress(peer, request.headers.get("x-forwarded-for"), trustedProxies);
  }

  /** What stands before every page, each once: the check of its host, its origin and the limit. */
  function answer(request: Request, peer: string): MaybePromise<Response> {
    const noHost = checkHost(request);
    if (noHost !== null) {
      log.note("refused-host", { reason: noHost });
      return problem(NO_HOST);
    }
    const row = table.get(pathOf(request.url));
    if (row === undefined) return problem(NO_PAGE);
    const route = routeOf(row, request.method);
    if (route === undefined) return problem(NO_METHOD, { allow: allowedBy(row) });
    const refusal = checkOrigin(request, origins);
    if (refusal !== null) {
      log.note("refused-origin", { reason: refusal });
      return problem(OTHER_SITE);
    }
    const seconds = row.isLimited ? secondsToWait(request, peer) : 0;
    return seconds > 0 ? tooMany(seconds) : route(request);
  }

  function secondsToWait(request: Request, peer: string): number {
    return request.method === "POST" ? attempts.take(networksOf(addressOf(request, peer))) : 0;
  }

  function tooMany(seconds: number): Response {
    log.note("limited");
    const advice = `Please wait ${seconds} seconds and try again.`;
    const tooMany = { status: 429, title: "Too many attempts", advice };
    return problem(tooMany, { "retry-after": `${seconds}` });
  }

  async function answerAlways(request: Request, peer: string): Promise<Response> {
    try {
      return await answer(request, peer);
    } catch (error) {
      return isAbort(request, error) ? new Response(null, { status: 499 }) : answerError(error);
    }
  }

  function answerError(error: unknown): Response {
    log.note("error", errorFields(error));
    return problem(ERROR);
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

function routeOf({ GET, POST }: Row, method: string): Answer | undefined {
  if (method === "GET" || method === "HEAD") return GET;
  return method === "POST" ? POST : undefined;
}

function allowedBy({ GET, POST }: Row): string {
  return [...(GET ? ["GET", "HEAD"] : []), ...(POST ? ["POST"] : [])].join(", ");
}

function problem(problem: Problem, headers?: Readonly<Record<string, string>>): Response {
  return problemPage(problem, PATHS.start, headers);
}

const NO_HOST: Problem = {
  status: 400,
  title: "That is no valid request",
  advice: "Please check the address.",
};
const OTHER_SITE: Problem = {
  status: 403,
  title: "That did not come from this site",
  advice: "Please use the form on our page.",
};
const NO_PAGE: Problem = {
  status: 404,
  title: "There is no such page",
  advice: "Please check the address.",
};
const NO_METHOD: Problem = {
  status: 405,
  title: "That is not possible here",
  advice: "Please use the links and forms on our pages.",
};
const ERROR: Problem = {
  status: 500,
  title: "Something went wrong",
  advice: "Please try again. We have noted what happened.",
};
