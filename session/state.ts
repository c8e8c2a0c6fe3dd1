/**
 * A session at one moment, as its token and its record carry it. Requests share it: nothing in it
 * changes.
 */
export interface State extends Times, Content {
  /** The `sid` claim: 128 random bits in base64url. */
  readonly id: string;
  /** The `ver` claim, in milliseconds: each change has a higher one. */
  readonly version: number;
  /** Who is signed in. An id has one subject, or none, for all its life. */
  readonly login: Login | undefined;
  /** Claims of a later edition, kept as they are. */
  readonly unknown: Readonly<Record<string, unknown>>;
}

/** When a session ends, in whole seconds. */
export interface Times {
  /** The `iat` claim: when the request that made this state looked at the store. */
  readonly issuedAt: number;
  /** The `exp` claim: when the session ends unless it is used. */
  readonly expiresAt: number;
  /** The `max` claim: when it ends at the latest. Fixed at its start. */
  readonly endsAt: number;
}

/** What a handler changes. */
export interface Content {
  /** The user's values by key, each as tagged JSON. */
  readonly data: ReadonlyMap<string, string>;
  /** The messages that wait for the next page, oldest first. */
  readonly flashes: readonly Flash[];
  /** Whether the cookie outlives the browser. */
  readonly permanent: boolean;
}

/** Who is signed in, and since when. */
export interface Login {
  /** The `sub` claim. */
  readonly subject: string;
  /** The store's key of the subject's generation. */
  readonly key: string;
  /** The `gen` claim: the generation at the login; undefined before the first `endAll`. */
  readonly generation: string | undefined;
  /** The `auth_time` claim, in seconds. */
  readonly authenticatedAt: number;
}

/** A message for the next page (Flask's `flash`). */
export interface Flash {
  readonly category: string;
  readonly message: string;
}

/** The content of a session that holds nothing. */
export const NOTHING: Content = { data: new Map(), flashes: [], permanent: false };

/** What a session has that holds no claims of a later edition. */
export const NO_CLAIMS: State["unknown"] = {};

/** The times of a session that begins at `now`, in milliseconds; the durations are in seconds. */
export function beginTimes(
  now: number,
  { idleTimeout, lifetime }: { readonly idleTimeout: number; readonly lifetime: number },
): Times {
  const issuedAt = Math.floor(now / 1000);
  const endsAt = issuedAt + lifetime;
  return { issuedAt, expiresAt: Math.min(issuedAt + idleTimeout, endsAt), endsAt };
}

/**
 * The times of a session's next token. Its window, from `iat` to `exp`, is that of the token before,
 * whatever this instance's settings are, and `iat` never moves back. So the window neither grows where
 * clocks differ nor shrinks where handlers are slow, and no older token outlives a record made now.
 */
export function renewTimes({ issuedAt, expiresAt, endsAt }: Times, now: number): Times {
  const next = Math.max(issuedAt, Math.floor(now / 1000));
  return { issuedAt: next, expiresAt: Math.min(next + expiresAt - issuedAt, endsAt), endsAt };
}

/** The keys of `Data` that are strings: no others are stored. */
export type KeyOf<Data extends object> = keyof Data & string;
/** The value of a key. It is never undefined: such a key is missing. */
export type ValueOf<Data extends object, Key extends KeyOf<Data>> = Exclude<Data[Key], undefined>;

/** Values for some keys of `Data`. */
export type ValuesOf<Data extends object> = {
  readonly [Key in KeyOf<Data>]?: ValueOf<Data, Key>;
};

/** A type that a session can carry; `never` in place of what it can't, such as a function. */
export type Storable<Value> = Value extends Plain
  ? Value
  : Value extends symbol | ((...parameters: never[]) => unknown)
    ? never
    : Value extends ReadonlyMap<infer Key, infer Item>
      ? ReadonlyMap<Storable<Key>, Storable<Item>>
      : Value extends ReadonlySet<infer Item>
        ? ReadonlySet<Storable<Item>>
        : Value extends object
          ? { [Key in keyof Value]: Storable<Value[Key]> }
          : Value;

type Plain = string | number | bigint | boolean | null | undefined | Date | URL | Uint8Array;
