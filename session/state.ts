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
  /** The `auth_time` claim, in seconds; undefined if another system signed the subject in. */
  readonly authenticatedAt: number | undefined;
  /** The `amr` claim: how, in the words of RFC 8176; undefined if the app did not say. */
  readonly methods: readonly string[] | undefined;
}

/** A message for the next page (Flask's `flash`). */
export interface Flash {
  readonly category: string;
  readonly message: string;
}

/** The first 12 characters of an id, for logs and lists: 72 bits tell sessions apart. */
export function refOf(id: string): string {
  return id.slice(0, 12);
}

/** The content of an empty session. */
export const NOTHING: Content = { data: new Map(), flashes: [], permanent: false };

/** No claims of a later edition. */
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
 * The times of a session's next token. The window from `iat` to `exp` stays the same, whatever this
 * instance's settings are, and `iat` never moves back. So the window neither grows if clocks differ nor
 * shrinks if handlers are slow, and no older token outlives a record made now.
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

/**
 * A type that a session can carry, with `never` for each part that it can't, such as a function. Types
 * can't tell a plain object from an instance whose public members are all data, or a built-in from a
 * subclass that adds no members, and `unknown` may be anything: `set` rejects these values.
 */
export type Storable<Value> = Value extends string | number | bigint | boolean | null | undefined
  ? Value
  : Value extends
        | symbol
        | ((...parameters: never[]) => unknown)
        | (abstract new (...parameters: never[]) => unknown)
    ? never
    : Value extends Date
      ? Itself<Value, Date>
      : Value extends URL
        ? Itself<Value, URL>
        : Value extends Uint8Array
          ? Itself<Value, Uint8Array>
          : Value extends ReadonlyMap<infer Key, infer Item>
            ? Itself<Value, Map<Key, Item>, ReadonlyMap<Storable<Key>, Storable<Item>>>
            : Value extends ReadonlySet<infer Item>
              ? Itself<Value, Set<Item>, ReadonlySet<Storable<Item>>>
              : [Value, keyof Error] extends [Error, keyof Value]
                ? never
                : Value extends readonly (infer Item)[]
                  ? Item[] extends Value
                    ? readonly Storable<Item>[] // Members would never end for a list of itself.
                    : Members<Value>
                  : Value extends object
                    ? Members<Value>
                    : Value;

type Members<Value> = { [Key in keyof Value]: Key extends symbol ? never : Storable<Value[Key]> };

/** `Result` for a built-in; `never` for a type with more members, such as URLSearchParams or Buffer. */
type Itself<Value, BuiltIn, Result = Value> = keyof Value extends keyof BuiltIn ? Result : never;
