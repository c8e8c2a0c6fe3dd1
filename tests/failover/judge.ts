import type { Visit } from "./clients.ts";
import type { Seen } from "./instance.ts";

/** What a user relies on. */
export const PROMISES = [
  "logout: every older cookie is a visitor",
  "login, data in the cookie: it is signed in",
  "login, data in the store: it is signed in",
  "change, data in the cookie: the newest cookie shows it",
  "change, data in the cookie: the login's cookie shows it",
  "change, data in the store: the newest cookie shows it",
] as const;
export type Promised = (typeof PROMISES)[number];

/** What the cookie holds itself: no store can lose it. */
export const HOLDS_ALWAYS: readonly Promised[] = [
  "login, data in the cookie: it is signed in",
  "change, data in the cookie: the newest cookie shows it",
];

export interface Verdict {
  readonly promised: Promised;
  readonly isKept: boolean;
  /** When it was acknowledged. */
  readonly at: number;
}

/** What the instances show afterwards to the browser's first cookie and to its newest. */
export interface Sight {
  readonly oldest: Seen;
  readonly newest: Seen;
}

/**
 * Whether each thing that was acknowledged is there. What was asked for without an answer may have
 * happened or not. A state that nobody asked for throws.
 */
export function judge(visit: Visit, { oldest, newest }: Sight): Verdict[] {
  for (const { user, count } of [oldest, newest]) {
    if (user !== null && user !== visit.user) throw new Error("Another user's session");
    if ((count ?? 0) > visit.asked) throw new Error("A count that nobody asked for");
  }
  if (visit.ended !== undefined) {
    const isKept = oldest.user === null && newest.user === null;
    return [{ promised: "logout: every older cookie is a visitor", isKept, at: visit.ended }];
  }
  if (visit.isEndAsked) return [];

  const [login, ...changes] = visit.acknowledged;
  if (login === undefined) return [];
  const isSignedIn = newest.user === visit.user;
  const verdicts: Verdict[] = [
    {
      promised: `login, data in the ${visit.place}: it is signed in`,
      isKept: isSignedIn,
      at: login,
    },
  ];
  const shows = (promised: Promised, { user, count }: Seen): void => {
    for (const [index, at] of changes.entries()) {
      verdicts.push({ promised, isKept: user === visit.user && (count ?? 0) > index, at });
    }
  };
  if (visit.place === "store") {
    shows("change, data in the store: the newest cookie shows it", newest);
  } else {
    shows("change, data in the cookie: the newest cookie shows it", newest);
    shows("change, data in the cookie: the login's cookie shows it", oldest);
  }
  return verdicts;
}
