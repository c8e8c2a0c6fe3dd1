import { describe, expect, test } from "bun:test";
import { decideRefresh, isDue, isOutlived, type Sight } from "../session/decide.ts";
import type { Settings } from "../session/options.ts";
import type { Live } from "../session/record.ts";
import type { Login } from "../session/state.ts";
import { DAY } from "./support/clock.ts";
import {
  type Act,
  CONFIRM,
  DESTROY,
  END_OTHERS,
  ended,
  foundLive,
  IN_STORE,
  live,
  LOGIN,
  NOW,
  outline,
  planOf,
  REGENERATE,
  SETTINGS,
  SET,
  SIGN_IN,
  SIGN_IN_BOB,
  SIGNED,
  signed,
  TOKEN,
  VISIT,
} from "./support/sights.ts";

const SIGNED_IN = live({ login: LOGIN });

describe("a version", () => {
  test.each([
    ["the look's time", NOW - 1, NOW],
    ["above an equal one", NOW, NOW + 1],
    ["above one of a clock that is ahead", NOW + 29_000, NOW + 29_001],
  ])("is %s", (_, version, expected) => {
    for (const act of [SET, REGENERATE, SIGN_IN, { ...DESTROY, ...SET }]) {
      expect(signed(planOf(live({ version }), act)).version).toBe(expected);
    }
  });

  test("is above one that an earlier try wrote, whose answer was lost", () => {
    expect(signed(planOf(live({}, { triedVersion: NOW + 7 }), SET)).version).toBe(NOW + 8);
  });
});

describe("the times of the next token", () => {
  const begun = { issuedAt: SIGNED + 100, expiresAt: SIGNED + 700, endsAt: SIGNED + 3700 };
  const renewed = { issuedAt: SIGNED + 100, expiresAt: SIGNED + 1100, endsAt: SIGNED + 5000 };

  test.each<[string, Sight, Act, typeof begun]>([
    ["of a visitor: its own", VISIT, SET, begun],
    ["after a change: the session's", live(), SET, renewed],
    ["after regenerate(): the session's", live(), REGENERATE, renewed],
    ["after endOthers(): the session's", SIGNED_IN, END_OTHERS, renewed],
    ["after signIn(): its own", live(), SIGN_IN, begun],
    ["after the same subject's signIn(): its own", SIGNED_IN, SIGN_IN, begun],
    ["after destroy(): its own", live(), { ...DESTROY, ...SET }, begun],
    ["after the session's end: its own", ended(0), SIGN_IN, begun],
    [
      "of a clock that is behind: iat does not move back",
      live({ issuedAt: SIGNED + 120, expiresAt: SIGNED + 1120 }),
      SET,
      { issuedAt: SIGNED + 120, expiresAt: SIGNED + 1120, endsAt: SIGNED + 5000 },
    ],
    [
      "near the end: exp is max",
      live({ endsAt: SIGNED + 1099 }),
      SET,
      { issuedAt: SIGNED + 100, expiresAt: SIGNED + 1099, endsAt: SIGNED + 1099 },
    ],
  ])("%s", (_, sight, act, expected) => {
    expect(signed(planOf(sight, act))).toMatchObject(expected);
  });

  test("after a change on a record that was signed before the cookie: iat is the cookie's", () => {
    const issuedAt = SIGNED + 150;
    const state = { ...TOKEN.state, issuedAt, expiresAt: issuedAt + 1000 };
    const sight = { ...live(), found: foundLive({}, { token: { ...TOKEN, state } }) };
    for (const act of [SET, REGENERATE]) {
      expect(signed(planOf(sight, act))).toMatchObject({ issuedAt, expiresAt: issuedAt + 1000 });
    }
  });

  test("of a lifetime below the idleTimeout: exp is max", () => {
    const { expiresAt, endsAt } = signed(planOf(VISIT, SET, { ...SETTINGS, lifetime: 50 }));
    expect([expiresAt, endsAt]).toEqual([SIGNED + 150, SIGNED + 150]);
  });
});

describe("a login", () => {
  test.each<[string, Sight, Act, Partial<Login> | undefined]>([
    ["begins by signIn()", live(), SIGN_IN, { ...LOGIN, authenticatedAt: SIGNED + 100 }],
    ["begins again by signIn()", SIGNED_IN, SIGN_IN, { ...LOGIN, authenticatedAt: SIGNED + 100 }],
    ["has no generation before endAll()", live(), SIGN_IN_BOB, { generation: undefined }],
    [
      "is confirmed by confirm()",
      SIGNED_IN,
      CONFIRM,
      { ...LOGIN, authenticatedAt: SIGNED + 100, methods: ["otp"] },
    ],
    [
      "is confirmed with endOthers()",
      SIGNED_IN,
      { ...END_OTHERS, ...CONFIRM },
      { ...LOGIN, authenticatedAt: SIGNED + 100, methods: ["otp"], generation: "new" },
    ],
    ["stays through a change", SIGNED_IN, SET, LOGIN],
    ["stays through regenerate()", SIGNED_IN, REGENERATE, LOGIN],
    [
      "has a new generation after endOthers()",
      SIGNED_IN,
      END_OTHERS,
      { ...LOGIN, generation: "new" },
    ],
    ["is over after destroy()", SIGNED_IN, { ...DESTROY, ...SET }, undefined],
  ])("%s", (_, sight, act, expected) => {
    const { login } = signed(planOf(sight, act));
    if (expected === undefined) expect(login).toBeUndefined();
    else expect(login).toMatchObject(expected);
  });
});

test.each<[string, Sight, Act, Settings, readonly number[]]>([
  ["a record: 120 s after its exp", live(), SET, SETTINGS, [1120]],
  ["a record of a session near its end", live({ endsAt: SIGNED + 101 }), SET, SETTINGS, [121]],
  ["a mark: as a record would", live(), DESTROY, SETTINGS, [1120]],
  ["a mark, and the new id's record", live(), REGENERATE, IN_STORE, [1120, 1120]],
  ["a mark, and the new login's record", live(), SIGN_IN, IN_STORE, [720, 1120]],
  ["a generation: longer than any session", SIGNED_IN, END_OTHERS, SETTINGS, [401 * DAY, 1120]],
])("the store keeps %s", (_, sight, act, settings, expected) => {
  expect(planOf(sight, act, settings).writes.map(({ ttl }) => ttl)).toEqual([...expected]);
});

test.each<[string, boolean, number, Partial<Live>]>([
  ["60 s after its cookie's end, where no record is left", false, 1060, { hasRecord: false }],
  ["later than that", true, 1060.001, { hasRecord: false }],
  ["however long after it, where a record is", false, 4999.999, {}],
  ["at its max", true, 5000, {}],
  ["at its max without a record, though its cookie is good", true, 5000, over5000()],
])("a session counts as ended %s: %p", (_, expected, seconds, found) => {
  expect(isOutlived(foundLive({}, found), (SIGNED + seconds) * 1000)).toBe(expected);
});

/** A cookie that would be good at its session's max, and no record. */
function over5000(): Partial<Live> {
  const state = { ...TOKEN.state, expiresAt: SIGNED + 5000 };
  return { token: { ...TOKEN, state }, hasRecord: false };
}

const withFallback: Partial<Live> = { token: { ...TOKEN, isCurrentKey: false } };

describe("a cookie is due to be signed again", () => {
  const half = SIGNED + 500;

  test.each<[string, boolean, number, Partial<Live>]>([
    ["not while half of its window is left", false, half, {}],
    ["after that", true, half + 0.001, {}],
    ["not where that would not move its end", false, half + 1, over(SIGNED + 1000)],
    ["where that moves its end by a second", true, half + 1, over(SIGNED + 1001)],
    ["where the record is newer", true, SIGNED, { isNewer: true }],
    ["not with a fallback key at first", false, SIGNED + 60, withFallback],
    ["with a fallback key after 60 s", true, SIGNED + 60.001, withFallback],
  ])("%s: %p", (_, expected, seconds, found) => {
    expect(isDue(foundLive({}, found), seconds * 1000)).toBe(expected);
  });
});

/** A cookie whose session's lifetime is over then. */
function over(endsAt: number): Partial<Live> {
  const state = { ...TOKEN.state, endsAt };
  return { state, token: { ...TOKEN, state } };
}

describe("signed again without a change", () => {
  const due = (SIGNED + 600) * 1000;
  const newer = foundLive({ version: NOW, login: LOGIN }, { isNewer: true });

  test.each<[string, Sight, string, string]>([
    [
      "is a cookie that is due",
      live({}, { now: due }),
      "token of old",
      "old recorded, token of old",
    ],
    [
      "is a record that is newer",
      { ...live(), found: newer },
      "token of old",
      "old recorded, token of old",
    ],
    [
      "is a cookie without a record",
      live({}, { now: due, found: foundLive({}, { hasRecord: false }) }),
      "token of old",
      "old recorded, token of old",
    ],
    ["is nothing that is no longer due", live(), "", ""],
    ["is nothing that ended", ended(0, { now: due }), "", ""],
    ["is nothing of a visitor", VISIT, "", ""],
  ])("%s", (_, sight, cookie, store) => {
    expect(outline(decideRefresh(sight, SETTINGS))).toBe(cookie);
    expect(outline(decideRefresh(sight, IN_STORE))).toBe(store);
  });

  test("has the newest state, its version, and a window from now on", () => {
    const sight = { ...live(), found: newer };
    const { found } = sight;
    expect(signed(decideRefresh(sight, SETTINGS))).toEqual({
      ...found.state,
      issuedAt: SIGNED + 100,
      expiresAt: SIGNED + 1100,
    });
  });

  test("puts the record anew, for as long as the cookie lives", () => {
    const [write] = decideRefresh(live({}, { now: due }), IN_STORE).writes;
    expect(write).toMatchObject({ key: "old", ttl: 1120 });
  });
});
