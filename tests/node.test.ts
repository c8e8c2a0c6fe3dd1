import { expect, test } from "bun:test";
import { session } from "../session/node.ts";
import { plain } from "./runtimes/middleware_app.ts";
import { middlewareCases } from "./runtimes/middleware_cases.ts";
import { sendingCases } from "./runtimes/middleware_ways.ts";

// On Bun's node:http. `bun run test:runtimes` runs them on Node, in Express, Connect and Polka.
const all = [...sendingCases("node:http", plain), ...middlewareCases("node:http", plain)];

test.each(all.map(({ name, run }) => [name, run] as const))("%s", async (_name, run) => {
  expect(await run()).toBeUndefined();
});

test("what does not come from createSessions is an error at once", () => {
  expect(() => void Reflect.apply(session, undefined, [{}])).toThrow(
    new TypeError("Cannot make the middleware: expected what createSessions gives"),
  );
});
