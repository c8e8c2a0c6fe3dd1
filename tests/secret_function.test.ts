import { describe, expect, test } from "bun:test";
import { SessionOptionsError } from "../session/errors.ts";
import { createApp } from "./support/app.ts";
import { errorOf } from "./support/errors.ts";
import { requestWith } from "./support/requests.ts";
import { OTHER_SECRET, SECRET } from "./support/secrets.ts";
import { signedIn } from "./promises/support.ts";

describe("a secretKey that is a function", () => {
  test.each<[string, () => string | Promise<string>]>([
    ["gives the key", () => SECRET],
    ["gives a promise of it", async () => SECRET],
  ])("%s at the first use, and is asked once", async (_, secretKey) => {
    let times = 0;
    const app = createApp({ secretKey: () => (times++, secretKey()) });
    expect(times).toBe(0);
    const browser = await signedIn(app, "ann");
    expect(await app.look(browser.cookie)).toEqual({ username: "ann" });
    expect(await createApp().look(browser.cookie)).toEqual({ username: "ann" });
    expect(times).toBe(1);
  });

  test.each<
    [string, () => string | undefined | Promise<string>, new (...parameters: never[]) => Error]
  >([
    ["none", () => undefined, SessionOptionsError],
    ["a short one", () => "short", SessionOptionsError],
    ["one that stands among the fallbacks", () => OTHER_SECRET, SessionOptionsError],
    ["an error", () => Promise.reject(new RangeError("The vault is closed")), RangeError],
  ])("that gives %s fails the first request, not the start", async (_, secretKey, type) => {
    const { sessions } = createApp({ secretKey, secretKeyFallbacks: [OTHER_SECRET] });
    const { cookie } = await signedIn(createApp(), "ann");
    expect(await errorOf(async () => sessions.open(requestWith(cookie)))).toBeInstanceOf(type);
    expect(await errorOf(async () => sessions.open(requestWith()))).toBeInstanceOf(type);
  });

  test("is asked again after it failed", async () => {
    const keys: string[] = [];
    const { sessions } = createApp({ secretKey: () => keys[0] });
    const { cookie } = await signedIn(createApp(), "ann");
    expect(await errorOf(async () => sessions.open(requestWith(cookie)))).toBeInstanceOf(Error);
    keys.push(SECRET);
    expect((await sessions.open(requestWith(cookie))).subject).toBe("ann");
  });
});
