import { expect, setDefaultTimeout, test } from "bun:test";
import { addTo, createTally, interleavings, trace } from "./simulate.ts";

// A run that is cut off leaves the clocks stopped for the tests after it.
setDefaultTimeout(30_000);

/** As long as a test may take: `bun run simulate` tries 50,000. */
const INTERLEAVINGS = 100;

test.each(["cookie", "store"] as const)(
  "with the data in the %s nothing is lost, older, revived or ended without a reason, in any order",
  async (dataIn) => {
    const tally = createTally();
    for await (const one of interleavings(1, INTERLEAVINGS, dataIn)) addTo(tally, one);
    expect(tally.failures).toEqual([]);
    // The interleavings are hard enough that every documented limit shows.
    for (const [limit, count] of tally.limits) expect(`${limit} ${count}`).not.toBe(`${limit} 0`);
  },
);

test("the same seed does the same again", async () => {
  const once = await trace(7, "cookie");
  expect(once.length).toBeGreaterThan(100);
  expect(await trace(7, "cookie")).toEqual(once);
});
