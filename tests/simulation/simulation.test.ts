import { expect, setDefaultTimeout, test } from "bun:test";
import { simulate, trace } from "./simulate.ts";

// A run that is cut off leaves the clocks stopped for the tests after it.
setDefaultTimeout(30_000);

/** As long as a test may take: `bun run simulate` goes on for 20,000. */
const INTERLEAVINGS = 250;

test.each(["cookie", "store"] as const)(
  "with the data in the %s nothing is lost, comes back or ends by itself, in any order",
  async (dataIn) => {
    const { failures, limits } = await simulate(1, INTERLEAVINGS, dataIn);
    expect(failures).toEqual([]);
    expect(Object.values(limits).every((count) => count > 0)).toBe(true);
  },
);

test("the same seed does the same again", async () => {
  const once = await trace(7, "cookie");
  expect(once.length).toBeGreaterThan(100);
  expect(await trace(7, "cookie")).toEqual(once);
});
