import { describe, expect, test } from "bun:test";
import { SessionError, SessionOptionsError } from "../session/errors.ts";
import { checkOptions, type Settings } from "../session/options.ts";
import { createSessions, memoryStore } from "../session/mod.ts";
import { DAY, START } from "./support/clock.ts";
import { errorOf, untyped } from "./support/errors.ts";
import { OTHER_SECRET, SECRET } from "./support/secrets.ts";

const CYCLE: Record<string, unknown> = {};
CYCLE["self"] = CYCLE;

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
    ["lifetime", "is a bigint", { lifetime: 5n }],
    ["lifetime", "is a symbol", { lifetime: Symbol("5") }],
    ["lifetime", "is an object that is no text", { lifetime: Object.create(null) }],
    ["lifetime", "is longer than browsers keep a cookie", { lifetime: 400 * DAY + 1 }],
    ["idleTimeout", "is zero", { idleTimeout: 0 }],
    ["idleTimeout", "is no whole number", { idleTimeout: 0.5 }],
    ["idleTimeout", "is text", { idleTimeout: "60" }],
    ["idleTimeout", "is null", { idleTimeout: null }],
    ["idleTimeout", "is a bigint", { idleTimeout: 5n }],
    ["idleTimeout", "is an object that is no text", { idleTimeout: Object.create(null) }],
    ["idleTimeout", "is longer than browsers keep a cookie", { idleTimeout: 400 * DAY + 1 }],
    ["storeTimeout", "is zero", { storeTimeout: 0 }],
    ["storeTimeout", "is no whole number", { storeTimeout: 0.5 }],
    ["storeTimeout", "is infinite", { storeTimeout: Infinity }],
    ["storeTimeout", "is text", { storeTimeout: "250" }],
    ["storeTimeout", "is null", { storeTimeout: null }],
    ["storeTimeout", "is over ten seconds", { storeTimeout: 10_001 }],
    ["store", "is a URL", { store: "redis://localhost" }],
    ["store", "lacks replace", { store: { get: () => [] } }],
    ["store", "lacks get", { store: { replace: () => true } }],
    ["store", "is false", { store: false }],
    ["encrypt", "is text", { encrypt: "true" }],
    ["encrypt", "is null", { encrypt: null }],
    ["encrypt", "comes with ES256", { encrypt: true, algorithm: "ES256" }],
    ["algorithm", "is unknown", { algorithm: "HS512" }],
    ["algorithm", "is none", { algorithm: "none" }],
    ["algorithm", "is null", { algorithm: null }],
    ["dataIn", "is unknown", { dataIn: "redis" }],
    ["dataIn", "is null", { dataIn: null }],
    ["dataIn", "is a bigint", { dataIn: 5n }],
    ["dataIn", "is a symbol", { dataIn: Symbol("store") }],
    ["dataIn", "is a cyclic object", { dataIn: CYCLE }],
    ["dataIn", "asks for a store that is not there", { dataIn: "store", store: null }],
    ["origin", "is true", { origin: true }],
    ["origin", "is null", { origin: null }],
    ["origin", "is an origin", { origin: "https://example.org" }],
    ["origin.trustedOrigin", "is misspelt", { origin: { trustedOrigin: ["https://a.example"] } }],
    ["adopt", "is no function", { adopt: {} }],
    ["adopt", "is null", { adopt: null }],
    ["adopt", "is false", { adopt: false }],
    ["onEvent", "is no function", { onEvent: "log" }],
    ["onEvent", "is null", { onEvent: null }],
    ["now", "is a number", { now: START }],
    ["now", "is null", { now: null }],
    ["now", "gives NaN", { now: () => Number.NaN }],
    ["now", "gives nothing", { now: () => undefined }],
    ["now", "gives text", { now: () => String(START) }],
    ["now", "gives a Date", { now: () => new Date(START) }],
    ["now", "gives a bigint", { now: () => BigInt(START) }],
    ["now", "gives a promise", { now: () => Promise.resolve(START) }],
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

  test.each<[unknown, string]>([
    [5n, "5n"],
    ["5", `"5"`],
    [Symbol("5"), "Symbol(5)"],
    [[5], "a value of type object"],
  ])("a lifetime of %p is told from a number", async (lifetime, got) => {
    const error = await errorOf(() => createSessions(untyped({ secretKey: SECRET, lifetime })));
    expect(String(error)).toEndWith(` from 1 to 34560000, got ${got}`);
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
      options: { path: "/", httpOnly: true, secure: true, sameSite: "lax" },
      audience: "__Host-Http-session",
    });
  });

  test("are data in the cookie, a store with 250 ms, our own origin, the system's clock, and nobody told", () => {
    expect(settings.dataIn).toBe("cookie");
    expect(settings.store).not.toBeNull();
    expect(settings.storeTimeout).toBe(250);
    expect(settings.origin).toEqual({});
    expect(settings.now).toBe(Date.now);
    expect(settings.secrets()).toHaveLength(1);
    settings.onEvent({ type: "ambiguous" });
  });

  test("are there where an option is undefined", () => {
    const given = { secretKeyFallbacks: undefined, cookie: undefined, lifetime: undefined };
    const others = { idleTimeout: undefined, store: undefined, dataIn: undefined };
    const rest = {
      adopt: undefined,
      origin: undefined,
      onEvent: undefined,
      now: undefined,
      storeTimeout: undefined,
    };
    const checked = checkOptions(untyped({ secretKey: SECRET, ...given, ...others, ...rest }));
    expect(checked).toMatchObject({ lifetime: 30 * DAY, idleTimeout: 7 * DAY, dataIn: "cookie" });
    expect(checked.store).not.toBeNull();
  });

  test("are frozen", () => {
    expect(Object.isFrozen(settings)).toBe(true);
    expect(Object.isFrozen(settings.cookie)).toBe(true);
  });
});

function ignore(): void {}

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
    const dataIn: Settings["dataIn"] = "store";
    const given = { store: memoryStore(), storeTimeout: 10_000, now: () => START, dataIn };
    const settings = checkOptions({ secretKey: SECRET, onEvent: ignore, ...given });
    expect(settings).toMatchObject({ ...given, onEvent: ignore });
  });

  test("is no store, for null", () => {
    expect(checkOptions({ secretKey: SECRET, store: null }).store).toBeNull();
  });
});

test.each([1, 400 * DAY])("a lifetime and an idle timeout of %i s are taken", (seconds) => {
  const times = { lifetime: seconds, idleTimeout: seconds };
  expect(checkOptions({ secretKey: SECRET, ...times })).toMatchObject(times);
});

test("a wrong option is told as any other error of ours, by its code", async () => {
  const error = await errorOf(() => createSessions({ secretKey: undefined }));
  expect(error).toBeInstanceOf(SessionError);
  expect(error).toBeInstanceOf(Error);
});
