import { chain, type MaybePromise } from "../maybe.ts";
import type { RecordCipher } from "./encrypted.ts";
import { type Format, partsOf, type Rejection, rejectHeader, type TokenKey } from "./format.ts";
import { hs256Key } from "./jws.ts";
import { importKeys } from "./keys.ts";

/** A key of the ring. */
export interface RingKey extends TokenKey {
  /** Whether it makes the new tokens. */
  readonly isCurrent: boolean;
  /** Whether its tokens are readable although new ones are encrypted. */
  readonly isExposed: boolean;
}

/** The keys of one cookie's tokens, and of its sessions' records. */
export interface Ring {
  /** The one key that the header of a token selects, or why there is none. */
  select(token: string): MaybePromise<RingKey | Rejection>;
  /** The key that makes the new tokens. */
  current(): MaybePromise<RingKey>;
  /** What encrypts and decrypts records. */
  records(): MaybePromise<RecordCipher>;
}

/** What the keys are made of. */
export interface RingOptions {
  /** The secrets' bytes, the current one first. */
  readonly secrets: () => MaybePromise<readonly Uint8Array<ArrayBuffer>[]>;
  /** The `aud` claim. */
  readonly audience: string;
  /** The format of the tokens that are made. */
  readonly format: Format;
}

/** Keys by the encoded headers that select them, the current one first. */
type Keys = ReadonlyMap<string, RingKey>;

/**
 * Makes a ring.
 *
 * | new tokens | accepted, secretKey | accepted, fallback     |
 * |------------|---------------------|------------------------|
 * | HS256      | HS256, A256GCM      | HS256, A256GCM         |
 * | A256GCM    | HS256, A256GCM      | HS256, A256GCM         |
 * | ES256      | ES256               | ES256, HS256, A256GCM  |
 *
 * So encryption can be switched on instance by instance. Changing to ES256 takes a new key on all
 * instances at once, and changing back signs everyone out. An instance that does not encrypt leaves
 * encrypted tokens of its own secret as they are until they change.
 */
export function createRing({ secrets, audience, format }: RingOptions): Ring {
  const encrypts = format === "A256GCM";

  const signed = lazily(async () => {
    const all = await secrets();
    if (format !== "ES256") return ringOf(await hs256Keys(all), !encrypts, encrypts);
    const { es256Keys } = await import("./es256.ts");
    return ringOf([...(await es256Keys(all)), ...(await hs256Keys(all.slice(1), 1))], true);
  });

  const encrypted = lazily(async () => {
    const all = await secrets();
    const { deriveTokenKeys } = await import("./encrypted.ts");
    return ringOf(
      await deriveTokenKeys(format === "ES256" ? all.slice(1) : all, audience),
      format !== "ES256",
    );
  });

  const records = lazily(async () => {
    const all = await secrets();
    return (await import("./encrypted.ts")).deriveRecordCipher(all, audience);
  });

  return {
    select(token) {
      const parts = partsOf(token);
      const [header] = parts ?? [];
      if (header === undefined) return "malformed";
      const isSigned = parts?.length === 3;
      return chain((isSigned ? signed : encrypted)(), (keys) => {
        const key = keys.get(header);
        if (key !== undefined) return key;
        if (!isSigned && !encrypts) return "malformed";
        return rejectHeader(header, isSigned ? ["HS256", format] : [format]);
      });
    },
    current: () =>
      chain((encrypts ? encrypted : signed)(), (keys) => {
        const [current] = keys.values();
        if (current === undefined) throw new TypeError("Cannot sign: the key ring is empty");
        return current;
      }),
    records,
  };
}

/**
 * Makes a value at first use, because Workers forbid a digest while modules load. Each of the first
 * requests makes it anew, because in Workers a request must not wait for another one's promise.
 */
function lazily<Value>(make: () => Promise<Value>): () => MaybePromise<Value> {
  let made: Value | undefined;
  return () => made ?? make().then((value) => (made ??= value));
}

async function hs256Keys(
  secrets: readonly Uint8Array<ArrayBuffer>[],
  start = 0,
): Promise<readonly TokenKey[]> {
  return Array.from(await importKeys(secrets, start), ([kid, key]) => hs256Key(kid, key));
}

/** The first of the keys may be the current one. */
function ringOf(keys: readonly TokenKey[], hasCurrent: boolean, isExposed = false): Keys {
  const ring = new Map<string, RingKey>();
  for (const [place, key] of keys.entries()) {
    const ringKey = { ...key, isCurrent: hasCurrent && place === 0, isExposed };
    for (const header of key.headers) ring.set(header, ringKey);
  }
  return ring;
}
