import { describe, expect, test } from "bun:test";
import { array, assert, integer, property } from "fast-check";
import { beginTimes, renewTimes, type Times } from "../session/state.ts";
import { DAY, START } from "./support/clock.ts";

const SECONDS = START / 1000;

function windowOf({ issuedAt, expiresAt }: Times): number {
  return expiresAt - issuedAt;
}

/** A session that was used after so many seconds, one after the other, by clocks that may differ. */
function used(times: Times, seconds: readonly number[]): Times[] {
  const all = [times];
  for (const second of seconds) all.push(renewTimes(all.at(-1) ?? times, START + second * 1000));
  return all;
}

describe("a session that begins", () => {
  test.each<[string, number, number, number, number]>([
    ["by its idle timeout, and its lifetime at the latest", 0, 60, 600, 60],
    ["by its lifetime, where that is sooner", 0, 600, 60, 60],
    ["in whole seconds, rounded down", 999, 60, 600, 60],
  ])("ends %s", (_, milliseconds, idleTimeout, lifetime, expected) => {
    expect(beginTimes(START + milliseconds, { idleTimeout, lifetime })).toEqual({
      issuedAt: SECONDS,
      expiresAt: SECONDS + expected,
      endsAt: SECONDS + lifetime,
    });
  });
});

describe("a session that is used", () => {
  const begun = { issuedAt: SECONDS, expiresAt: SECONDS + 100, endsAt: SECONDS + 250 };

  test.each<[string, number, Partial<Times>]>([
    ["at once keeps its times", 0, {}],
    ["within the same second keeps them, too", 0.999, {}],
    ["moves on by its window", 60.5, { issuedAt: SECONDS + 60, expiresAt: SECONDS + 160 }],
    ["moves up to its end", 200, { issuedAt: SECONDS + 200, expiresAt: SECONDS + 250 }],
    ["never moves back, though a clock is behind", -29, {}],
    ["by a clock that is far behind does not, either", -DAY, {}],
  ])("%s", (_, seconds, moved) => {
    expect(renewTimes(begun, START + seconds * 1000)).toEqual({ ...begun, ...moved });
  });

  test("near its end has a shorter window from then on", () => {
    const times = used(begun, [200, 210]);
    expect(times.map(windowOf)).toEqual([100, 50, 40]);
    expect(times.at(-1)?.endsAt).toBe(begun.endsAt);
  });

  test("by two instances in turn, whose clocks are 29 s apart, keeps its window", () => {
    const seconds = Array.from({ length: 40 }, (_, step) => step + (step % 2 === 0 ? 0 : -29));
    for (const times of used({ ...begun, endsAt: SECONDS + DAY }, seconds)) {
      expect(windowOf(times)).toBe(100);
    }
  });

  test("in any order has no longer window, no earlier start and no later end than before", () => {
    const clock = integer({ min: -60, max: 400 });
    const durations = integer({ min: 1, max: 300 });
    assert(
      property(array(clock, { maxLength: 20 }), durations, durations, (seconds, idle, life) => {
        const begun = beginTimes(START, { idleTimeout: idle, lifetime: life });
        let before = begun;
        for (const times of used(begun, seconds)) {
          expect(windowOf(times)).toBeLessThanOrEqual(windowOf(before));
          expect(times.issuedAt).toBeGreaterThanOrEqual(before.issuedAt);
          expect(times.expiresAt).toBeGreaterThanOrEqual(before.expiresAt);
          expect(times.expiresAt).toBeLessThanOrEqual(begun.endsAt);
          expect(times.endsAt).toBe(begun.endsAt);
          before = times;
        }
      }),
    );
  });
});
