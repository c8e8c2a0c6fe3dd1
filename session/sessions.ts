import { commitState } from "./commit.ts";
import { cookieValues } from "./cookie/attributes.ts";
import type { Snapshot, VerifiedToken } from "./entries.ts";
import { SessionOptionsError, SessionStoreError } from "./errors.ts";
import { chain, type MaybePromise, type Patience } from "./maybe.ts";
import { checkOptions, type SessionOptions } from "./options.ts";
import { WINDOW } from "./record.ts";
import { createRecords, STORE_DEADLINE, type View } from "./records.ts";
import { withSession } from "./cookie/response.ts";
import { createSession, type Session, stateOf } from "./session.ts";
import { checkSubject, createState, type Origin } from "./state.ts";
import { createTokens, randomId, type Rejection, subjectKey } from "./token/token.ts";

/** A fetch handler that gets the request's session beside the request. */
export type SessionHandler<
  Data extends object,
  Incoming extends Request,
  Rest extends unknown[],
> = (request: Incoming, session: Session<Data>, ...rest: Rest) => MaybePromise<Response>;

/** What `createSessions` gives. */
export interface Sessions<Data extends object = Record<string, unknown>> {
  /**
   * Makes a fetch handler of one that takes a session. What `handler` changed is committed when it
   * returns, whatever the response's status; when it throws, nothing is. Where the store is down it
   * answers 503 with `Retry-After`. Further arguments, such as Bun's server, come through.
   */
  handler<Incoming extends Request = Request, Rest extends unknown[] = []>(
    handler: SessionHandler<Data, Incoming, Rest>,
  ): (request: Incoming, ...rest: Rest) => MaybePromise<Response>;
  /**
   * The request's session. Whatever a client sent gives one: an empty, new session where there is no
   * good cookie. Rejects, or throws, with `SessionStoreError`, and with what `adopt` and `onEvent`
   * throw.
   */
  open(request: Request): MaybePromise<Session<Data>>;
  /**
   * Puts down what was changed and gives the response for it, a copy where it gets a `Set-Cookie`.
   * From then on the session is read-only. A second commit puts the same on another response, and
   * gives the first one's back as it is.
   */
  commit(session: Session<Data>, response: Response): MaybePromise<Response>;
  /**
   * Ends every session of the subject, everywhere at once. Rejects with `SessionStoreError` where
   * the store is down, with `SessionValueError` for what is no subject, and with
   * `SessionOptionsError` without a store.
   */
  endAll(subject: string): Promise<void>;
}

/**
 * Two tokens hardly ever come together; more than these are somebody's try, and none is taken: who
 * put some before the user's own could push that out of sight, and their own session in its place.
 */
const CANDIDATES = 4;
/** Seconds, for a store that comes back by itself. */
const RETRY_AFTER = "2";

/**
 * Sessions that live in one signed cookie. Throws `SessionOptionsError` for a wrong configuration.
 *
 * ```ts
 * const sessions = createSessions<{ username: string }>({ secretKey: process.env["SECRET_KEY"] });
 * const page = sessions.handler((request, session) => new Response(session.get("username", "Nobody")));
 * ```
 */
export function createSessions<Data extends object = Record<string, unknown>>(
  options: SessionOptions<Data>,
): Sessions<Data> {
  const settings = checkOptions(options);
  const { cookie, lifetime, idleTimeout, store, dataIn, adopt, onEvent, now } = settings;
  const tokens = createTokens({ ...settings, audience: cookie.name });
  const records = createRecords(store, dataIn);
  const committer = { settings, tokens, records, turns: new Map<string, Promise<unknown>>() };
  const onLateWrite = (id: string): void => onEvent({ type: "late-write", id });
  const sessionSettings = { lifetime, idleTimeout, now, onLateWrite };
  const commits = new WeakMap<Session<Data>, MaybePromise<string | undefined>>();

  function open(request: Request): MaybePromise<Session<Data>> {
    const header = request.headers.get("cookie");
    const values = header === null ? [] : cookieValues(header, cookie.name);
    const [first] = values;
    if (first === undefined) return openVisitor(request);
    if (values.length === 1) {
      return chain(tokens.verify(first), (result) =>
        typeof result === "string" ? refuse(request, result) : openToken(result),
      );
    }
    return openOneOf(request, values);
  }

  function openVisitor(request: Request): MaybePromise<Session<Data>> {
    const visitor = create({ kind: "new" });
    return adopt === undefined
      ? visitor
      : chain(adopt(request), (data) => {
          if (data !== undefined) visitor.update(data);
          return visitor;
        });
  }

  function refuse(request: Request, reason: Rejection): MaybePromise<Session<Data>> {
    onEvent({ type: "rejected", reason });
    // What is no token at all may be the other system's cookie, under the same name.
    return reason === "malformed" ? openVisitor(request) : create({ kind: "new" });
  }

  /** Of several cookies the one that verifies; of two of one session the newer; of two sessions none. */
  async function openOneOf(request: Request, values: readonly string[]): Promise<Session<Data>> {
    if (values.length > CANDIDATES) return refuseAll();
    const results = await Promise.all(values.map(async (value) => tokens.verify(value)));
    const verified = results.filter((result) => typeof result !== "string");
    const [first, ...others] = verified.toSorted((one, other) => other.version - one.version);
    if (first === undefined) {
      const reason = results.find((result) => typeof result === "string");
      return refuse(request, reason ?? "malformed");
    }
    const isOne = others.every(({ id }) => id === first.id);
    return isOne ? openToken(first) : refuseAll();
  }

  function refuseAll(): Session<Data> {
    onEvent({ type: "ambiguous" });
    return create({ kind: "new" });
  }

  function openToken(token: VerifiedToken): MaybePromise<Session<Data>> {
    const patience = { left: STORE_DEADLINE };
    return chain(records.view(token, patience), (view) => {
      if (view.end !== undefined) return openEnded(token, view);
      const version = Math.max(token.version, view.record?.version ?? 0);
      return create({ kind: "live", token, present: view.present, version }, patience);
    });
  }

  function openEnded(
    { id }: Snapshot,
    { end, since }: Exclude<View, { end: undefined }>,
  ): Session<Data> {
    onEvent({ type: end === "moved" ? "superseded" : "ended", id });
    const isOvertaken = end === "moved" && now() < since + WINDOW * 1000;
    return create(isOvertaken ? { kind: "overtaken", id } : { kind: "new" });
  }

  function create(origin: Origin, patience: Patience = { left: STORE_DEADLINE }): Session<Data> {
    return createSession(createState(sessionSettings, origin, patience));
  }

  function commit(session: Session<Data>, response: Response): MaybePromise<Response> {
    const state = stateOf(session);
    const isAgain = state.isCommitted;
    if (!isAgain) {
      const line = commitState(committer, state);
      state.isCommitted = true;
      if (line === undefined) return withSession(response, state.isTouched, undefined);
      commits.set(session, line);
    }
    return chain(commits.get(session), (line) => {
      const isDone = isAgain && line !== undefined && hasLine(response, line);
      return isDone ? response : withSession(response, state.isTouched, line);
    });
  }

  function handler<Incoming extends Request, Rest extends unknown[]>(
    handle: SessionHandler<Data, Incoming, Rest>,
  ): (request: Incoming, ...rest: Rest) => MaybePromise<Response> {
    function run(session: Session<Data>, request: Incoming, rest: Rest): MaybePromise<Response> {
      return chain(handle(request, session, ...rest), (response) => commit(session, response));
    }
    return (request, ...rest) => {
      try {
        const opened = open(request);
        const response =
          opened instanceof Promise
            ? opened.then((session) => run(session, request, rest))
            : run(opened, request, rest);
        return response instanceof Promise ? response.catch(answerStoreError) : response;
      } catch (error) {
        return answerStoreError(error);
      }
    };
  }

  async function endAll(subject: string): Promise<void> {
    if (store === null) {
      throw new SessionOptionsError("Cannot end all sessions of a subject: there is no store");
    }
    checkSubject(subject);
    await records.setGeneration(await subjectKey(subject), randomId(), idleTimeout + 2 * WINDOW);
  }

  return Object.freeze({ handler, open, commit, endAll });
}

function hasLine(response: Response, line: string): boolean {
  return response.headers.getSetCookie().includes(line);
}

/** A visitor can try again; every other error is the application's. */
function answerStoreError(error: unknown): Response {
  if (!(error instanceof SessionStoreError)) throw error;
  return new Response("The service is busy. Please try again in a moment.\n", {
    status: 503,
    headers: {
      "retry-after": RETRY_AFTER,
      "cache-control": "no-store",
      "content-type": "text/plain; charset=utf-8",
    },
  });
}
