import { NOTHING, type State } from "../../session/state.ts";
import { shortenData, writeClaims, writeData } from "../../session/token/claims.ts";
import type { Rejection } from "../../session/token/format.ts";
import { createTokens, type Tokens } from "../../session/token/token.ts";
import { DAY, START } from "./clock.ts";
import { KID } from "./jws.ts";
import { SECRET } from "./secrets.ts";

/** The `aud` claim of the tests' tokens. */
export const AUDIENCE = "__Host-Http-session";
/** The `sid` claim of the tests' tokens. */
export const ID = "AAECAwQFBgcICQoLDA0ODw";

/** The protected header of a token that is taken; a test spoils a member of it. */
export const HEADER: Readonly<Record<string, unknown>> = {
  alg: "HS256",
  typ: "session+jwt",
  kid: KID,
};

/** The claims of a token that is taken; a test spoils one of them. */
export const CLAIMS: Readonly<Record<string, unknown>> = {
  aud: AUDIENCE,
  sid: ID,
  iat: START / 1000,
  exp: START / 1000 + 7 * DAY,
  max: START / 1000 + 30 * DAY,
  ver: START,
  data: { username: "admin" },
};

/** The tokens of one cookie, by these keys, of which the first one signs. */
export function tokensOf(
  options: { secrets?: readonly string[]; audience?: string; now?: () => number } = {},
): Tokens {
  const { secrets = [SECRET], audience = AUDIENCE, now = () => START } = options;
  const encoder = new TextEncoder();
  const keys = secrets.map((secret) => encoder.encode(secret));
  return createTokens({ secrets: () => keys, format: "HS256", audience, now });
}

/** A session that began at `START`, with this data as tagged JSON. */
export function stateOf(data: Record<string, string> = {}, change: Partial<State> = {}): State {
  const issuedAt = START / 1000;
  return {
    ...NOTHING,
    id: ID,
    version: START,
    issuedAt,
    expiresAt: issuedAt + 7 * DAY,
    endsAt: issuedAt + 30 * DAY,
    login: undefined,
    unknown: {},
    data: new Map(Object.entries(data)),
    ...change,
  };
}

/** Signs a state as `commit` does, with its data in the token. */
export async function signState(
  tokens: Tokens,
  state: State,
  audience: string = AUDIENCE,
): Promise<string> {
  const data = await shortenData(writeData(state.data));
  return tokens.sign(writeClaims(state, audience, data), state, true);
}

/** Why a token is not taken, where it is not. */
export async function outcomeOf(
  token: string,
  tokens: Tokens = tokensOf(),
): Promise<Rejection | "taken"> {
  const result = await tokens.verify(token);
  return typeof result === "string" ? result : "taken";
}
