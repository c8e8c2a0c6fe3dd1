import { expect, test } from "bun:test";
import { cases } from "./cases.ts";

// From the source; `bun run test:runtimes` runs them from the package, on every runtime.
test.each(cases.map(({ name, run }) => [name, run] as const))("%s", async (_name, run) => {
  expect(await run()).toBeUndefined();
});
