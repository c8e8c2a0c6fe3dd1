import { describe, expect, test } from "bun:test";
import type { Sight } from "../session/decide.ts";
import { DAY } from "./support/clock.ts";
import {
  type Act,
  ADOPTED_BEFORE,
  ADOPTING,
  ANN,
  BOB,
  DESTROY,
  END_OTHERS,
  ended,
  endedByClock,
  endedByGeneration,
  FLASH,
  HI,
  IN_STORE,
  INSIDE,
  live,
  LOGIN,
  NOW,
  outline,
  PERMANENT,
  planOf,
  POP,
  POP_AND_SET,
  REGENERATE,
  SETTINGS,
  SET,
  SIGN_IN,
  SIGN_IN_BOB,
  signed,
  TAKE,
  TOO_LATE,
  VISIT,
} from "./support/sights.ts";

const WITH_FLASH = live({ flashes: [HI] });
const SIGNED_IN = live({ login: LOGIN });

/** What a request does, what was there, and the plan: with the data in the cookie, and in the store. */
type Row = readonly [title: string, sight: Sight, act: Act, cookie: string, store?: string];

const ROWS: Readonly<Record<string, readonly Row[]>> = {
  "a visitor": [
    ["that changes nothing", VISIT, {}, ""],
    ["that sets a key", VISIT, SET, "token of new", "new recorded, token of new"],
    ["that flashes", VISIT, FLASH, "token of new", "new recorded, token of new"],
    ["that signs in", VISIT, SIGN_IN, "token of new", "new recorded, token of new"],
    [
      "that signs in and ends the others",
      VISIT,
      { ...SIGN_IN, ...END_OTHERS, sight: { newLogin: ANN, othersKey: "sub:ann" } },
      "sub:ann generation new, token of new",
      "sub:ann generation new, new recorded, token of new",
    ],
    ["that is permanent and no more", VISIT, PERMANENT, ""],
    ["that regenerates", VISIT, REGENERATE, ""],
    ["that destroys", VISIT, DESTROY, ""],
  ],
  "a change": [
    ["set", live(), SET, "old recorded, token of old"],
    ["inside a value", live(), INSIDE, "old recorded, token of old"],
    ["a flash", live(), FLASH, "old recorded, token of old"],
    ["permanent", live(), PERMANENT, "old recorded, token of old"],
    ["a flash taken", WITH_FLASH, TAKE, "old recorded, token of old"],
  ],
  "the last key popped": [
    ["", live(), POP, "old ended, cookie deleted"],
    ["by a request that sets another", live(), POP_AND_SET, "old recorded, token of old"],
    ["while a flash waits", WITH_FLASH, POP, "old recorded, token of old"],
    ["by a request that flashes", live(), { ...POP, ...FLASH }, "old recorded, token of old"],
    ["beside a subject", SIGNED_IN, POP, "old recorded, token of old"],
    ["under a new id", live(), { ...POP, ...REGENERATE }, "old ended, cookie deleted"],
    ["and the last flash", WITH_FLASH, { ...POP, ...TAKE }, "old ended, cookie deleted"],
    [
      "beside another key, from another request",
      live({
        data: new Map([
          ["cart", "[]"],
          ["a", "1"],
        ]),
      }),
      POP,
      "old recorded, token of old",
    ],
    [
      "by a login",
      live(),
      { ...POP, ...SIGN_IN },
      "old moved new, token of new",
      "new recorded, old moved new, token of new",
    ],
  ],
  "destroy()": [
    ["", live(), DESTROY, "old ended, cookie deleted"],
    ["beside a flash", WITH_FLASH, DESTROY, "old ended, cookie deleted"],
    ["beside a subject", SIGNED_IN, DESTROY, "old ended, cookie deleted"],
    ["then regenerate()", live(), { ...DESTROY, ...REGENERATE }, "old ended, cookie deleted"],
    [
      "then a key",
      live(),
      { ...DESTROY, ...SET },
      "old ended, token of new",
      "new recorded, old ended, token of new",
    ],
    [
      "then a flash",
      live(),
      { ...DESTROY, ...FLASH },
      "old ended, token of new",
      "new recorded, old ended, token of new",
    ],
    [
      "then signIn()",
      live(),
      { ...DESTROY, ...SIGN_IN, keepsRest: false },
      "old moved new, token of new",
      "new recorded, old moved new, token of new",
    ],
  ],
  "another system's session": [
    [
      "that is only read",
      ADOPTING,
      {},
      "adopted:k moved new, token of new",
      "new recorded, adopted:k moved new, token of new",
    ],
    [
      "that is changed",
      ADOPTING,
      INSIDE,
      "adopted:k moved new, token of new",
      "new recorded, adopted:k moved new, token of new",
    ],
    [
      "that another request adopted less than 60 s before",
      ADOPTED_BEFORE,
      {},
      "token of new",
      "new recorded, token of new",
    ],
    [
      "that the store does not keep from being adopted again",
      { ...ADOPTING, foreign: { isOnce: false, forget: undefined } },
      REGENERATE,
      "token of new",
      "new recorded, token of new",
    ],
    ["that ends", ADOPTING, DESTROY, "adopted:k ended"],
    ["that ends though another request adopted it", ADOPTED_BEFORE, DESTROY, "adopted:k ended"],
    [
      "that moves",
      ADOPTING,
      REGENERATE,
      "adopted:k ended, token of new",
      "new recorded, adopted:k ended, token of new",
    ],
    [
      "that gives way to another subject",
      ADOPTING,
      SIGN_IN_BOB,
      "adopted:k ended, token of new",
      "new recorded, adopted:k ended, token of new",
    ],
    ["that is over", TOO_LATE, {}, ""],
    ["that is over and changed", TOO_LATE, SET, "dropped"],
    ["that is over and moves", TOO_LATE, REGENERATE, "dropped"],
    ["that is over and ends the others", TOO_LATE, END_OTHERS, "dropped"],
    ["that is over and ends", TOO_LATE, DESTROY, "adopted:k ended"],
    [
      "that is over where the request signs in",
      TOO_LATE,
      SIGN_IN,
      "adopted:k ended, token of new",
      "new recorded, adopted:k ended, token of new",
    ],
  ],
  "a new id": [
    [
      "by regenerate()",
      live(),
      REGENERATE,
      "old moved new, token of new",
      "new recorded, old moved new, token of new",
    ],
    [
      "by signIn()",
      live(),
      SIGN_IN,
      "old moved new, token of new",
      "new recorded, old moved new, token of new",
    ],
    [
      "by endOthers()",
      SIGNED_IN,
      END_OTHERS,
      "sub:ann generation new, old moved new, token of new",
      "sub:ann generation new, new recorded, old moved new, token of new",
    ],
    [
      "by endOthers(), then destroy()",
      SIGNED_IN,
      { ...END_OTHERS, ...DESTROY },
      "sub:ann generation new, old ended, cookie deleted",
    ],
    [
      "by endOthers(), then another's signIn()",
      SIGNED_IN,
      { ...END_OTHERS, ...SIGN_IN_BOB, sight: { newLogin: BOB, othersKey: "sub:ann" } },
      "sub:ann generation new, old moved new, token of new",
      "sub:ann generation new, new recorded, old moved new, token of new",
    ],
  ],
};

describe.each(Object.entries(ROWS))("%s", (_, rows) => {
  test.each(rows)("%s: what becomes of it", (_title, sight, act, cookie, store = cookie) => {
    expect(outline(planOf(sight, act))).toBe(cookie);
    expect(outline(planOf(sight, act, IN_STORE))).toBe(store);
  });
});

/** What becomes of a request whose session has ended, unless it may begin one. */
const LATE: readonly (readonly [string, Act])[] = [
  ["a set", SET],
  ["a pop", POP],
  ["a change inside", INSIDE],
  ["a flash", FLASH],
  ["permanent", PERMANENT],
  ["regenerate()", REGENERATE],
  ["endOthers()", END_OTHERS],
];

describe.each<[string, Sight]>([
  ["that ended meanwhile", ended(0)],
  ["that ended long ago, while the request ran", ended(3600)],
  ["that its subject's generation ended meanwhile", endedByGeneration(0)],
  ["that a generation ended just before it was opened", endedByGeneration(59, { wasLive: false })],
  ["that was ended less than 60 s before it was opened", ended(59.999, { wasLive: false })],
  ["that the clock ended", endedByClock()],
])("a session %s", (_, sight) => {
  test.each(LATE)("drops %s, without a cookie", (_title, act) => {
    for (const settings of [SETTINGS, IN_STORE])
      expect(outline(planOf(sight, act, settings))).toBe("dropped");
  });

  test("begins anew by signIn(), with the keys that the request set", () => {
    for (const settings of [SETTINGS, IN_STORE]) {
      const plan = planOf(sight, { ...SIGN_IN, ...SET, sight: { newLogin: ANN } }, settings);
      const { id, data, login, flashes } = signed(plan);
      expect([id, [...data], flashes]).toEqual(["new", [["count", "1"]], []]);
      expect(login).toMatchObject({ subject: "ann", generation: "g1" });
      expect(outline(plan).startsWith("new recorded")).toBe(settings === IN_STORE);
    }
  });

  test("keeps nothing that signIn() finds changed inside, with an event", () => {
    const plan = planOf(sight, { ...INSIDE, ...SIGN_IN });
    expect([signed(plan).data.size, plan.isDropped]).toEqual([0, true]);
  });

  test("loses its cookie by destroy(), and what is set afterwards begins a session", () => {
    expect(planOf(sight, DESTROY)).toMatchObject({ cookie: "delete", isDropped: false });
    expect(signed(planOf(sight, { ...DESTROY, ...SET }))).toMatchObject({ id: "new" });
  });
});

describe("a session that ended before the request came", () => {
  test.each<[string, Sight]>([
    ["60 s after its mark", ended(60, { wasLive: false })],
    ["60 s after its subject's generation", endedByGeneration(60, { wasLive: false })],
  ])("is begun by a request with an ended one's cookie %s", (_, sight) => {
    expect(outline(planOf(sight, SET))).toBe("token of new");
    expect(outline(planOf(sight, FLASH, IN_STORE))).toBe("new recorded, token of new");
  });
});

describe("an id that ended", () => {
  const byMark = ended(0);
  const byGeneration = endedByGeneration(0);

  test.each<readonly [string, Sight, Act, string]>([
    ["keeps its mark through destroy()", byMark, DESTROY, "cookie deleted"],
    ["keeps it through signIn()", byMark, SIGN_IN, "token of new"],
    ["by a generation gets one from destroy()", byGeneration, DESTROY, "old ended, cookie deleted"],
    ["and from signIn()", byGeneration, SIGN_IN, "old moved new, token of new"],
  ])("%s", (_, sight, act, expected) => {
    expect(outline(planOf(sight, act))).toBe(expected);
  });
});

test("another system's session is taken over with its subject, and remembered for 401 days", () => {
  const plan = planOf(ADOPTING, SET);
  expect(plan.writes).toMatchObject([{ key: "adopted:k", ttl: 401 * DAY }]);
  expect(signed(plan)).toMatchObject({ id: "new", login: { subject: "ann" } });
  expect([...signed(plan).data]).toEqual([
    ["cart", `["tea"]`],
    ["count", "1"],
  ]);
});

test("of another system's session that is over signIn() takes over nothing", () => {
  const { data, login } = signed(planOf(TOO_LATE, { ...SIGN_IN, ...SET }));
  expect([[...data], login?.subject]).toEqual([[["count", "1"]], "ann"]);
});

test("destroy() ends what the session has moved to as well", () => {
  const plan = planOf(ended(0, { successor: "next" }), DESTROY);
  expect(outline(plan)).toBe("next ended, cookie deleted");
  expect(plan.writes).toMatchObject([{ key: "next", ttl: 401 * DAY }]);
  const anew = planOf(ended(0, { successor: "next" }), { ...DESTROY, ...SET });
  expect(outline(anew)).toBe("next ended, token of new");
});

test("a login whose new id was ended between two tries is dropped: the logout came later", () => {
  for (const act of [SIGN_IN, REGENERATE]) {
    for (const settings of [SETTINGS, IN_STORE]) {
      expect(outline(planOf(live({}, { isNewIdEnded: true }), act, settings))).toBe("dropped");
    }
  }
});

test("a mark says when, and where the session went on", () => {
  const [ended, moved] = [DESTROY, REGENERATE].map((act) => planOf(live(), act).writes[0]?.next);
  expect(ended).toStartWith(`old ended ${NOW} `);
  expect(moved).toBe(`old moved ${NOW} new`);
});

test("changes go key by key on the newest state, and what they do not touch stands", () => {
  const data = new Map([
    ["cart", `["milk"]`],
    ["theme", "1"],
    ["late", "2"],
  ]);
  const sight = live({ data, flashes: [HI, HI], permanent: true });
  const values = new Map([
    ["cart", { text: "[]", insideOf: `["tea"]` }],
    ["theme", {}],
    ["count", { text: "3" }],
  ]);
  const plan = planOf(sight, { values, takenFlashes: [HI], addedFlashes: [HI] });
  expect(Object.fromEntries(signed(plan).data)).toEqual({
    cart: `["milk"]`,
    late: "2",
    count: "3",
  });
  expect(signed(plan)).toMatchObject({ flashes: [HI, HI], permanent: true, unknown: { later: 1 } });
  expect(plan.isDropped).toBe(true);
});
