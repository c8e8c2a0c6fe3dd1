import { describe, expect, test } from "bun:test";
import { ServerResponse, IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { createSessions } from "../session/mod.ts";
import { type NodeRequest, session } from "../session/node.ts";
import { KEY } from "./support/app.ts";
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

describe("the origin of a page", () => {
  const middleware = session(createSessions({ secretKey: KEY }));

  /** Whether a POST that a page of the origin sent reaches the application. */
  function passes(origin: string, request: Partial<NodeRequest>): boolean {
    const headers = { host: "example.org", origin, ...request.headers };
    let isCalled = false;
    middleware(
      { method: "POST", url: "/", socket: {}, ...request, headers },
      new ServerResponse(new IncomingMessage(new Socket())),
      () => (isCalled = true),
    );
    return isCalled;
  }

  test.each<[string, Partial<NodeRequest>, boolean, boolean]>([
    ["over http", {}, true, true],
    ["over https", { socket: { encrypted: true } }, true, false],
    ["over https, as Express believes a proxy", { secure: true }, true, false],
    ["over http, as Express says", { secure: false, socket: { encrypted: true } }, true, true],
    [
      "over HTTP/2, which has no Host",
      { headers: { host: undefined, ":authority": "example.org" }, socket: { encrypted: true } },
      true,
      false,
    ],
    ["to another host", { headers: { host: "example.com" } }, false, false],
  ])("%s", (_title, request, isHttpsTaken, isHttpTaken) => {
    expect(passes("https://example.org", request)).toBe(isHttpsTaken);
    expect(passes("http://example.org", request)).toBe(isHttpTaken);
  });
});
