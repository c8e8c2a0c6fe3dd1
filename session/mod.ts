/**
 * Sessions for fetch servers, kept in one signed cookie.
 *
 * @module
 */
export type { CookieOptions } from "./cookie/attributes.ts";
export type { Flash } from "./entries.ts";
export {
  type KeySize,
  SessionCommittedError,
  SessionError,
  type SessionErrorCode,
  SessionOptionsError,
  SessionStoreError,
  SessionTooLargeError,
  SessionValueError,
} from "./errors.ts";
export type { Secret } from "./token/keys.ts";
export type { MaybePromise } from "./maybe.ts";
export type { SessionEvent, SessionOptions } from "./options.ts";
export type { KeyOf, Session, ValueOf, ValuesOf } from "./session.ts";
export { createSessions, type SessionHandler, type Sessions } from "./sessions.ts";
export type { Store } from "./stores/store.ts";
export { memoryStore, type MemoryStoreOptions } from "./stores/memory.ts";
export type { Rejection } from "./token/token.ts";
