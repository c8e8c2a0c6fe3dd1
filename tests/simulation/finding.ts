/** What must not happen. */
export type Fault =
  /** A change that the store took, or that was acknowledged, is not there any more. */
  | "lost"
  /** An older state is shown: a value that was changed or removed. */
  | "older"
  /** A session that moved or was emptied, or its data, is there again. */
  | "revived"
  /** A session that endAll, endOthers or destroy ended opens. */
  | "missedEnd"
  /** A session lives longer than its window or its lifetime. */
  | "overLife"
  /** A user is without their session, though nothing ended it. */
  | "signedOut"
  /** A session says another time at which its user proved who they are. */
  | "fresh"
  /** A live session is not in the list of its subject's sessions. */
  | "unlisted"
  /** A request got an error without a reason. */
  | "failed";

/** What may happen, and the documentation says so (design §7, "What does not"). */
export type Limit =
  /** A response that was overtaken put an old cookie back, or took a new one away. */
  | "overtaken"
  /** A request that came without a good cookie began a session that took another's place. */
  | "parallel"
  /** A change raced with the end of its session, and was dropped. */
  | "raced"
  /** A request came with the cookie of a session that was ended. */
  | "ended"
  /** A request came with a cookie that was over. */
  | "expired"
  /** A request that was answered 503 took effect. */
  | "unknown";

export type Finding =
  | { readonly fault: Fault; readonly text: string }
  | { readonly limit: Limit; readonly text: string };

export const FAULTS: readonly Fault[] = [
  "lost",
  "older",
  "revived",
  "missedEnd",
  "overLife",
  "signedOut",
  "fresh",
  "unlisted",
  "failed",
];

export const LIMITS: readonly Limit[] = [
  "overtaken",
  "parallel",
  "raced",
  "ended",
  "expired",
  "unknown",
];
