import { afterEach, beforeEach, describe, expect, type Mock, mock, spyOn, test } from "bun:test";
import { createSessions } from "../session/mod.ts";
import { errorOf } from "./support/errors.ts";
import { SECRET } from "./support/secrets.ts";

describe("where nobody listens", () => {
  let warn: Mock<typeof console.warn>;
  beforeEach(() => {
    warn = spyOn(console, "warn").mockImplementation(() => {});
  });
  afterEach(() => mock.restore());

  test("a store that fails is printed once, with its reason", async () => {
    const sessions = createSessions({
      secretKey: SECRET,
      store: { get: () => [], replace: () => Promise.reject(new Error("wrong password")) },
    });
    for (let count = 0; count < 2; count++) {
      expect(await errorOf(() => sessions.endAll("ann"))).toMatchObject({
        code: "ERR_SESSION_STORE",
      });
    }
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toMatch(/^madeleine: Cannot use the session store: /);
  });

  test("a secure cookie that browsers drop is printed once, and nothing else", async () => {
    const sessions = createSessions({ secretKey: SECRET });
    const page = sessions.handler((_request, session) => {
      session.set("count", 1);
      return new Response();
    });
    const cookie = "__Host-Http-session=x";
    for (let count = 0; count < 2; count++) {
      await page(new Request("http://example.com/", { headers: { cookie } }));
    }
    expect(warn).toHaveBeenCalledTimes(1);
    expect(warn.mock.calls[0]?.[0]).toContain("http://example.com");
  });
});
