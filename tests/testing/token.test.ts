import { describe, expect, test } from "bun:test";
import { SessionOptionsError, SessionValueError } from "../../session/errors.ts";
import { createSessions, type SessionEvent, type SessionOptions } from "../../session/mod.ts";
import { createClient, token, type TokenKind } from "../../session/testing/mod.ts";
import { createClock, DAY } from "../support/clock.ts";
import { OTHER_SECRET, SECRET as secretKey } from "../support/secrets.ts";

const NOW = Date.parse("2026-01-05T10:00:00Z");
const COOKIE = "__Host-Http-session";
const now = () => NOW;

describe("a token to test with", () => {
  const claims = { data: { username: "admin", $date: new Date(NOW) }, subject: "user-1" };
  const kinds: TokenKind[] = [
    "valid",
    "expired",
    "early",
    "forged",
    "unknown-key",
    "wrong-purpose",
    "malformed",
  ];
  const configurations: Partial<SessionOptions>[] = [
    {},
    { cookie: { secure: false } },
    { cookie: { name: "sid" }, lifetime: 60 },
    { idleTimeout: 1 },
  ];
  const cases = configurations.flatMap((options) => kinds.map((kind) => ({ kind, options })));

  test.each(cases)("%j is taken as that", async ({ kind, options: rest }) => {
    const events: SessionEvent[] = [];
    const options = { secretKey, now, ...rest };
    const sessions = createSessions({ ...options, onEvent: (event) => events.push(event) });
    const client = createClient(() => new Response(), { sessions, now });
    const name = rest.cookie?.name ?? (rest.cookie?.secure === false ? "session" : COOKIE);
    const value = await token(claims, { ...options, kind });
    client.setCookie(`${name}=${value}; Secure; HttpOnly; Path=/`);
    const seen = await client.session((session) => [session.toJSON(), session.subject]);
    const isValid = kind === "valid";
    expect(seen).toEqual(isValid ? [claims.data, claims.subject] : [{}, undefined]);
    expect(events).toEqual(isValid ? [] : [{ type: "rejected", reason: kind }]);
    // A good one is not due to be signed again.
    expect(client.cookie(name)?.value).toBe(value);
  });

  test("is a fixed string for a fixed id and time", async () => {
    const id = "AAAAAAAAAAAAAAAAAAAAAA";
    const value = await token({ id, data: { username: "admin" } }, { secretKey, now });
    const [header = "", payload = ""] = value
      .split(".")
      .map((part) => atob(part.replace(/-/g, "+").replace(/_/g, "/")));
    expect(JSON.parse(header)).toMatchObject({ alg: "HS256", typ: "session+jwt" });
    expect(JSON.parse(payload)).toEqual({
      aud: COOKIE,
      sid: id,
      iat: NOW / 1000,
      exp: NOW / 1000 + 7 * DAY,
      max: NOW / 1000 + 30 * DAY,
      ver: NOW,
      data: { username: "admin" },
    });
    expect(await token({ id, data: { username: "admin" } }, { secretKey, now })).toBe(value);
  });

  test("ends with its lifetime, where that is sooner", async () => {
    const options = { secretKey, now, lifetime: 60, idleTimeout: 3600 };
    expect(atob((await token({}, options)).split(".")[1] ?? "")).toContain(
      `"exp":${NOW / 1000 + 60}`,
    );
  });

  test("a forged one has the claims that were asked for", async () => {
    const value = await token({ data: { username: "admin" } }, { secretKey, now, kind: "forged" });
    expect(atob(value.split(".")[1] ?? "")).toContain('"data":{"username":"admin"}');
  });

  test("ids are random, and there need be no data", async () => {
    const [one, other] = await Promise.all([
      token({}, { secretKey, now }),
      token({}, { secretKey, now }),
    ]);
    expect(one).not.toBe(other);
  });

  test("a fallback's is signed again", async () => {
    const clock = createClock(NOW);
    const events: SessionEvent[] = [];
    const sessions = createSessions({
      secretKey,
      secretKeyFallbacks: OTHER_SECRET,
      now: clock.now,
      onEvent: (event) => events.push(event),
    });
    const client = createClient(() => new Response(), { sessions, now: clock.now });
    const id = "AAAAAAAAAAAAAAAAAAAAAA";
    const data = { username: "admin" };
    const value = await token({ id, data }, { secretKey: OTHER_SECRET, now });
    client.setCookie(`${COOKIE}=${value}; Secure; HttpOnly; Path=/`);
    clock.advance(61);
    expect(await client.session((session) => session.toJSON())).toEqual(data);
    expect(events).toEqual([{ type: "rotated", id }]);
    expect(client.cookie(COOKIE)?.value).not.toBe(value);
  });

  test("a subject's ends with endAll", async () => {
    const sessions = createSessions({ secretKey, now });
    const client = createClient(() => new Response(), { sessions, now });
    const value = await token(claims, { secretKey, now });
    client.setCookie(`${COOKIE}=${value}; Secure; HttpOnly; Path=/`);
    await sessions.endAll("user-1");
    expect(await client.session((session) => session.isNew)).toBe(true);
  });

  test("wrong options and values reject", () => {
    expect(token({}, { secretKey: undefined })).rejects.toThrow(SessionOptionsError);
    expect(token({}, { secretKey, lifetime: 0 })).rejects.toThrow(SessionOptionsError);
    expect(token({ data: { f: () => 1 } }, { secretKey })).rejects.toThrow(SessionValueError);
  });
});
