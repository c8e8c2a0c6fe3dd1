import type { SessionStoreError } from "./errors.ts";
import type { OriginRefusal } from "./origin.ts";
import type { Rejection } from "./token/format.ts";

/**
 * Something that happened to a session, for logs and alerts. At most one event of each type per
 * request. It may hold the session's id, never a token or a key.
 */
export type SessionEvent =
  /** A cookie of our name was rejected, and why. */
  | { readonly type: "rejected"; readonly reason: Rejection }
  /** The cookie's session has ended: it may be a copy from before a logout. */
  | { readonly type: "ended"; readonly id: string }
  /** The cookie's session has a new id, from an earlier or parallel request. */
  | { readonly type: "superseded"; readonly id: string }
  /** Valid cookies of our name belong to two sessions: neither was used. */
  | { readonly type: "ambiguous" }
  /** A change was dropped, because its session had ended or the value had changed meanwhile. */
  | { readonly type: "dropped"; readonly id: string }
  /** The cookie takes more than three quarters of what browsers accept. Once a session. */
  | { readonly type: "near-limit"; readonly id: string; readonly bytes: number }
  /** The cookie was not sent, because it takes more than browsers accept. */
  | { readonly type: "too-large"; readonly id: string; readonly bytes: number }
  /** A token of a fallback key, or of another format, was made again with the current one. */
  | { readonly type: "rotated"; readonly id: string }
  /** A request that a page of another site made the browser send got a 403. */
  | { readonly type: "refused-origin"; readonly reason: OriginRefusal }
  /**
   * A `Secure` cookie was sent over plain http to this host, whose browsers drop it. Once for each
   * `createSessions`.
   */
  | { readonly type: "insecure"; readonly host: string }
  /**
   * Another system's session was not adopted: `adopted-before`; `ended`, by `endAll` or `endOthers`; or the
   * message of the error that says why a session can't carry it.
   */
  | { readonly type: "not-adopted"; readonly reason: string }
  /**
   * Without a store, every copy of another system's cookie is adopted again. Reported by
   * `createSessions` itself.
   */
  | { readonly type: "adopts-copies" }
  /** The store failed, or did not answer in time. `handler` answers 503. */
  | { readonly type: "unavailable"; readonly error: SessionStoreError }
  /** A change came after the commit, and threw. Reported once per request. */
  | { readonly type: "late-write"; readonly id: string };

/** The default listener: prints what a developer must know with `console.warn`, each type once. */
export function createWarnings(): (event: SessionEvent) => void {
  const printed = new Set<string>();
  return (event) => {
    const warning = warningOf(event);
    if (warning === undefined || printed.has(event.type)) return;
    printed.add(event.type);
    console.warn(
      `madeleine: ${warning} (Set the option onEvent of createSessions to handle this.)`,
    );
  };
}

function warningOf(event: SessionEvent): string | undefined {
  if (event.type === "unavailable") {
    const { message, cause } = event.error;
    return cause instanceof Error ? `${message} It said: ${cause.message}` : message;
  }
  if (event.type !== "insecure") return undefined;
  return (
    `A secure cookie was sent to http://${event.host}, whose browsers drop it. Use https, or, on a ` +
    "network that you trust, cookie: { secure: false }."
  );
}
