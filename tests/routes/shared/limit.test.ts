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
  return Array.from({ length: times }, () => limit.take([address]));
}

describe("E10: login attempts are limited", () => {
  test("allows `rate` attempts, then tells the seconds to wait", () => {
    const limit = frozen({ rate: 3 });
    expect(takes(limit, "a", 5)).toEqual([0, 0, 0, 60, 60]);
  });

  test("counts every address for itself", () => {
    const limit = frozen({ rate: 1 });
    expect([limit.take(["a"]), limit.take(["b"]), limit.take(["a"])]).toEqual([0, 0, 60]);
  });

  test("allows one more as each attempt gets a minute old, not all at once", () => {
    const limit = frozen({ rate: 2 });
    limit.take(["a"]);
    limit.pass(45);
    limit.take(["a"]);
    expect(limit.take(["a"])).toBe(15);
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
    limit.take(["a"]);
    limit.pass(seconds);
    expect(limit.take(["a"])).toBe(wait);
  });

  test("refused attempts do not prolong the wait", () => {
    const limit = frozen({ rate: 1 });
    limit.take(["a"]);
    limit.pass(59);
    takes(limit, "a", 100);
    limit.pass(1);
    expect(limit.take(["a"])).toBe(0);
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
    const limit = frozen({ rate: 0, maxNetworks: 1 });
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
    const later = limit.take(["a"]);
    clock.mockRestore();
    expect([first, later]).toEqual([[0, 60], 0]);
  });
});

/** Attempts that are allowed where each comes from another network of the first size. */
function allowed(limit: Limit, count: number, others: (index: number) => string[]): number {
  const waits = Array.from({ length: count }, (_, i) => limit.take([`${i}`, ...others(i)]));
  return waits.filter((wait) => wait === 0).length;
}

describe("E10: a network is limited with all its addresses", () => {
  test("the second size has 4 times the rate of an address, the third 16 times", () => {
    expect(allowed(frozen({ rate: 3 }), 100, () => ["second"])).toBe(12);
    expect(allowed(frozen({ rate: 3 }), 100, (i) => [`second ${i}`, "third"])).toBe(48);
    expect(allowed(frozen({ rate: 3 }), 100, (i) => [`second ${i}`, `third ${i}`])).toBe(100);
  });

  test("an attempt that one of them refuses counts for none of the others", () => {
    const limit = frozen({ rate: 1 });
    expect(limit.take(["a", "full"])).toBe(0);
    for (const name of ["b", "c", "d"]) expect(limit.take([name, "full", "third"])).toBe(0);
    expect(limit.take(["e", "full", "third"])).toBe(60);
    expect(limit.take(["e", "other", "third"])).toBe(0);
  });

  test("the wait is the longest of theirs", () => {
    const limit = frozen({ rate: 1 });
    limit.take(["a", "second"]);
    limit.pass(20);
    for (const name of ["b", "c", "d"]) limit.take([name, "second"]);
    expect(limit.take(["e", "second"])).toBe(40);
    expect(limit.take(["d", "second"])).toBe(60);
  });

  test("it has attempts again as each gets a minute old", () => {
    const limit = frozen({ rate: 1 });
    expect(allowed(limit, 10, () => ["second"])).toBe(4);
    limit.pass(60);
    expect(allowed(limit, 10, () => ["second"])).toBe(4);
  });
});

describe("E10: a flood from many networks", () => {
  test("makes no new address wait, and clears no count that is above its own", () => {
    const limit = frozen({ rate: 2, maxNetworks: 3 });
    takes(limit, "blocked", 2);
    for (let i = 0; i < 100; i++) expect(limit.take([`flood ${i}`])).toBe(0);
    expect(takes(limit, "visitor", 3)).toEqual([0, 0, 60]);
    expect(limit.take(["blocked"])).toBe(60);
  });

  test("makes the one with the fewest attempts forgotten, of those the one that came first", () => {
    const limit = frozen({ rate: 3, maxNetworks: 3 });
    takes(limit, "twice", 2);
    takes(limit, "first", 1);
    takes(limit, "second", 1);
    takes(limit, "new", 1);
    expect(takes(limit, "twice", 2)).toEqual([0, 60]);
    expect(takes(limit, "second", 3)).toEqual([0, 0, 60]);
    expect(takes(limit, "first", 4)).toEqual([0, 0, 0, 60]);
  });

  test("leaves room again when a network had no attempt for a minute", () => {
    const limit = frozen({ rate: 3, maxNetworks: 2 });
    takes(limit, "a", 2);
    limit.pass(60);
    takes(limit, "b", 1);
    limit.pass(10);
    takes(limit, "c", 1);
    expect(takes(limit, "b", 3)).toEqual([0, 0, 50]);
  });

  test("of 110,000 networks at 1,700 attempts a second locks no visitor out", () => {
    const limit = frozen({ rate: 10 });
    for (let i = 0; i < 110_000; i++) {
      const flood = [`${i}`, `second ${i >> 8}`, `third ${i >> 16}`];
      limit.take(i % 2 === 0 ? flood : [`${i}`, `second ${i}`, `third ${i}`]);
      limit.pass(1 / 1700);
      if (i % 1000 === 0) {
        const visitor = `visitor ${i}`;
        expect(limit.take([visitor, `second ${visitor}`, `third ${visitor}`])).toBe(0);
      }
    }
  });

  test("is counted, which takes for ever where each attempt looks at all networks", () => {
    const limit = frozen({ rate: 10, maxNetworks: 20_000 });
    // Four times as many networks as there is room for, every one of them for the first time.
    for (let i = 0; i < 80_000; i++) {
      expect(limit.take([`network ${i}`])).toBe(0);
      limit.pass(0.0004);
    }
  });
});

test.each([-1, 1.5, Number.NaN, Infinity])("throws at once for a rate of %d", (rate) => {
  expect(() => createLimit({ rate })).toThrow(RangeError);
});

test.each([0, -1, 1.5, Number.NaN, Infinity])("throws at once for %d networks", (maxNetworks) => {
  expect(() => createLimit({ rate: 1, maxNetworks })).toThrow(RangeError);
});
