import { describe, expect, test } from "bun:test";
import { type CookieOptions, createCookie } from "../../session/cookie/attributes.ts";
import { SessionOptionsError } from "../../session/errors.ts";
import { errorOf, untyped } from "../support/errors.ts";

describe("the cookie's name", () => {
  test.each<[string, CookieOptions]>([
    ["__Host-Http-session", {}],
    ["__Host-Http-session", { secure: true, path: "/", sameSite: "None", partitioned: true }],
    ["session", { secure: false }],
    ["session", { path: "/app" }],
    ["session", { domain: "example.com" }],
    ["id", { name: "id" }],
    ["__Host-id", { name: "__Host-id" }],
    ["__Secure-id", { name: "__Secure-id", domain: "example.com", path: "/app" }],
    ["__Http-id", { name: "__Http-id", domain: "example.com" }],
    ["session", { name: "session" }],
    ["!#$%&'*+-.^_`|~09azAZ", { name: "!#$%&'*+-.^_`|~09azAZ" }],
  ])("is %s with %j", (name, options) => {
    expect(createCookie(options).name).toBe(name);
  });
});

describe("the audience of the tokens", () => {
  test.each<[string, CookieOptions]>([
    ["__Host-Http-session", {}],
    ["sid", { name: "sid" }],
    ["sid", { name: "sid", sameSite: "Strict", secure: false }],
    ["sid", { name: "sid", partitioned: true, path: "/" }],
    ["session; Path=/app", { path: "/app" }],
    ["sid; Domain=example.com", { name: "sid", domain: "example.com" }],
    ["sid; Domain=example.com", { name: "sid", domain: ".Example.COM" }],
    ["sid; Path=/App/; Domain=a.example", { name: "sid", path: "/App/", domain: "a.example" }],
  ])("is %j with %j", (audience, options) => {
    expect(createCookie(options).audience).toBe(audience);
  });
});

describe("a wrong option throws at once, in one line that names it", () => {
  test.each<[string, unknown]>([
    ["name", { name: "" }],
    ["name", { name: "a b" }],
    ["name", { name: "a;b" }],
    ["name", { name: "a=b" }],
    ["name", { name: "a\r\nSet-Cookie: b" }],
    ["name", { name: "é" }],
    ["name", { name: "a".repeat(257) }],
    ["name", { name: 5 }],
    ["name", { name: null }],
    ["name", { name: "__Host-id", secure: false }],
    ["name", { name: "__Host-id", path: "/app" }],
    ["name", { name: "__host-id", domain: "example.com" }],
    ["name", { name: "__Host-Http-id", domain: "example.com" }],
    ["name", { name: "__Secure-id", secure: false }],
    ["name", { name: "__SECURE-id", secure: false }],
    ["name", { name: "__Http-id", secure: false }],
    ["path", { path: "" }],
    ["path", { path: "app" }],
    ["path", { path: "/;Domain=evil.example" }],
    ["path", { path: "/\n" }],
    ["path", { path: "/é" }],
    ["path", { path: `/${"a".repeat(1024)}` }],
    ["path", { path: null }],
    ["domain", { domain: "" }],
    ["domain", { domain: "." }],
    ["domain", { domain: "example.com; Path=/" }],
    ["domain", { domain: "https://example.com" }],
    ["domain", { domain: "example.com:8080" }],
    ["domain", { domain: "-example.com" }],
    ["domain", { domain: "example.com." }],
    ["domain", { domain: "example..com" }],
    ["domain", { domain: "a".repeat(256) }],
    ["domain", { domain: null }],
    ["sameSite", { sameSite: "lax" }],
    ["sameSite", { sameSite: "" }],
    ["sameSite", { sameSite: null }],
    ["sameSite", { sameSite: false }],
    ["sameSite", { sameSite: "None", secure: false }],
    ["secure", { secure: "false" }],
    ["secure", { secure: 1 }],
    ["secure", { secure: null }],
    ["partitioned", { partitioned: "false" }],
    ["partitioned", { partitioned: true, secure: false }],
    ["samesite", { samesite: "Strict" }],
    ["httpOnly", { httpOnly: false }],
    ["maxAge", { maxAge: 60 }],
  ])("%s of %j", async (option, options) => {
    const error = await errorOf(() => createCookie(untyped(options)));
    expect(error).toBeInstanceOf(SessionOptionsError);
    expect(String(error)).toMatch(
      new RegExp(`^SessionOptionsError: [^\\n]*\\bcookie\\.${option}\\b[^\\n]*$`),
    );
  });

  test.each([null, "session", 5, true])("%j in place of the options", (options) => {
    expect(() => createCookie(untyped(options))).toThrow(SessionOptionsError);
  });
});
