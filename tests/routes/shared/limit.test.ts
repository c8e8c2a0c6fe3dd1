import { describe, expect, spyOn, test } from "bun:test";
import { createLimit, type Limit, type LimitOptions } from "../../../routes/shared/limit.ts";

/** A limit whose clock stands still until it is told to go on, by seconds. */
function frozen(options: LimitOptions): Limit & { pass(seconds: number): void } {
  let time = 1_000_000;
  const limit = createLimit({ now: () => time, ...options });
  return { ...limit, pass: (seconds) => void (time += seconds * 1000) };
}

/** `times` attempts of one address, one after the other. */
function takes(limit: Limit, address: string, times: number): number[] {
  return Array.from({ length: times }, () => limit.take(address));
}

describe("E10: login attempts are limited", () => {
  test("allows `rate` attempts, then tells the seconds to wait", () => {
    const limit = frozen({ rate: 3 });
    expect(takes(limit, "a", 5)).toEqual([0, 0, 0, 60, 60]);
  });

  test("counts every address for itself", () => {
    const limit = frozen({ rate: 1 });
    expect([limit.take("a"), limit.take("b"), limit.take("a")]).toEqual([0, 0, 60]);
  });

  test("allows one more as each attempt gets a minute old, not all at once", () => {
    const limit = frozen({ rate: 2 });
    limit.take("a");
    limit.pass(45);
    limit.take("a");
    expect(limit.take("a")).toBe(15);
    limit.pass(15);
    expect(takes(limit, "a", 2)).toEqual([0, 45]);
  });

  test.each([
    [59.999, 1],
    [59, 1],
    [58.999, 2],
    [0.001, 60],
    [60, 0],
  ])("%d seconds later it is %d to wait", (seconds, wait) => {
    const limit = frozen({ rate: 1 });
    limit.take("a");
    limit.pass(seconds);
    expect(limit.take("a")).toBe(wait);
  });

  test("refused attempts do not prolong the wait", () => {
    const limit = frozen({ rate: 1 });
    limit.take("a");
    limit.pass(59);
    takes(limit, "a", 100);
    limit.pass(1);
    expect(limit.take("a")).toBe(0);
  });

  test("never allows more than `rate` in any 60 seconds", () => {
    const limit = frozen({ rate: 10 });
    const allowed: number[] = [];
    for (let second = 0; second < 600; second++) {
      // Bursts of no even rhythm: up to seven attempts, at every third to fifth second.
      if (second % 3 === 0 || second % 5 === 0) {
        for (const wait of takes(limit, "a", second % 8)) if (wait === 0) allowed.push(second);
      }
      limit.pass(1);
    }
    const within = allowed.map((end) => allowed.filter((s) => s > end - 60 && s <= end).length);
    expect(Math.max(...within)).toBe(10);
    expect(allowed.length).toBe(100);
  });

  test("rate 0 limits nothing and remembers nothing", () => {
    const limit = frozen({ rate: 0, maxAddresses: 1 });
    expect(
      takes(limit, "a", 100)
        .concat(takes(limit, "b", 100))
        .some(Boolean),
    ).toBe(false);
  });

  test("its own clock is one that no correction of the time sets back", () => {
    const clock = spyOn(performance, "now").mockReturnValue(0);
    const limit = createLimit({ rate: 1 });
    const first = takes(limit, "a", 2);
    clock.mockReturnValue(60_000);
    const later = limit.take("a");
    clock.mockRestore();
    expect([first, later]).toEqual([[0, 60], 0]);
  });
});

describe("E10: a flood from many addresses", () => {
  test("makes new addresses wait, and clears no count", () => {
    const limit = frozen({ rate: 2, maxAddresses: 3 });
    takes(limit, "blocked", 2);
    limit.pass(3);
    expect([limit.take("flood1"), limit.take("flood2")]).toEqual([0, 0]);
    expect([limit.take("flood3"), limit.take("flood4")]).toEqual([7, 7]);
    limit.pass(56);
    expect([limit.take("flood3"), limit.take("blocked")]).toEqual([10, 1]);
    // Who is known goes on as before.
    expect(takes(limit, "flood1", 2)).toEqual([0, 4]);
  });

  test("has room again when an address had no attempt for a minute", () => {
    const limit = frozen({ rate: 2, maxAddresses: 2 });
    takes(limit, "a", 1);
    limit.pass(30);
    takes(limit, "b", 2);
    limit.pass(20);
    takes(limit, "a", 1);
    limit.pass(20);
    // The attempts are now 70 and 20 (a) and 40 seconds old (b): both addresses are still known.
    expect(limit.take("c")).toBe(10);
    expect(limit.take("b")).toBe(20);
    limit.pass(20);
    expect([limit.take("c"), limit.take("d")]).toEqual([0, 10]);
    expect(takes(limit, "a", 2)).toEqual([0, 20]);
  });

  test("is counted, which takes for ever where each attempt looks at all addresses", () => {
    const limit = frozen({ rate: 10, maxAddresses: 20_000 });
    // Four times as many addresses as there is room for, every one of them for the first time.
    for (let i = 0; i < 80_000; i++) {
      expect(limit.take(`address ${i}`)).toBeLessThanOrEqual(70);
      limit.pass(0.004);
    }
  });
});

test.each([-1, 1.5, Number.NaN, Infinity])("throws at once for a rate of %d", (rate) => {
  expect(() => createLimit({ rate })).toThrow(RangeError);
});

test.each([0, -1, 1.5, Number.NaN, Infinity])("throws at once for %d addresses", (maxAddresses) => {
  expect(() => createLimit({ rate: 1, maxAddresses })).toThrow(RangeError);
});
