import { adoptedDraft } from "./adopt.ts";
import { createDraft, type Draft } from "./changes.ts";
import { cookieValues } from "./cookie/header.ts";
import { chain, isPromise, type MaybePromise } from "./maybe.ts";
import type { SessionOptions, Settings } from "./options.ts";
import { type Found, find } from "./record.ts";
import { headersOf, type Source, webHeadersOf } from "./source.ts";
import type { Store } from "./stores/store.ts";
import { hasOurType, type Rejection } from "./token/format.ts";
import type { Tokens, VerifiedToken } from "./token/token.ts";

/**
 * A browser rarely sends two cookies of one name. More than four is an attack, so we take none: some
 * before the user's own could push that out of sight, and the attacker's into its place.
 */
const CANDIDATES = 4;
const NO_VALUES: readonly string[] = [];

/**
 * Makes what opens sessions: from a `Cookie` header, or null, it makes the draft of the session that the
 * request came with. Throws or rejects with `SessionStoreError`, and with what `adopt` throws.
 */
export function createOpener<Data extends object>(
  settings: Settings,
  tokens: Pick<Tokens, "verify" | "reveal">,
  store: Store,
  adopt: SessionOptions<Data>["adopt"],
): (source: Source, header: string | null) => MaybePromise<Draft> {
  const { cookie, onEvent } = settings;

  function open(source: Source, header: string | null): MaybePromise<Draft> {
    const values = header === null ? NO_VALUES : cookieValues(header, cookie.name);
    const [first] = values;
    if (first === undefined) return openVisitor(source);
    if (values.length > 1) return openOneOf(source, values);
    const token = tokens.verify(first);
    return isPromise(token)
      ? token.then((token) => openWith(source, values, token))
      : openWith(source, values, token);
  }

  function openVisitor(source: Source): MaybePromise<Draft> {
    // Without a key nobody could sign in, so its absence shows at the first visitor.
    const secrets = settings.secrets();
    return isPromise(secrets)
      ? secrets.then(() => openWithout(source, NO_VALUES))
      : openWithout(source, NO_VALUES);
  }

  function openWith(
    source: Source,
    values: readonly string[],
    token: VerifiedToken | Rejection,
  ): MaybePromise<Draft> {
    if (typeof token === "string") return openWithout(source, values, token);
    const found = lookUp(token);
    return isPromise(found)
      ? found.then((found) => openFound(source, found))
      : openFound(source, found);
  }

  /**
   * Without a good cookie of ours: a visitor's session, or another system's. A cookie of our name that
   * is not a token of ours may be the other system's. `reason` says why it is rejected.
   */
  function openWithout(
    source: Source,
    values: readonly string[],
    reason?: Rejection,
  ): MaybePromise<Draft> {
    if (adopt === undefined || values.some(hasOurType)) return openEmpty(source, reason);
    return chain(adopt(webHeadersOf(headersOf(source))), (adoptable) =>
      adoptable === undefined
        ? openEmpty(source, reason)
        : adoptedDraft(adoptable, store, settings, source),
    );
  }

  function openEmpty(source: Source, reason: Rejection | undefined): Draft {
    if (reason !== undefined) onEvent({ type: "rejected", reason });
    return createDraft(settings, source);
  }

  /** What the store says of a cookie. */
  function lookUp(token: VerifiedToken): MaybePromise<Found> {
    const { id, login } = token.state;
    const texts = store.get(login === undefined ? [id] : [id, login.key]);
    return isPromise(texts)
      ? texts.then(([text, generation]) => find(token, text, generation, tokens.reveal))
      : find(token, texts[0], texts[1], tokens.reveal);
  }

  function openFound(source: Source, found: Found): Draft {
    if (found.kind === "ended") {
      const type = found.next === undefined ? "ended" : "superseded";
      onEvent({ type, id: found.token.state.id });
    }
    return createDraft(settings, source, found);
  }

  /** Of several cookies: ended ones do not count, and two live sessions make none. */
  async function openOneOf(source: Source, values: readonly string[]): Promise<Draft> {
    const few = values.length > CANDIDATES ? [] : values;
    const results = await Promise.all(few.map(async (value) => tokens.verify(value)));
    const verified = results.filter((result) => typeof result !== "string");
    const reason = results.find((result) => typeof result === "string");
    if (verified.length === 0 && reason !== undefined) return openWithout(source, values, reason);
    const all = await Promise.all(verified.map(async (token) => lookUp(token)));
    const live = all.filter(({ kind }) => kind === "live");
    const [newest] = (live.length > 0 ? live : all).toSorted(byVersion);
    const isOne = new Set(live.map(({ token }) => token.state.id)).size <= 1;
    if (isOne && newest !== undefined) return openFound(source, newest);
    onEvent({ type: "ambiguous" });
    return createDraft(settings, source);
  }

  return open;
}

/** The newest cookie first. */
function byVersion({ token: one }: Found, { token: other }: Found): number {
  return other.state.version - one.state.version;
}
