import { type Answer, BUSY, REFUSED } from "./answers.ts";
import { addSession, type ChangeableHeaders } from "./cookie/response.ts";
import { SessionStoreError } from "./errors.ts";
import { holdUntilCommitted, type NodeResponse } from "./hold.ts";
import { chain, type MaybePromise, rescue } from "./maybe.ts";
import type { CheckedRequest } from "./origin.ts";
import { draftOf } from "./readonly_session.ts";
import type { Session } from "./session.ts";
import { originCheckOf, type Sessions } from "./sessions.ts";
import type { NodeHeaders } from "./source.ts";

export type { NodeResponse } from "./hold.ts";

/** A request as Node, Express, Connect and Polka have it. */
export interface NodeRequest {
  readonly headers: NodeHeaders;
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly socket: object;
  /** Express': whether the user's connection is encrypted, as a trusted proxy says. */
  readonly secure?: boolean;
}

/** What the middleware adds to a request. */
export interface WithSession<Data extends object = Record<string, unknown>> {
  session: Session<Data>;
}

/** A middleware of Express, Connect or Polka. */
export type SessionMiddleware<Data extends object = Record<string, unknown>> = (
  request: NodeRequest & Partial<WithSession<Data>>,
  response: NodeResponse,
  next: (error?: unknown) => void,
) => void;

/**
 * A middleware for Express, Connect and Polka. It gives each request its `session`:
 *
 * ```ts
 * app.use(session(sessions));
 * app.get("/", (request, response) => response.send(`You are ${request.session.subject}`));
 * ```
 *
 * It does what `handler` does. Before the first byte of the answer leaves, whatever sends it, it commits
 * the session's changes and adds the cookie; the answer waits only where there is something to sign or
 * to store. A change from a page of another site gets a 403, and a request whose store is down a 503.
 * If a commit fails for another reason, the error goes to `next`, and what the application sent is
 * dropped. An error page is an answer as any other: it commits what was changed before.
 *
 * Express has the type of `request.session` from these lines:
 *
 * ```ts
 * declare global {
 *   namespace Express { interface Request extends WithSession<Data> {} }
 * }
 * ```
 *
 * Throws `TypeError` if `sessions` does not come from `createSessions`.
 */
export function session<Data extends object>(
  sessions: Sessions<Data>,
  options: {
    /** False for routes that other sites' pages may send to. Default: as in `createSessions`. */
    readonly origin?: false;
  } = {},
): SessionMiddleware<Data> {
  const isRefused = originCheckOf(sessions);
  if (isRefused === undefined) {
    throw new TypeError("Cannot make the middleware: expected what createSessions gives");
  }
  return (request, response, next) => {
    const end = response.end.bind(response);

    function answer({ status, headers, body }: Answer): void {
      response.statusCode = status;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      end(body);
    }

    function fail(error: unknown): void {
      if (error instanceof SessionStoreError) answer(BUSY);
      else proceed(error);
    }

    /** Polka's `next` throws what a handler throws, and for an error whose code is a word. */
    function proceed(error?: unknown): void {
      try {
        next(error);
      } catch (thrown) {
        if (error === undefined) proceed(thrown);
        else if (!response.headersSent) answer({ status: 500, headers: {}, body: "" });
      }
    }

    function begin(session: Session<Data>): void {
      function commit(): MaybePromise<readonly string[]> {
        return chain(sessions.commitCookie(session), (cookie) =>
          [cookie, cookie?.forget].flatMap((cookie) => cookie?.line ?? []),
        );
      }

      function addCookies(lines: readonly string[]): void {
        addSession(headersOf(response), draftOf(session).isTouched, lines);
      }

      // A second middleware of the same sessions leaves the commit to the first.
      if (request.session !== session) {
        request.session = session;
        holdUntilCommitted(response, { commit, addCookies, onError: fail });
      }
      proceed();
    }

    if (isRefused(checkedOf(request), options.origin)) answer(REFUSED);
    else void rescue(() => chain(sessions.open(request), begin), fail);
  };
}

/** What the check of its origin looks at. HTTP/2 has `:authority` in place of `Host`. */
function checkedOf(request: NodeRequest): CheckedRequest {
  const { headers, method = "GET", socket, url = "/" } = request;
  const isSecure = request.secure ?? ("encrypted" in socket && socket.encrypted === true);
  const host = String(headers["host"] ?? headers[":authority"] ?? "");
  return {
    method,
    url: `${isSecure ? "https" : "http"}://${host}${url}`,
    headers: { get: (name) => headers[name.toLowerCase()]?.toString() ?? null },
  };
}

function headersOf(response: NodeResponse): ChangeableHeaders {
  function valuesOf(name: string): readonly string[] {
    const value = response.getHeader(name) ?? [];
    return typeof value === "object" ? value : [String(value)];
  }
  return {
    keys: () => response.getHeaderNames(),
    get: (name) => (response.getHeader(name) === undefined ? null : valuesOf(name).join(", ")),
    set: (name, value) => void response.setHeader(name, value),
    append: (name, value) => void response.setHeader(name, [...valuesOf(name), value]),
    delete: (name) => response.removeHeader(name),
  };
}
