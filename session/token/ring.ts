import { chain, type MaybePromise } from "../maybe.ts";
import { type Format, partsOf, type Rejection, rejectHeader, type TokenKey } from "./format.ts";
import { hs256Key } from "./jws.ts";
import { importKeys } from "./keys.ts";

/** A key of the ring. */
export interface RingKey extends TokenKey {
  /** Whether it makes the new tokens. */
  readonly isCurrent: boolean;
}

/** The keys of one cookie's tokens. */
export interface Ring {
  /** The one key that the header of a token selects, or why there is none. */
  select(token: string): MaybePromise<RingKey | Rejection>;
  /** The key that makes the new tokens. */
  current(): MaybePromise<RingKey>;
}

/** What the keys are made of. */
export interface RingOptions {
  /** The secrets' bytes, the current one first. */
  readonly secrets: () => MaybePromise<readonly Uint8Array<ArrayBuffer>[]>;
  /** The format of the tokens that are made. `"HS256"` by default. */
  readonly format?: Format;
}

/** Keys by the text of their header, the current one first. */
type Keys = ReadonlyMap<string, RingKey>;

/**
 * The formats that are read. With ES256, HS256 is there for fallback secrets alone: whoever holds
 * their keys could sign before, too.
 */
const READ = { HS256: ["HS256"], ES256: ["ES256", "HS256"] } as const;

/**
 * Makes a ring. It has its keys at first use, because Workers forbid a digest while modules load. Each
 * of the first requests makes them anew, because in Workers a request must not wait for another one's
 * promise.
 */
export function createRing({ secrets, format = "HS256" }: RingOptions): Ring {
  let signing: Keys | undefined;

  function signingKeys(): MaybePromise<Keys> {
    return signing ?? makeSigningKeys().then((keys) => (signing ??= keys));
  }

  async function makeSigningKeys(): Promise<Keys> {
    const all = await secrets();
    if (format === "HS256") return byHeader(await hs256Keys(all));
    const { deriveSessionKeys, es256Key } = await import("./es256.ts");
    const pairs = [...(await deriveSessionKeys(all)).values()];
    const keys = await Promise.all(pairs.map(es256Key));
    return byHeader([...keys, ...(await hs256Keys(all.slice(1), 1))]);
  }

  return {
    select(token) {
      const [header] = partsOf(token) ?? [];
      if (header === undefined) return "malformed";
      return chain(signingKeys(), (keys) => keys.get(header) ?? rejectHeader(header, READ[format]));
    },
    current: () =>
      chain(signingKeys(), (keys) => {
        const [current] = keys.values();
        if (current === undefined) throw new TypeError("Cannot sign: the key ring is empty");
        return current;
      }),
  };
}

async function hs256Keys(
  secrets: readonly Uint8Array<ArrayBuffer>[],
  start = 0,
): Promise<readonly TokenKey[]> {
  return Array.from(await importKeys(secrets, start), ([kid, key]) => hs256Key(kid, key));
}

function byHeader(keys: readonly TokenKey[]): Keys {
  const all = keys.map((key, place): RingKey => ({ ...key, isCurrent: place === 0 }));
  return new Map(all.flatMap((key) => key.headers.map((header) => [header, key] as const)));
}
