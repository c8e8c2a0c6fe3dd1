import {
  createSessions,
  type MaybePromise,
  type SessionEvent,
  type Store,
} from "../session/mod.ts";
import { checkOrigin } from "../session/origin.ts";
import { clientAddress, networksOf, type TrustedProxies } from "./shared/address.ts";
import type { Context, Data, Paths, PlainRoute, Route, RouteModule } from "./shared/types.ts";
import * as account from "./account.ts";
import * as accountEnd from "./account_end.ts";
import * as accountEndOthers from "./account_end_others.ts";
import * as everywhere from "./everywhere.ts";
import * as healthz from "./healthz.ts";
import { createAnswers, type Problem } from "./shared/answers.ts";
import { chain } from "./shared/chain.ts";
import { checkHost } from "./shared/host.ts";
import * as index from "./index.ts";
import * as jwks from "./jwks.ts";
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
  account: "/account",
  end: "/account/end",
  endOthers: "/account/end/others",
  healthz: "/healthz",
  readyz: "/readyz",
  keySet: "/.well-known/jwks.json",
};

/** Answers a request. */
export type Answer = (request: Request, peers: Peers) => MaybePromise<Response>;

/** A path's answers by method, in the order of `Allow`. */
type Row = ReadonlyMap<string, Answer>;

/** What the application is made of. */
export interface AppOptions {
  readonly secretKey: string;
  readonly secretKeyFallbacks: readonly string[];
  /** What signs the sessions; undefined for the library's own. */
  readonly algorithm?: "HS256" | "ES256" | undefined;
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
  /** Whether answers close their connections, because the server is stopping. */
  readonly isStopping: () => boolean;
}

/** Who sent a request: Bun's server knows, until the connection is reset. */
export interface Peers {
  requestIP(request: Request): { readonly address: string } | null;
}

/** The whole application. */
export interface App {
  /** What answers each page, by path and method: Bun's router finds it faster than `fetch`. */
  readonly routes: Readonly<Record<string, Readonly<Record<string, Answer>>>>;
  /** Answers any request, with a page that says nothing about us where that fails. */
  readonly fetch: Answer;
  /** That page, for what goes wrong outside of both. The reason is left to the log. */
  readonly error: (error: unknown) => Response;
}

/** Makes the application. Throws `SessionOptionsError` for a wrong configuration. */
export function createApp(options: AppOptions): App {
  const { log, isSecure, publicOrigin, trustedProxies, isReady, isStopping } = options;
  const { secretKey, secretKeyFallbacks, store, cookieName, lifetime, idleTimeout } = options;
  const { algorithm } = options;
  const sessions = createSessions<Data>({
    secretKey,
    secretKeyFallbacks,
    ...(algorithm !== undefined && { algorithm }),
    store,
    lifetime,
    idleTimeout,
    list: true,
    cookie: { secure: isSecure, ...(cookieName !== undefined && { name: cookieName }) },
    // The check stands before every route, also where there is no session.
    origin: false,
    onEvent: tell,
  });
  const attempts = createLimit({ rate: options.loginRate });
  const origins = publicOrigin === undefined ? {} : { publicOrigin };
  const answers = createAnswers(PATHS.start, isSecure);
  const context: Context = {
    paths: PATHS,
    answers,
    sessions,
    publicOrigin,
    isReady,
    keySet,
    note: log.note,
  };
  let keys: string | undefined;
  /** The last `Host` that was good. Comparing with it is faster than parsing the URL. */
  let lastHost: string | null = null;
  const table: ReadonlyMap<string, Row> = new Map([
    [PATHS.start, rowOf(index)],
    [PATHS.login, rowOf(login)],
    [PATHS.logout, rowOf(logout)],
    [PATHS.everywhere, rowOf(everywhere)],
    [PATHS.account, rowOf(account)],
    [PATHS.end, rowOf(accountEnd)],
    [PATHS.endOthers, rowOf(accountEndOthers)],
    [PATHS.healthz, rowOf(healthz)],
    [PATHS.readyz, rowOf(readyz)],
    // Without public keys there is no such page.
    ...(algorithm === "ES256" ? [[PATHS.keySet, rowOf(jwks)] as const] : []),
  ]);

  /** Made once: it is the same as long as the server runs. */
  async function keySet(): Promise<string> {
    return (keys ??= JSON.stringify(await sessions.publicKeys()));
  }

  function rowOf(module: RouteModule): Row {
    const row = new Map<string, Answer>();
    if (module.session === "none") return addGet(row, withoutSession(module.GET));
    const { GET, POST, isLimited = false } = module;
    if (GET !== undefined) addGet(row, withSession(GET));
    if (POST === undefined) return row;
    const take = withSession(POST);
    return row.set("POST", isLimited && options.loginRate > 0 ? withLimit(take) : take);
  }

  function withoutSession(route: PlainRoute): Answer {
    return (request) => route(request, context);
  }

  function withSession(route: Route): Answer {
    const handle = sessions.handler((request, session) => route(request, session, context));
    return (request) => chain(handle(request), checkAvailable);
  }

  /** A page of ours in place of the library's answer where the store fails. */
  function checkAvailable(response: Response): Response {
    if (response.status !== 503) return response;
    log.note("unavailable");
    return answers.later(NO_STORE, response.headers.get("retry-after") ?? "2");
  }

  function withLimit(answer: Answer): Answer {
    return (request, peers) => {
      const seconds = attempts.take(networksOf(addressOf(request, peers)));
      return seconds > 0 ? tooMany(seconds) : answer(request, peers);
    };
  }

  function tooMany(seconds: number): Response {
    log.note("limited");
    const wait = seconds === 1 ? "a second" : `${seconds} seconds`;
    const advice = `Please wait ${wait}, then try again.`;
    return answers.later({ status: 429, title: "Too many login attempts", advice }, `${seconds}`);
  }

  function tell(event: SessionEvent): void {
    // The answer is noted.
    if (event.type === "unavailable") return;
    const { type, ...fields } = event;
    if (!("id" in fields)) return log.note(type, fields);
    const { id, ...rest } = fields;
    log.note(type, { session: shortHash(id), ...rest });
  }

  function addressOf(request: Request, peers: Peers): string {
    const peer = peers.requestIP(request)?.address ?? UNKNOWN;
    return clientAddress(peer, request.headers.get("x-forwarded-for"), trustedProxies);
  }

  /** Answers a request whose page the router found. */
  function answerFound(request: Request, peers: Peers, page: Answer): MaybePromise<Response> {
    return refuseNewHost(request) ?? refuseOrigin(request) ?? page(request, peers);
  }

  /** Answers any other request. The router misses some spellings of a path, such as `/./login`. */
  function answerAny(request: Request, peers: Peers): MaybePromise<Response> {
    const refusal = refuseHost(request);
    if (refusal !== undefined) return refusal;
    const row = table.get(pathOf(request.url));
    if (row === undefined) return answers.problem(NO_PAGE);
    const page = row.get(request.method);
    if (page === undefined) return noMethod(row);
    return refuseOrigin(request) ?? page(request, peers);
  }

  /** Bun makes the URL from `Host` and a path that its router knows, so it is good if the host is. */
  function refuseNewHost(request: Request): Response | undefined {
    const host = request.headers.get("host");
    if (host !== null && host === lastHost) return undefined;
    const refusal = refuseHost(request);
    if (refusal === undefined) lastHost = host;
    return refusal;
  }

  function refuseHost(request: Request): Response | undefined {
    const reason = checkHost(request);
    if (reason === null) return undefined;
    log.note("refused-host", { reason });
    return answers.problem(NO_HOST);
  }

  function refuseOrigin(request: Request): Response | undefined {
    const reason = checkOrigin(request, origins);
    if (reason === null) return undefined;
    log.note("refused-origin", { reason });
    return answers.problem(OTHER_SITE);
  }

  function noMethod(row: Row): Response {
    const response = answers.problem(NO_METHOD);
    response.headers.set("allow", [...row.keys()].join(", "));
    return response;
  }

  /** Makes what the server calls: it answers whatever happens, and writes the log. */
  function entry(answer: Answer): Answer {
    return log.around(
      (request, peers) => {
        try {
          const response = answer(request, peers);
          return response instanceof Promise ? settle(request, response) : finish(response);
        } catch (error) {
          return finish(answerFailure(request, error));
        }
      },
      (request, peers) => ({ address: addressOf(request, peers) }),
    );
  }

  async function settle(request: Request, response: Promise<Response>): Promise<Response> {
    try {
      return finish(await response);
    } catch (error) {
      return finish(answerFailure(request, error));
    }
  }

  function finish(response: Response): Response {
    if (isStopping()) response.headers.set("connection", "close");
    return response;
  }

  function answerFailure(request: Request, error: unknown): Response {
    return isAbort(request, error) ? new Response(null, { status: 499 }) : answerError(error);
  }

  function answerError(error: unknown): Response {
    log.note("error", errorFields(error));
    return answers.problem(ERROR);
  }

  function entriesOf(row: Row): Readonly<Record<string, Answer>> {
    return Object.fromEntries(
      Array.from(row, ([method, page]) => [
        method,
        entry((request, peers) => answerFound(request, peers, page)),
      ]),
    );
  }

  return {
    routes: Object.fromEntries(Array.from(table, ([path, row]) => [path, entriesOf(row)])),
    fetch: entry(answerAny),
    error: answerError,
  };
}

/** HEAD is answered by GET: Bun leaves the body out. */
function addGet(row: Map<string, Answer>, answer: Answer): Row {
  return row.set("GET", answer).set("HEAD", answer);
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

const NO_HOST: Problem = {
  status: 400,
  title: "Bad request",
  advice: "We could not tell which site you asked for. Please check the address.",
};
const OTHER_SITE: Problem = {
  status: 403,
  title: "Request refused",
  advice: "It came from another site. Please use the form on our own page.",
};
const NO_PAGE: Problem = {
  status: 404,
  title: "Page not found",
  advice: "Please check the address.",
};
const NO_METHOD: Problem = {
  status: 405,
  title: "This page can’t do that",
  advice: "Please use the links and buttons on our pages.",
};
const ERROR: Problem = {
  status: 500,
  title: "Something went wrong",
  advice: "We have logged the error. Please try again.",
};
const NO_STORE: Problem = {
  status: 503,
  title: "Temporarily unavailable",
  advice: "We can’t look up your session right now. Please try again in a moment.",
};
