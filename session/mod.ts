/**
 * Sessions for fetch servers, kept in one signed cookie.
 *
 * @module
 */
export type { CookieAttributes, CookieOptions } from "./cookie/attributes.ts";
export type { CommittedCookie } from "./cookie/header.ts";
export {
  SessionCommittedError,
  SessionError,
  type SessionErrorCode,
  SessionOptionsError,
  SessionStoreError,
  SessionTooLargeError,
  SessionValueError,
} from "./errors.ts";
export type { SessionInfo } from "./list_calls.ts";
export type { MaybePromise } from "./maybe.ts";
export type { SessionEvent } from "./events.ts";
export type { Adoptable, SessionOptions } from "./options.ts";
export type { ReadonlySession } from "./readonly_session.ts";
export type { Session } from "./session.ts";
export { createSessions, type SessionHandler, type Sessions } from "./sessions.ts";
export type { CookieJar, NodeHeaders, Source } from "./source.ts";
export type { Flash, KeyOf, Storable, ValueOf, ValuesOf } from "./state.ts";
export type { Store } from "./stores/store.ts";
export { memoryStore, type MemoryStoreOptions } from "./stores/memory.ts";
export type { PublicKey } from "./token/es256.ts";
export type { Rejection } from "./token/format.ts";
