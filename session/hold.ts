import { isPromise, type MaybePromise, rescue } from "./maybe.ts";

/** A response as Node, Express, Connect and Polka have it. */
export interface NodeResponse {
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  statusCode: number;
  getHeader(name: string): number | string | readonly string[] | undefined;
  getHeaderNames(): string[];
  setHeader(name: string, value: unknown): unknown;
  removeHeader(name: string): void;
  writeHead(...args: unknown[]): unknown;
  write(...args: unknown[]): boolean;
  end(...args: unknown[]): unknown;
  flushHeaders(): void;
  emit(event: "drain"): unknown;
}

/** Headers about a body, and so about no other answer. */
const OF_ITS_BODY = /^(?:content-(?!security)|etag$|last-modified$|location$|trailer$|transfer-)/;

/** How the commit is made, and what comes of it. */
export interface Commit {
  /** Gives the `Set-Cookie` lines. */
  readonly commit: () => MaybePromise<readonly string[]>;
  readonly addCookies: (lines: readonly string[]) => void;
  readonly onError: (error: unknown) => void;
}

/**
 * Commits before the response's first byte leaves. If that takes time, what the application sends
 * meanwhile waits in order, and for the application it counts as sent, so that no error page comes on
 * top of it. If the commit fails, that answer is dropped, and `onError` may answer anew.
 */
export function holdUntilCommitted(
  response: NodeResponse,
  { commit, addCookies, onError }: Commit,
): void {
  const writeHead = response.writeHead.bind(response);
  const write = response.write.bind(response);
  const end = response.end.bind(response);
  const flushHeaders = response.flushHeaders.bind(response);
  // `compression` hides who waits for "drain", so there `write` makes nobody wait.
  const hidesDrain = Object.hasOwn(response, "on");
  let state: "new" | "held" | "committed" | "failed" = "new";
  let isEnded = false;
  const held: { readonly call: () => unknown; readonly args: readonly unknown[] }[] = [];

  response.writeHead = (...args) => {
    if (state === "held") throw alreadySent();
    const head = state === "new" ? setHeadersOf(args, response) : args;
    return send(() => writeHead(...head), [], response);
  };
  response.write = (...args) => send(() => write(...args), args, hidesDrain);
  response.end = (...args) => {
    const result = send(() => end(...args), args, response);
    isEnded = true;
    return result;
  };
  response.flushHeaders = () => send(flushHeaders, [], undefined);

  function send<Result>(call: () => Result, args: readonly unknown[], meanwhile: Result): Result {
    if (state === "new") begin();
    if (state === "held") held.push({ call, args });
    // Once the error page has ended, what comes is the rest of the answer that was dropped.
    const isDropped = state === "failed" && response.writableEnded;
    return state === "held" || isDropped ? meanwhile : call();
  }

  function begin(): void {
    const { statusCode } = response;
    // An error waits as well: what the application sends until it returns belongs to the same answer.
    const lines = rescue(commit, (error) => Promise.reject(error));
    if (!isPromise(lines)) {
      state = "committed";
      addCookies(lines);
      return;
    }
    state = "held";
    const uncover = cover(response, {
      headersSent: { get: () => true },
      writableEnded: { get: () => isEnded },
      finished: { get: () => isEnded },
      setHeader: { value: alreadySent },
      setHeaders: { value: alreadySent },
      appendHeader: { value: alreadySent },
      removeHeader: { value: alreadySent },
      // `compression` calls it again where `_header` is not there yet.
      _implicitHeader: { value: () => {} },
    });
    lines.then(release, drop).catch(onError);

    function release(lines: readonly string[]): void {
      uncover();
      state = "committed";
      response.statusCode = statusCode;
      addCookies(lines);
      const results = held.map(({ call }) => call());
      const isFree = results.findLast((result) => typeof result === "boolean");
      if (isFree === true && !hidesDrain && !isEnded) response.emit("drain");
    }

    function drop(error: unknown): void {
      uncover();
      state = "failed";
      response.statusCode = statusCode;
      for (const name of response.getHeaderNames()) {
        if (OF_ITS_BODY.test(name)) response.removeHeader(name);
      }
      for (const { args } of held) {
        const callback = args.at(-1);
        if (typeof callback === "function") Reflect.apply(callback, undefined, [error]);
      }
      onError(error);
    }
  }
}

/** As Node's own. */
function alreadySent(): never {
  const error = new Error("Cannot set headers after they are sent to the client");
  throw Object.assign(error, { code: "ERR_HTTP_HEADERS_SENT" });
}

/** Puts properties over those of an object. The function that it returns takes them away again. */
function cover(object: object, properties: PropertyDescriptorMap): () => void {
  const before = Object.keys(properties).map(
    (name) => [name, Reflect.getOwnPropertyDescriptor(object, name)] as const,
  );
  for (const [name, property] of Object.entries(properties)) {
    Object.defineProperty(object, name, { configurable: true, ...property });
  }
  return () => {
    for (const [name, property] of before) {
      if (property === undefined) Reflect.deleteProperty(object, name);
      else Object.defineProperty(object, name, property);
    }
  };
}

/** Sets the headers among the arguments of `writeHead`, and gives the other arguments. */
function setHeadersOf([status, reason, last]: unknown[], response: NodeResponse): unknown[] {
  const headers = last ?? (typeof reason === "object" ? reason : undefined);
  if (Array.isArray(headers)) {
    const values = new Map<string, unknown[]>();
    // Name and value in turn, or a list of pairs.
    const list: unknown[] = Array.isArray(headers[0]) ? headers.flat() : headers;
    for (let i = 0; i < list.length; i += 2) {
      const name = String(list[i]).toLowerCase();
      values.set(name, [...(values.get(name) ?? []), list[i + 1]].flat());
    }
    for (const [name, all] of values) response.setHeader(name, all.length > 1 ? all : all[0]);
  } else if (typeof headers === "object" && headers !== null) {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  }
  return typeof reason === "string" ? [status, reason] : [status];
}
