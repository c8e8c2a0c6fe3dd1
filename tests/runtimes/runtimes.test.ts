import { afterAll, expect, test } from "bun:test";
import { answer, bodyCases } from "./bodies.ts";
import { cases } from "./cases.ts";
import { formatCases } from "./format_cases.ts";
import { serve } from "./serve.ts";

const server = await serve(answer);
afterAll(() => server.stop());
const all = [...cases, ...formatCases, ...bodyCases(server.origin)];

// From the source; `bun run test:runtimes` runs them from the package, on every runtime.
test.each(all.map(({ name, run }) => [name, run] as const))("%s", async (_name, run) => {
  expect(await run()).toBeUndefined();
});
