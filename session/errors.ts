/** The codes of this library's errors. A code never changes its meaning. */
export type SessionErrorCode =
  /** An option of `createSessions` or of a store is missing or wrong. Thrown at start-up. */
  | "ERR_SESSION_OPTIONS"
  /** The session was changed after its response was made. */
  | "ERR_SESSION_COMMITTED"
  /** A session can't carry the value. */
  | "ERR_SESSION_VALUE"
  /** The cookie would be larger than browsers accept, or the record larger than stores take. */
  | "ERR_SESSION_TOO_LARGE"
  /** The session has no subject, or not the one that the call needs. */
  | "ERR_SESSION_SUBJECT"
  /** The store failed, or did not answer in time. */
  | "ERR_SESSION_STORE"
  /** The keys of a verifier could not be fetched, or are not a JWK set. */
  | "ERR_SESSION_KEYS";

/** The base of every error that this library throws. Test its `code`, not its message. */
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

/** A change that came after `commit`, too late to reach the browser. */
export class SessionCommittedError extends SessionError {
  override readonly name = "SessionCommittedError";
  /** The key that the call would have changed; undefined if it is about the whole session. */
  readonly key: string | undefined;

  constructor(action: string, key: string | undefined) {
    super(
      "ERR_SESSION_COMMITTED",
      `Cannot ${action}: the response was already made. ` +
        "Change the session before the handler returns, and await what changes it",
    );
    this.key = key;
  }
}

/** A value that tagged JSON can't express, at `path`, for example `cart[2].price`. */
export class SessionValueError extends SessionError {
  override readonly name = "SessionValueError";
  readonly path: string;

  constructor(path: string, state: string) {
    super("ERR_SESSION_VALUE", `Cannot store ${path}: ${state}`);
    this.path = path;
  }
}

/**
 * A cookie of more than 4,096 bytes, name and value together (RFC 6265bis §5.6), or a record of
 * more than 1 MiB in the store.
 */
export class SessionTooLargeError extends SessionError {
  override readonly name = "SessionTooLargeError";
  /** The bytes that the cookie's name and value, or the record, would take. */
  readonly bytes: number;
  readonly limit: number;
  /** Every key with the bytes of its JSON, the largest first. */
  readonly keys: readonly { readonly key: string; readonly bytes: number }[];

  constructor(
    what: "cookie" | "record",
    bytes: number,
    limit: number,
    data: ReadonlyMap<string, string>,
  ) {
    const encoder = new TextEncoder();
    const keys = Array.from(data, ([key, text]) => ({ key, bytes: encoder.encode(text).length }));
    keys.sort((one, other) => other.bytes - one.bytes);
    const largest = keys.slice(0, 3).map(({ key, bytes }) => `${JSON.stringify(key)} ${bytes}`);
    const [action, advice] =
      what === "cookie" ? ["send", `, or use dataIn: "store"`] : ["store", ""];
    super(
      "ERR_SESSION_TOO_LARGE",
      `Cannot ${action} the session ${what}: it takes ${bytes} bytes, and the limit is ${limit}` +
        (largest.length === 0 ? "" : ` (largest keys: ${largest.join(", ")})`) +
        `. Keep less in the session${advice}`,
    );
    this.bytes = bytes;
    this.limit = limit;
    this.keys = keys;
  }
}

/** The store failed or was too slow. The request can be tried again. */
export class SessionStoreError extends SessionError {
  override readonly name = "SessionStoreError";

  constructor(state: string, options?: ErrorOptions) {
    super(
      "ERR_SESSION_STORE",
      `Cannot use the session store: ${state}. Try the request again`,
      options,
    );
  }
}

/** A value in one line of an error. For an object its type, since not every one becomes a string. */
export function spell(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  const isPrimitive = value === null || !["object", "function"].includes(typeof value);
  return isPrimitive ? String(value) : `a value of type ${typeof value}`;
}
