/** What can go wrong in a session, as a code that never changes its meaning. */
export type SessionErrorCode =
  /** An option of `createSessions` is missing or wrong. Thrown at start-up. */
  | "ERR_SESSION_OPTIONS"
  /** The session was changed after its response was made. */
  | "ERR_SESSION_COMMITTED"
  /** A value that a session cannot carry. */
  | "ERR_SESSION_VALUE"
  /** The cookie would be larger than browsers accept. */
  | "ERR_SESSION_TOO_LARGE"
  /** The store failed, or did not answer in time. */
  | "ERR_SESSION_STORE";

/** The base of every error that this library throws: look at `code`, not at the message. */
export class SessionError extends Error {
  override readonly name: string = "SessionError";
  readonly code: SessionErrorCode;

  constructor(code: SessionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A wrong configuration: `createSessions` and the stores throw it at once. */
export class SessionOptionsError extends SessionError {
  override readonly name = "SessionOptionsError";

  constructor(message: string) {
    super("ERR_SESSION_OPTIONS", message);
  }
}

/** A change that came after `commit`, and so could not reach the browser. */
export class SessionCommittedError extends SessionError {
  override readonly name = "SessionCommittedError";
  /** The session's key that was to be changed, or the method where no key was named. */
  readonly key: string;

  constructor(action: string, key: string) {
    super(
      "ERR_SESSION_COMMITTED",
      `Cannot ${action} ${JSON.stringify(key)}: the response was already made. ` +
        "Change the session before the handler returns, and await what changes it",
    );
    this.key = key;
  }
}

/** A value that JSON and our tags cannot carry, at `path` such as `cart[2].price`. */
export class SessionValueError extends SessionError {
  override readonly name = "SessionValueError";
  readonly path: string;

  constructor(path: string, state: string) {
    super("ERR_SESSION_VALUE", `Cannot store ${path}: ${state}`);
    this.path = path;
  }
}

/** The bytes that one key of a session takes. */
export interface KeySize {
  readonly key: string;
  readonly bytes: number;
}

/** A cookie of more than `limit` bytes, name and value together (RFC 6265bis §5.6). */
export class SessionTooLargeError extends SessionError {
  override readonly name = "SessionTooLargeError";
  /** The bytes that the cookie's name and value would take together. */
  readonly bytes: number;
  readonly limit: number;
  /** Every key with its bytes as JSON, the largest first. */
  readonly keys: readonly KeySize[];

  constructor(bytes: number, limit: number, keys: readonly KeySize[]) {
    const largest = keys.slice(0, 3).map(({ key, bytes }) => `${JSON.stringify(key)} ${bytes}`);
    super(
      "ERR_SESSION_TOO_LARGE",
      `Cannot send the session cookie: it takes ${bytes} bytes and browsers drop more than ${limit}` +
        (largest.length === 0 ? "" : ` (largest keys: ${largest.join(", ")})`) +
        `. Keep less in the session, or use dataIn: "store"`,
    );
    this.bytes = bytes;
    this.limit = limit;
    this.keys = keys;
  }
}

/** The store failed or was too slow: the request can be tried again. */
export class SessionStoreError extends SessionError {
  override readonly name = "SessionStoreError";

  constructor(state: string, options?: ErrorOptions) {
    super(
      "ERR_SESSION_STORE",
      `Cannot reach the session store: ${state}. Try the request again`,
      options,
    );
  }
}
