import { checkOptions, type SessionOptions } from "../options.ts";
import { beginTimes, type Login, NOTHING, type State } from "../state.ts";
import { writeClaims } from "../token/claims.ts";
import { encode } from "../token/json.ts";
import type { Rejection } from "../token/format.ts";
import { createTokens, dataClaim, generationKey, randomId } from "../token/token.ts";

/** What `token` writes into the token. */
export interface TokenClaims {
  /** The session's values. None by default. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** Whose session it is: the `sub` claim. By default nobody is signed in. */
  readonly subject?: string;
  /** The `sid` claim: 128 bits in base64url. Random by default. */
  readonly id?: string;
}

/** A good token, or one that `onEvent` reports as `rejected` for that reason. */
export type TokenKind = "valid" | Rejection;

/** The options of `createSessions` that a token depends on: the same object can be given. */
export interface TokenOptions extends Pick<
  SessionOptions,
  "secretKey" | "algorithm" | "encrypt" | "cookie" | "lifetime" | "idleTimeout" | "now"
> {
  /**
   * `"valid"` by default: a session that starts now. Else
   * - `"expired"`: its time is over just now;
   * - `"early"`: it starts in an hour;
   * - `"forged"`: the signature belongs to another session's claims;
   * - `"unknown-key"`: signed with a random key;
   * - `"wrong-purpose"`: signed with the key, for a cookie of another name;
   * - `"malformed"`: a valid one, spelled with base64 padding.
   */
  readonly kind?: TokenKind;
}

/**
 * A cookie's value, of a kind to test with. The data is in the cookie, whatever `dataIn` says.
 *
 * Rejects with `SessionOptionsError` for wrong options, and with `SessionValueError` for data that a
 * session cannot carry.
 */
export async function token(claims: TokenClaims, options: TokenOptions): Promise<string> {
  const { kind = "valid", ...sessionOptions } = options;
  const settings = checkOptions(sessionOptions);
  const { secrets, format, cookie, now } = settings;
  const { id = randomId(), data = {}, subject } = claims;
  const seconds = Math.min(settings.idleTimeout, settings.lifetime);
  const delay = kind === "expired" ? -seconds : kind === "early" ? 3600 : 0;
  const start = now() + delay * 1000;
  const times = beginTimes(start, settings);
  const login = await loginOf(subject, cookie.audience, times.issuedAt);
  const texts = new Map(Object.entries(data).map(([key, value]) => [key, encode(value, key)]));
  const content = { ...NOTHING, data: texts };
  const state: State = { id, version: start, ...times, login, ...content, unknown: {} };

  async function sign(
    state: State,
    {
      keys = secrets,
      audience = cookie.audience,
    }: { keys?: typeof secrets; audience?: string } = {},
  ): Promise<string> {
    const tokens = createTokens({ secrets: keys, format, audience: cookie.audience, now });
    const json = await dataClaim(state.data, format);
    return tokens.sign(writeClaims(state, audience, json), state, true);
  }

  if (kind === "unknown-key") {
    return sign(state, { keys: () => [crypto.getRandomValues(new Uint8Array(32))] });
  }
  if (kind === "wrong-purpose") {
    return sign(state, { audience: `${cookie.audience}-of-another` });
  }
  const signed = await sign(state);
  if (kind === "malformed") return `${signed}=`;
  if (kind !== "forged") return signed;
  const other = await sign({ ...state, id: randomId() });
  return signed.slice(0, signed.lastIndexOf(".")) + other.slice(other.lastIndexOf("."));
}

async function loginOf(
  subject: string | undefined,
  audience: string,
  authenticatedAt: number,
): Promise<Login | undefined> {
  if (subject === undefined) return undefined;
  const key = await generationKey(audience, subject);
  return { subject, key, generation: undefined, authenticatedAt, methods: undefined };
}
