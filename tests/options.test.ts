import { describe, expect, test } from "bun:test";
import { SessionError, SessionOptionsError } from "../session/errors.ts";
import { checkOptions } from "../session/options.ts";
import { createSessions, memoryStore } from "../session/mod.ts";
import { DAY, errorOf, OTHER_SECRET, SECRET, START, untyped } from "./support/helpers.ts";

describe("a wrong option throws at start-up, in one line that names it", () => {
  test.each<[string, string, Record<string, unknown>]>([
    ["secretKey", "is missing", { secretKey: undefined }],
    ["secretKey", "is null", { secretKey: null }],
    ["secretKey", "is empty", { secretKey: "" }],
    ["secretKey", "is a password", { secretKey: "correct horse" }],
    ["secretKey", "is no key", { secretKey: 5 }],
    ["secretKeyFallbacks", "is short", { secretKeyFallbacks: "short" }],
    ["secretKeyFallbacks", "is null", { secretKeyFallbacks: null }],
    ["secretKeyFallbacks", "holds the key", { secretKeyFallbacks: [OTHER_SECRET, SECRET] }],
    ["cookie", "is null", { cookie: null }],
    ["cookie", "is a string", { cookie: "session" }],
    ["cookie.name", "has a space", { cookie: { name: "a b" } }],
    ["cookie.sameSite", "is unknown", { cookie: { sameSite: "lax" } }],
    ["lifetime", "is zero", { lifetime: 0 }],
    ["lifetime", "is negative", { lifetime: -1 }],
    ["lifetime", "is no whole number", { lifetime: 1.5 }],
    ["lifetime", "is NaN", { lifetime: Number.NaN }],
    ["lifetime", "is infinite", { lifetime: Infinity }],
    ["lifetime", "is text", { lifetime: "3600" }],
    ["lifetime", "is null", { lifetime: null }],
    ["lifetime", "ends after the last date there is", { lifetime: 1e15 }],
    ["idleTimeout", "is zero", { idleTimeout: 0 }],
    ["idleTimeout", "is no whole number", { idleTimeout: 0.5 }],
    ["idleTimeout", "is text", { idleTimeout: "60" }],
    ["idleTimeout", "is null", { idleTimeout: null }],
    ["idleTimeout", "ends after the last date there is", { idleTimeout: 1e15 }],
    ["store", "is a URL", { store: "redis://localhost" }],
    ["store", "lacks replace", { store: { get: () => [] } }],
    ["store", "lacks get", { store: { replace: () => true } }],
    ["store", "is false", { store: false }],
    ["dataIn", "is unknown", { dataIn: "redis" }],
    ["dataIn", "is null", { dataIn: null }],
    ["dataIn", "asks for a store that is not there", { dataIn: "store", store: null }],
    ["adopt", "is no function", { adopt: {} }],
    ["adopt", "is null", { adopt: null }],
    ["adopt", "is false", { adopt: false }],
    ["onEvent", "is no function", { onEvent: "log" }],
    ["onEvent", "is null", { onEvent: null }],
    ["now", "is a number", { now: START }],
    ["now", "is null", { now: null }],
    ["secret", "is not ours", { secret: SECRET }],
    ["maxAge", "is not ours", { maxAge: 3600 }],
    ["idletimeout", "is misspelt", { idletimeout: 60 }],
  ])("%s: it %s", async (option, _, wrong) => {
    const options = { secretKey: SECRET, ...wrong };
    const error = await errorOf(() => createSessions(untyped(options)));
    expect(error).toBeInstanceOf(SessionOptionsError);
    expect(error).toMatchObject({ code: "ERR_SESSION_OPTIONS" });
    const name = option.replaceAll(".", "\\.");
    expect(String(error)).toMatch(
      new RegExp(`^SessionOptionsError: Cannot use (?:option )?${name}\\b[^\\n]*$`),
    );
    expect(String(error)).not.toContain(SECRET);
  });

  test.each([undefined, null, SECRET, 5])("%p in place of the options", (options) => {
    expect(() => createSessions(untyped(options))).toThrow(SessionOptionsError);
  });
});

describe("the defaults", () => {
  const settings = checkOptions({ secretKey: SECRET });

  test("are 30 days of lifetime and 7 days of idle timeout", () => {
    expect(settings.lifetime).toBe(30 * DAY);
    expect(settings.idleTimeout).toBe(7 * DAY);
  });

  test("are a secure cookie of this host alone", () => {
    expect(settings.cookie).toEqual({
      name: "__Host-Http-session",
      attributes: "; Path=/; HttpOnly; Secure; SameSite=Lax",
    });
  });

  test("are data in the cookie, a memory store, the system's clock, and nobody told or asked", () => {
    expect(settings.dataIn).toBe("cookie");
    expect(settings.store).not.toBeNull();
    expect(settings.now).toBe(Date.now);
    expect(settings.adopt).toBeUndefined();
    expect(settings.secrets).toHaveLength(1);
    settings.onEvent({ type: "ambiguous" });
  });

  test("are there where an option is undefined", () => {
    const given = { secretKeyFallbacks: undefined, cookie: undefined, lifetime: undefined };
    const others = { idleTimeout: undefined, store: undefined, dataIn: undefined };
    const rest = { adopt: undefined, onEvent: undefined, now: undefined };
    const checked = checkOptions(untyped({ secretKey: SECRET, ...given, ...others, ...rest }));
    expect(checked).toMatchObject({ lifetime: 30 * DAY, idleTimeout: 7 * DAY, dataIn: "cookie" });
    expect(checked.store).not.toBeNull();
  });

  test("are frozen", () => {
    expect(Object.isFrozen(settings)).toBe(true);
    expect(Object.isFrozen(settings.cookie)).toBe(true);
  });
});

const functions = { now: () => START, onEvent: () => {}, adopt: () => undefined };

describe("what is given", () => {
  test.each<[string, number, number | undefined, number]>([
    ["the default", 30 * DAY, undefined, 7 * DAY],
    ["the lifetime, where that is shorter than the default", 60, undefined, 60],
    ["what is given", 60, 30, 30],
    ["what is given, though longer than the lifetime", 60, 90, 90],
  ])("the idle timeout is %s", (_, lifetime, idleTimeout, expected) => {
    const idle = idleTimeout === undefined ? {} : { idleTimeout };
    expect(checkOptions({ secretKey: SECRET, lifetime, ...idle }).idleTimeout).toBe(expected);
  });

  test("stands", () => {
    const { now, onEvent, adopt } = functions;
    const given = { store: memoryStore(), now, onEvent, adopt, dataIn: "store" as const };
    expect(checkOptions({ secretKey: SECRET, ...given })).toMatchObject(given);
  });

  test("is no store, for null", () => {
    expect(checkOptions({ secretKey: SECRET, store: null }).store).toBeNull();
  });
});

test("one second is the shortest lifetime, and a century the longest", () => {
  for (const seconds of [1, 36_500 * DAY]) {
    const times = { lifetime: seconds, idleTimeout: seconds };
    expect(checkOptions({ secretKey: SECRET, ...times })).toMatchObject(times);
  }
  const lifetime = 36_500 * DAY + 1;
  expect(() => checkOptions({ secretKey: SECRET, lifetime })).toThrow(SessionOptionsError);
});

test("a wrong option is told as any other error of ours, by its code", async () => {
  const error = await errorOf(() => createSessions({ secretKey: undefined }));
  expect(error).toBeInstanceOf(SessionError);
  expect(error).toBeInstanceOf(Error);
});
