import type { Calls, Changes } from "../../session/changes.ts";
import { decide, type Plan, type Sight } from "../../session/decide.ts";
import { checkOptions, type Settings } from "../../session/options.ts";
import type { Live } from "../../session/record.ts";
import type { Flash, Login, State } from "../../session/state.ts";
import type { VerifiedToken } from "../../session/token/token.ts";
import { SECRET } from "./secrets.ts";

/** When the cookie was signed, in seconds; the request looks 100.25 s later. */
export const SIGNED = 1_700_000_000;
export const NOW: number = (SIGNED + 100) * 1000 + 250;

/** The instance's settings differ from those that the session began with: 1000 s and 5000 s. */
export const SETTINGS: Settings = checkOptions({
  secretKey: SECRET,
  idleTimeout: 600,
  lifetime: 3600,
});
export const IN_STORE: Settings = { ...SETTINGS, dataIn: "store" };

export const HI: Flash = { category: "message", message: "Hi" };
export const LOGIN: Login = {
  subject: "ann",
  key: "sub:ann",
  generation: "g1",
  authenticatedAt: SIGNED,
  methods: ["pwd"],
};
export const ANN: Sight["newLogin"] = { subject: "ann", key: "sub:ann", generation: "g1" };
export const BOB: Sight["newLogin"] = {
  subject: "bob",
  key: "sub:bob",
  generation: undefined,
};

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
  isExposed: false,
};
const NO_CALLS: Calls = {
  signedIn: undefined,
  authentication: undefined,
  label: undefined,
  endedOthersOf: undefined,
  hasNewId: false,
  isDestroyed: false,
  keepsRest: true,
};
/** A request without a cookie. */
export const VISIT: Sight = {
  now: NOW,
  texts: new Map(),
  found: undefined,
  wasLive: false,
  foreign: undefined,
  newId: "new",
  newGeneration: "new",
  isNewIdEnded: false,
  triedVersion: 0,
  newLogin: undefined,
  othersKey: undefined,
  successor: undefined,
};

const ENDED = {
  kind: "ended",
  token: TOKEN,
  at: undefined,
  next: undefined,
  hasMark: false,
} as const;

/** What `look` finds: the session goes on as this state. */
export function foundLive(state: Partial<State> = {}, found: Partial<Live> = {}): Live {
  const live = { kind: "live", token: TOKEN, isNewer: false, hasRecord: true } as const;
  return { ...live, state: { ...STATE, ...state }, ...found };
}

/** A request whose session goes on. */
export function live(state: Partial<State> = {}, sight: Partial<Sight> = {}): Sight {
  return { ...VISIT, wasLive: true, found: foundLive(state), ...sight };
}

/** A request whose session has a mark that is so many seconds old. */
export function ended(seconds: number, sight: Partial<Sight> = {}): Sight {
  const at = NOW - seconds * 1000;
  return { ...VISIT, wasLive: true, found: { ...ENDED, at, hasMark: true }, ...sight };
}

/** A request whose session was over by the clock when it committed. */
export function endedByClock(): Sight {
  return { ...VISIT, wasLive: true, found: ENDED };
}

/** A request whose session was ended by its subject's generation so many seconds ago. */
export function endedByGeneration(seconds: number, sight: Partial<Sight> = {}): Sight {
  const at = NOW - seconds * 1000;
  return { ...VISIT, wasLive: true, found: { ...ENDED, at }, ...sight };
}

const FOREIGN: State = {
  ...STATE,
  id: "adopted:k",
  version: 0,
  login: { ...LOGIN, generation: undefined },
  unknown: {},
};
const FOREIGN_TOKEN: VerifiedToken = { ...TOKEN, text: "", state: FOREIGN };

/** A request with another system's session of ann, which nobody has adopted. */
export const ADOPTING: Sight = {
  ...VISIT,
  wasLive: true,
  foreign: { isOnce: true, forget: undefined },
  found: foundLive(FOREIGN, { token: FOREIGN_TOKEN, hasRecord: false }),
};

/** The same request when another one adopted the session less than 60 s before. */
export const ADOPTED_BEFORE: Sight = {
  ...ADOPTING,
  found: foundLive(FOREIGN, { token: FOREIGN_TOKEN }),
};

/** The same request when an earlier one adopted the session for good. */
export const TOO_LATE: Sight = {
  ...ADOPTING,
  found: {
    kind: "ended",
    token: FOREIGN_TOKEN,
    at: NOW - 60_000,
    next: "other",
    hasMark: true,
  },
};

/** A row's changes, with what the commit looks at because of them. */
export interface Act extends Partial<Omit<Changes, "calls">>, Partial<Calls> {
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
export const SIGN_IN: Act = {
  signedIn: "ann",
  authentication: { methods: ["pwd"] },
  hasNewId: true,
  sight: { newLogin: ANN },
};
export const CONFIRM: Act = { authentication: { methods: ["otp"] }, hasNewId: true };
export const SIGN_IN_BOB: Act = {
  signedIn: "bob",
  authentication: { methods: undefined },
  hasNewId: true,
  keepsRest: false,
  sight: { newLogin: BOB },
};
export const END_OTHERS: Act = {
  endedOthersOf: "ann",
  hasNewId: true,
  sight: { othersKey: "sub:ann" },
};

/** What `decide` makes of a row. */
export function planOf(sight: Sight, act: Act, settings: Settings = SETTINGS): Plan {
  const { sight: seen, values, takenFlashes, addedFlashes, permanent, ...calls } = act;
  const changes = {
    values: values ?? new Map(),
    takenFlashes: takenFlashes ?? [],
    addedFlashes: addedFlashes ?? [],
    permanent,
    repeated: { values: new Map(), permanent },
    calls: { ...NO_CALLS, ...calls },
  };
  return decide({ ...sight, ...seen }, changes, settings);
}

/** A plan in words: its writes in their order, what the browser gets, and whether a change is lost. */
export function outline({ writes, cookie, isDropped }: Plan): string {
  const words = writes.map(({ key, next }) =>
    typeof next === "string" ? wordOf(next) : `${key} recorded`,
  );
  if (cookie === "delete") words.push("cookie deleted");
  else if (cookie !== undefined) words.push(`token of ${cookie.id}`);
  if (isDropped) words.push("dropped");
  return words.join(", ");
}

/** A text without its time: `old ended`, `old moved new`, `sub:ann generation new`. */
function wordOf(text: string): string {
  return text.replace(/ [1-9]\d*/, "").replace(/ ended .*/, " ended");
}

/** The state that the browser gets a token of. */
export function signed({ cookie }: Plan): State {
  if (typeof cookie !== "object") throw new Error("Nothing is signed");
  return cookie;
}
