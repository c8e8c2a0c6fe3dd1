import { BUSY } from "./answers.ts";
import { type Committer, commitDraft } from "./commit.ts";
import { RETENTION } from "./decide.ts";
import type { CommittedCookie } from "./cookie/header.ts";
import { withSession } from "./cookie/response.ts";
import { SessionOptionsError, SessionStoreError } from "./errors.ts";
import type { SessionInfo } from "./list_calls.ts";
import { checkSubject } from "./login.ts";
import { chain, isPromise, type MaybePromise, rescue } from "./maybe.ts";
import type { Draft } from "./changes.ts";
import { createInsecureWarning } from "./insecure.ts";
import { createOpener } from "./open.ts";
import { checkOptions, type SessionOptions } from "./options.ts";
import { type CheckedRequest, checkOrigin, type OriginOptions, refuseOrigin } from "./origin.ts";
import { writeGeneration } from "./record.ts";
import { draftOf, ReadonlySession } from "./readonly_session.ts";
import { endOthersOf, Session } from "./session.ts";
import {
  type CookieJar,
  cookieHeaderOf,
  headersOf,
  type NodeHeaders,
  type Source,
} from "./source.ts";
import type { Storable } from "./state.ts";
import { guarded, NO_STORE } from "./stores/guarded.ts";
import type { PublicKey } from "./token/es256.ts";
import { createTokens, generationKey, randomId } from "./token/token.ts";

/** A fetch handler that gets the request's session beside the request. */
export type SessionHandler<
  Data extends object,
  Incoming extends Request,
  Rest extends unknown[],
> = (request: Incoming, session: Session<Data>, ...rest: Rest) => MaybePromise<Response>;

/** What `createSessions` gives. */
export interface Sessions<Data extends object = Record<string, unknown>> {
  /**
   * Turns a handler that takes a session into a fetch handler. When it returns, its changes are
   * committed, whatever the response's status; when it throws, none are. Where the store is down it
   * answers 503 with `Retry-After`. A request that a page of another site made the browser send,
   * and that may change something, gets a 403 before its body is read (`checkOrigin`). If handlers
   * are nested, only the outermost commits. Other arguments, such as Bun's server, are passed on.
   */
  handler<Incoming extends Request = Request, Rest extends unknown[] = []>(
    handler: SessionHandler<Data, Incoming, Rest>,
    options?: {
      /**
       * False for a route that other sites' pages may send to: OpenID's `form_post`, SAML, the
       * return from a payment, an API with CORS. Default: the `origin` option of `createSessions`.
       */
      readonly origin?: false;
    },
  ): (request: Incoming, ...rest: Rest) => MaybePromise<Response>;
  /**
   * The request's session; every call for one request gives the same one. A framework's cookies give
   * the session as they are now. A missing or invalid cookie gives a new, empty session, never an
   * error. Throws or rejects with `SessionStoreError`, and with what `adopt`, `onEvent` and a
   * `secretKey` that is a function throw.
   */
  open(source: Source): MaybePromise<Session<Data>>;
  /**
   * The session as the cookie and the store have it, without what this request changed, for places that
   * can't set a cookie. It can't be changed, and nothing is written to the store. Throws or rejects as
   * `open` does.
   */
  read(source: Source): MaybePromise<ReadonlySession<Data>>;
  /**
   * Commits what was changed and gives the response for it, a copy where it gets a `Set-Cookie`.
   * After that, the session is read-only. A second commit puts the same line on another response.
   * If a commit fails, the session can be changed and committed again.
   */
  commit(session: Session<Data>, response: Response): MaybePromise<Response>;
  /**
   * The same for frameworks that make the response themselves: gives the cookie to send, `undefined`
   * where there is none. Send it before the first byte of the body, with `Cache-Control: no-store`.
   * `forget` is another system's cookie to send as well (option `adopt`). With `jar`, a
   * framework's cookies, sets them there as well.
   */
  commitCookie(
    session: Session<Data>,
    jar?: Pick<CookieJar, "set">,
  ): MaybePromise<(CommittedCookie & { readonly forget?: CommittedCookie }) | undefined>;
  /**
   * Ends every session of the subject, everywhere at once. Rejects with `SessionStoreError` where
   * the store is down, with `SessionValueError` for a subject that `signIn` would refuse, and with
   * `SessionOptionsError` without a store.
   */
  endAll(subject: string): Promise<void>;
  /**
   * The subject's live sessions, newest first, at most 100. Needs the option `list`. A session that
   * began before the option was set appears when its cookie is signed again. Rejects as `endAll` does,
   * and with `SessionOptionsError` without the option.
   */
  list(subject: string): Promise<readonly SessionInfo[]>;
  /**
   * Ends one session of the subject, by the `ref` that `list` gives, everywhere at once. False if it is
   * not one of this subject's, or has already ended. A session that gets a new id gets a new `ref`.
   * Rejects as `list` does.
   */
  end(subject: string, ref: string): Promise<boolean>;
  /**
   * Ends every other session of this session's subject, for example after a password change. This
   * session keeps its data and gets a new id. Takes effect when this session is committed. Throws
   * `SessionOptionsError` without a store, and `SessionError` without a subject.
   */
  endOthers(session: Session<Data>): void;
  /**
   * The keys that verify the tokens of `algorithm: "ES256"`, the current one first: a JWK set
   * (RFC 7517 §5) for services that must not be able to sign. Rejects with `SessionOptionsError` for
   * another algorithm.
   */
  publicKeys(): Promise<{ keys: PublicKey[] }>;
}

/** Whether `handler` refuses a request for its origin. Tells `onEvent` of it. */
type OriginCheck = (request: CheckedRequest, origin?: false | OriginOptions) => boolean;

const originChecks = new WeakMap<object, OriginCheck>();

/** The check that `handler` makes, for other servers. Not part of the public surface. */
export function originCheckOf(sessions: object): OriginCheck | undefined {
  return originChecks.get(sessions);
}

/** One request's session, for everyone who opens it. */
interface Opened<Data extends object> {
  /** The `Cookie` header that it was opened with. */
  readonly header: string | null;
  readonly session: MaybePromise<Session<Data>>;
  /** Whether a handler that will commit it is running. */
  isInHandler: boolean;
}

/**
 * Sessions that live in one signed cookie. Throws `SessionOptionsError` for a wrong configuration.
 *
 * ```ts
 * const sessions = createSessions<{ username: string }>({ secretKey: process.env["SECRET_KEY"] });
 * const page = sessions.handler((request, session) => new Response(session.get("username", "Nobody")));
 * ```
 */
export function createSessions<
  Data extends { readonly [Key in keyof Data]: Storable<Data[Key]> } & object = Record<
    string,
    unknown
  >,
>(options: SessionOptions<Data>): Sessions<Data> {
  const settings = checkOptions(options);
  const { cookie, storeTimeout, onEvent } = settings;
  const tokens = createTokens({ ...settings, audience: cookie.audience });
  const store = settings.store === null ? NO_STORE : guarded(settings.store, storeTimeout);
  const committer: Committer = { settings, tokens, store, turns: new Map() };
  const openDraft = createOpener(settings, tokens, store, options.adopt);
  const warnWhereInsecure = createInsecureWarning(settings);
  const openedOf = new WeakMap<object, Opened<Data>>();

  function open(source: Source): MaybePromise<Session<Data>> {
    const headers = headersOf(source);
    const header = cookieHeaderOf(headers);
    const known = openedOf.get(headers);
    const isKnown = known !== undefined && known.header === header;
    return isKnown ? known.session : openAnew(source, headers, header).session;
  }

  function openAnew(
    source: Source,
    headers: Headers | NodeHeaders,
    header: string | null,
  ): Opened<Data> {
    const opened = { header, session: openSession(source, headers, header), isInHandler: false };
    openedOf.set(headers, opened);
    return opened;
  }

  function openSession(
    source: Source,
    headers: Headers | NodeHeaders,
    header: string | null,
  ): MaybePromise<Session<Data>> {
    try {
      const draft = openDraft(source, header);
      return isPromise(draft) ? openLater(draft, headers) : new Session<Data>(draft);
    } catch (error) {
      return tell(error);
    }
  }

  async function openLater(
    draft: Promise<Draft>,
    headers: Headers | NodeHeaders,
  ): Promise<Session<Data>> {
    try {
      return new Session<Data>(await draft);
    } catch (error) {
      openedOf.delete(headers);
      return tell(error);
    }
  }

  function read(source: Source): MaybePromise<ReadonlySession<Data>> {
    return rescue(() => {
      const draft = openDraft(source, cookieHeaderOf(headersOf(source)));
      return chain(draft, (draft) => new ReadonlySession<Data>(draft));
    }, tell);
  }

  /** Tells of a store that fails, and fails as it did. */
  function tell(error: unknown): never {
    if (error instanceof SessionStoreError) onEvent({ type: "unavailable", error });
    throw error;
  }

  function commit(session: Session<Data>, response: Response): MaybePromise<Response> {
    const draft = draftOf(session);
    const isAgain = draft.committed !== undefined;
    const cookies = commitCookies(session);
    return isPromise(cookies)
      ? cookies.then((cookies) => respond(response, draft.isTouched, cookies, isAgain))
      : respond(response, draft.isTouched, cookies, isAgain);
  }

  function commitCookie(
    session: Session<Data>,
    jar?: Pick<CookieJar, "set">,
  ): ReturnType<Sessions<Data>["commitCookie"]> {
    return chain(commitCookies(session), (cookies) => {
      for (const { name, value, options } of cookies) jar?.set(name, value, options);
      const [cookie, forget] = cookies;
      return cookie === undefined || forget === undefined ? cookie : { ...cookie, forget };
    });
  }

  function commitCookies(session: Session<Data>): MaybePromise<readonly CommittedCookie[]> {
    if (!(session instanceof Session)) {
      throw new TypeError("Cannot commit the session: it comes from read. Use open or handler");
    }
    const draft = draftOf(session);
    return (draft.committed ??= commitOnce(draft));
  }

  function commitOnce(draft: Draft): MaybePromise<readonly CommittedCookie[]> {
    const cookies = commitDraft(committer, draft);
    if (!isPromise(cookies)) return cookies;
    return cookies.then(
      (cookies) => {
        if (cookies.length > 0) warnWhereInsecure(draft.source);
        return cookies;
      },
      (error: unknown) => {
        draft.committed = undefined;
        return tell(error);
      },
    );
  }

  if (options.adopt !== undefined && settings.store === null) onEvent({ type: "adopts-copies" });

  function isRefused(request: CheckedRequest, origin = settings.origin): boolean {
    const reason = origin === false ? null : checkOrigin(request, origin);
    if (reason !== null) onEvent({ type: "refused-origin", reason });
    return reason !== null;
  }

  function handler<Incoming extends Request, Rest extends unknown[]>(
    handle: SessionHandler<Data, Incoming, Rest>,
    { origin }: { readonly origin?: false } = {},
  ): (request: Incoming, ...rest: Rest) => MaybePromise<Response> {
    function run(session: Session<Data>, request: Incoming, rest: Rest): MaybePromise<Response> {
      const response = handle(request, session, ...rest);
      return isPromise(response)
        ? Promise.resolve(response).then((response) => commit(session, checked(response)))
        : commit(session, checked(response));
    }

    return (request, ...rest) => {
      if (isRefused(request, origin)) return refuseOrigin();
      const { headers } = request;
      const header = headers.get("cookie");
      const outer = openedOf.get(headers);
      if (outer?.isInHandler === true && outer.header === header) {
        return chain(outer.session, (session) => chain(handle(request, session, ...rest), checked));
      }
      let opened: Opened<Data> | undefined;
      try {
        opened = openAnew(request, headers, header);
        opened.isInHandler = true;
        const { session } = opened;
        const response = isPromise(session)
          ? session.then((session) => run(session, request, rest))
          : run(session, request, rest);
        if (isPromise(response)) return leaveLater(opened, response);
        opened.isInHandler = false;
        return response;
      } catch (error) {
        if (opened !== undefined) opened.isInHandler = false;
        return answerStoreError(error);
      }
    };
  }

  async function leaveLater(opened: Opened<Data>, response: Promise<Response>): Promise<Response> {
    try {
      return await response;
    } catch (error) {
      return answerStoreError(error);
    } finally {
      opened.isInHandler = false;
    }
  }

  async function endAll(subject: string): Promise<void> {
    checkSubject(subject);
    if (settings.store === null) failWithoutStore("all sessions of a subject");
    const key = await generationKey(cookie.audience, subject);
    const replaced: (string | undefined)[] = [];
    const deadline = performance.now() + storeTimeout;
    try {
      do {
        const [previous] = await store.get([key]);
        // Another one in each try: one that was replaced must not come back.
        const next = writeGeneration(key, randomId(), Math.floor(settings.now()));
        replaced.push(previous);
        if (!(await store.replace(key, previous, next, RETENTION))) continue;
        if (settings.list) {
          const { clearList } = await import("./list_calls.ts");
          await clearList(committer, key, replaced);
        }
        return;
      } while (performance.now() < deadline);
    } catch (error) {
      tell(error);
    }
    tell(new SessionStoreError("other requests kept ending the subject's sessions"));
  }

  async function list(subject: string): Promise<readonly SessionInfo[]> {
    checkSubject(subject);
    if (!settings.list) failWithoutList("list the sessions of a subject");
    const { listSessions } = await import("./list_calls.ts");
    return listSessions(committer, subject).catch(tell);
  }

  async function end(subject: string, ref: string): Promise<boolean> {
    checkSubject(subject);
    if (!settings.list) failWithoutList("end one session of a subject");
    const { endSession } = await import("./list_calls.ts");
    return endSession(committer, subject, ref).catch(tell);
  }

  function endOthers(session: Session<Data>): void {
    if (settings.store === null) failWithoutStore("the other sessions");
    endOthersOf(session);
  }

  async function publicKeys(): Promise<{ keys: PublicKey[] }> {
    return (await import("./token/es256.ts")).publicKeysOf(settings);
  }

  const sessions = {
    handler,
    open,
    read,
    commit,
    commitCookie,
    list,
    end,
    endAll,
    endOthers,
    publicKeys,
  };
  originChecks.set(sessions, isRefused);
  return Object.freeze(sessions);
}

function failWithoutStore(what: string): never {
  throw new SessionOptionsError(`Cannot end ${what}: there is no store. Give createSessions one`);
}

function failWithoutList(action: string): never {
  throw new SessionOptionsError(
    `Cannot ${action}: there is no list. Give createSessions list: true`,
  );
}

/** `isAgain`: an earlier commit may have put the cookies on this very response. */
function respond(
  response: Response,
  isTouched: boolean,
  cookies: readonly CommittedCookie[],
  isAgain: boolean,
): Response {
  const lines = cookies.map(({ line }) => line);
  const isDone = isAgain && lines.length > 0 && hasLines(response, lines);
  return isDone ? response : withSession(response, isTouched, lines);
}

function hasLines(response: Response, lines: readonly string[]): boolean {
  const present = response.headers.getSetCookie();
  return lines.every((line) => present.includes(line));
}

/** Whatever has a status and headers: another realm has a `Response` of its own. */
function checked(response: unknown): Response;
function checked(response: unknown): unknown {
  if (typeof response === "object" && response !== null && "headers" in response) return response;
  const got = response === null ? "null" : typeof response;
  throw new TypeError(`Cannot answer the request: the handler gave ${got}, expected a Response`);
}

/** A visitor can try again; every other error is the application's. */
function answerStoreError(error: unknown): Response {
  if (!(error instanceof SessionStoreError)) throw error;
  return new Response(BUSY.body, BUSY);
}
