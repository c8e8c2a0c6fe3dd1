import type { Changes } from "../../session/changes.ts";
import { decide, type Plan, type Rules, type Sight } from "../../session/decide.ts";
import type { Live } from "../../session/record.ts";
import type { Flash, Login, State } from "../../session/state.ts";
import type { VerifiedToken } from "../../session/token/token.ts";

/** When the cookie was signed, in seconds; the request looks 100.25 s later. */
export const SIGNED = 1_700_000_000;
export const NOW: number = (SIGNED + 100) * 1000 + 250;

/** The instance's settings differ from those that the session began with: 1000 s and 5000 s. */
export const RULES: Rules = { dataIn: "cookie", idleTimeout: 600, lifetime: 3600 };
export const IN_STORE: Rules = { ...RULES, dataIn: "store" };

export const HI: Flash = { category: "message", message: "Hi" };
export const LOGIN: Login = {
  subject: "ann",
  key: "sub:ann",
  generation: "g1",
  authenticatedAt: SIGNED,
};
export const ANN: Sight["signedIn"] = { key: "sub:ann", generation: "g1", text: "sub:ann g1" };
export const BOB: Sight["signedIn"] = { key: "sub:bob", generation: undefined, text: undefined };

const STATE: State = {
  id: "old",
  version: SIGNED * 1000,
  issuedAt: SIGNED,
  expiresAt: SIGNED + 1000,
  endsAt: SIGNED + 5000,
  login: undefined,
  data: new Map([["cart", `["tea"]`]]),
  flashes: [],
  permanent: false,
  unknown: { later: 1 },
};
export const TOKEN: VerifiedToken = {
  text: "token",
  state: STATE,
  hasData: true,
  isCurrentKey: true,
};
const UNCHANGED: Changes = {
  values: new Map(),
  takenFlashes: [],
  addedFlashes: [],
  permanent: undefined,
  keepsRest: true,
  signedIn: undefined,
  endedOthersOf: undefined,
  hasNewId: false,
  isDestroyed: false,
};
/** A request without a cookie. */
export const VISIT: Sight = {
  now: NOW,
  found: undefined,
  wasLive: false,
  newId: "new",
  newText: undefined,
  isNewIdEnded: false,
  signedIn: undefined,
  endedOthersOf: undefined,
  successor: undefined,
  adopted: undefined,
  adoption: undefined,
};

/** What `look` finds: the session goes on as this state. */
export function foundLive(state: Partial<State> = {}, found: Partial<Live> = {}): Live {
  const live = { kind: "live", token: TOKEN, isNewer: false, text: "record" } as const;
  return { ...live, state: { ...STATE, ...state }, ...found };
}

/** A request whose session goes on. */
export function live(state: Partial<State> = {}, sight: Partial<Sight> = {}): Sight {
  return { ...VISIT, wasLive: true, found: foundLive(state), ...sight };
}

/** A request whose session has a mark that is so many seconds old. */
export function ended(seconds: number, sight: Partial<Sight> = {}): Sight {
  const at = NOW - seconds * 1000;
  const end = {
    kind: "ended",
    token: TOKEN,
    next: undefined,
    hasMark: true,
    text: "mark",
  } as const;
  return { ...VISIT, wasLive: true, found: { ...end, at }, ...sight };
}

/** A request whose session was ended by its subject's generation so many seconds ago. */
export function endedByGeneration(seconds: number, sight: Partial<Sight> = {}): Sight {
  const at = NOW - seconds * 1000;
  const end = {
    kind: "ended",
    token: TOKEN,
    next: undefined,
    hasMark: false,
    text: "record",
  } as const;
  return { ...VISIT, wasLive: true, found: { ...end, at }, ...sight };
}

const FOREIGN: Sight["adopted"] = {
  content: { data: STATE.data, flashes: [], permanent: false },
  subject: "ann",
  key: "adopted:k",
  forget: undefined,
  isOver: false,
};
/** A request with another system's session of ann, which nobody has adopted. */
export const ADOPTING: Sight = {
  ...VISIT,
  adopted: FOREIGN,
  adoption: { key: "adopted:k", text: undefined },
  signedIn: { key: "sub:ann", generation: undefined, text: undefined },
};

/** What the store has of a session that was adopted so many seconds ago. */
export function adoptedBefore(seconds: number): Sight["adoption"] {
  return { key: "adopted:k", text: `adopted:k ${NOW - seconds * 1000}` };
}

/** The same request when an earlier one adopted the session for good. */
export const TOO_LATE: Sight = {
  ...ADOPTING,
  adopted: { ...FOREIGN, isOver: true },
  adoption: adoptedBefore(60),
};

/** A row's changes, with what the commit looks at because of them. */
export interface Act extends Partial<Changes> {
  readonly sight?: Partial<Sight>;
}

/** What requests do. The session holds a cart and, where that matters, a flash or a login. */
export const SET: Act = { values: new Map([["count", { text: "1" }]]) };
export const POP: Act = { values: new Map([["cart", {}]]) };
export const INSIDE: Act = { values: new Map([["cart", { text: "[]", insideOf: `["tea"]` }]]) };
export const POP_AND_SET: Act = {
  values: new Map([
    ["cart", {}],
    ["count", { text: "1" }],
  ]),
};
export const FLASH: Act = { addedFlashes: [HI] };
export const TAKE: Act = { takenFlashes: [HI] };
export const PERMANENT: Act = { permanent: true };
export const REGENERATE: Act = { hasNewId: true };
export const DESTROY: Act = { isDestroyed: true, keepsRest: false };
export const SIGN_IN: Act = { signedIn: "ann", hasNewId: true, sight: { signedIn: ANN } };
export const SIGN_IN_BOB: Act = {
  signedIn: "bob",
  hasNewId: true,
  keepsRest: false,
  sight: { signedIn: BOB },
};
export const END_OTHERS: Act = {
  endedOthersOf: "ann",
  hasNewId: true,
  sight: { endedOthersOf: ANN },
};

/** What `decide` makes of a row. */
export function planOf(sight: Sight, act: Act, rules: Rules = RULES): Plan {
  const { sight: seen, ...changes } = act;
  return decide({ ...sight, ...seen }, { ...UNCHANGED, ...changes }, rules);
}

/** A plan in words: its writes in their order, what the browser gets, and whether a change is lost. */
export function outline({ writes, cookie, isDropped }: Plan): string {
  const words = writes.map(({ key, next }) =>
    typeof next === "string" ? wordOf(next) : `${key} recorded`,
  );
  if (cookie === "delete") words.push("cookie deleted");
  else if (cookie !== undefined) words.push(`token of ${cookie.state.id}`);
  if (isDropped) words.push("dropped");
  return words.join(", ");
}

/**
 * A text without its time: `old ended`, `old moved new`, `sub:ann new`, `adopted:k`; and `adopted:k 0` of
 * what is never adopted again.
 */
function wordOf(text: string): string {
  return text.replace(/ [1-9]\d*/, "").replace(/ ended .*/, " ended");
}

/** The state that the browser gets a token of. */
export function signed({ cookie }: Plan): State {
  if (typeof cookie !== "object") throw new Error("Nothing is signed");
  return cookie.state;
}

/** A request whose session has no record, so many seconds after 1970. */
export function forgotten(seconds: number): Sight {
  return live({}, { now: seconds * 1000, found: foundLive({}, { text: undefined }) });
}
