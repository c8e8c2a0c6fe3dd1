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

describe("a wrong option throws at once, in one line that gives the value and what is expected", () => {
  const name = "must be 1 to 256 letters, digits and characters of !#$%&'*+-.^_`|~";
  const host = `its prefix must go with secure: true, path: "/" and no domain`;
  const prefix = "its prefix must go with secure: true";
  const slash = "must start with a slash";
  const path = "must be printable ASCII without semicolons or a space at the end";
  const domain = "must be a host name of at most 255 characters, without a port";
  const sameSite = `must be "Strict", "Lax" or "None"`;
  const secure = "must go with secure: true";
  const string = "must be a string";
  const boolean = "must be a boolean";
  const option = "must be one of the options name, path, domain, sameSite, secure, partitioned";

  test.each<[string, string, unknown]>([
    [`name ""`, name, { name: "" }],
    [`name "a b"`, name, { name: "a b" }],
    [`name "a;b"`, name, { name: "a;b" }],
    [`name "a=b"`, name, { name: "a=b" }],
    [String.raw`name "a\r\nSet-Cookie: b"`, name, { name: "a\r\nSet-Cookie: b" }],
    [`name "é"`, name, { name: "é" }],
    [`name "${"a".repeat(257)}"`, name, { name: "a".repeat(257) }],
    ["name 5", string, { name: 5 }],
    ["name null", string, { name: null }],
    ["name a value of type object", string, { name: ["a"] }],
    ["name a value of type function", string, { name: () => "\n" }],
    ["name Symbol(a)", string, { name: Symbol("a") }],
    ["name 5n", string, { name: 5n }],
    [`name "__Host-id"`, host, { name: "__Host-id", secure: false }],
    [`name "__Host-id"`, host, { name: "__Host-id", path: "/app" }],
    [`name "__host-id"`, host, { name: "__host-id", domain: "example.com" }],
    [`name "__Host-Http-id"`, host, { name: "__Host-Http-id", domain: "example.com" }],
    [`name "__Secure-id"`, prefix, { name: "__Secure-id", secure: false }],
    [`name "__SECURE-id"`, prefix, { name: "__SECURE-id", secure: false }],
    [`name "__Http-id"`, prefix, { name: "__Http-id", secure: false }],
    [`path ""`, slash, { path: "" }],
    [`path "app"`, slash, { path: "app" }],
    [`path " /"`, slash, { path: " /" }],
    [`path "/;Domain=evil.example"`, path, { path: "/;Domain=evil.example" }],
    [String.raw`path "/\n"`, path, { path: "/\n" }],
    [`path "/é"`, path, { path: "/é" }],
    [`path "/app "`, path, { path: "/app " }],
    [
      `path "/${"a".repeat(1024)}"`,
      "must be at most 1024 characters",
      { path: `/${"a".repeat(1024)}` },
    ],
    ["path null", string, { path: null }],
    [`domain ""`, domain, { domain: "" }],
    [`domain "."`, domain, { domain: "." }],
    [`domain "example.com; Path=/"`, domain, { domain: "example.com; Path=/" }],
    [`domain "https://example.com"`, domain, { domain: "https://example.com" }],
    [`domain "example.com:8080"`, domain, { domain: "example.com:8080" }],
    [`domain "-example.com"`, domain, { domain: "-example.com" }],
    [`domain "example.com."`, domain, { domain: "example.com." }],
    [`domain "example..com"`, domain, { domain: "example..com" }],
    [`domain "${"a".repeat(256)}"`, domain, { domain: "a".repeat(256) }],
    ["domain null", string, { domain: null }],
    [`sameSite "lax"`, sameSite, { sameSite: "lax" }],
    [`sameSite ""`, sameSite, { sameSite: "" }],
    ["sameSite null", string, { sameSite: null }],
    ["sameSite false", string, { sameSite: false }],
    [`sameSite "None"`, secure, { sameSite: "None", secure: false }],
    [`secure "false"`, boolean, { secure: "false" }],
    ["secure 1", boolean, { secure: 1 }],
    ["secure null", boolean, { secure: null }],
    [`partitioned "false"`, boolean, { partitioned: "false" }],
    ["partitioned true", secure, { partitioned: true, secure: false }],
    [`samesite "Strict"`, option, { samesite: "Strict" }],
    ["httpOnly false", option, { httpOnly: false }],
    ["maxAge 60", option, { maxAge: 60 }],
  ])("%s: %s", async (given, expected, options) => {
    const error = await errorOf(() => createCookie(untyped(options)));
    expect(error).toBeInstanceOf(SessionOptionsError);
    expect(error).toHaveProperty("message", `Cannot use cookie.${given}: ${expected}`);
    expect(String(error)).not.toContain("\n");
  });

  test.each([null, "session", 5, true])("%j in place of the options", async (options) => {
    const error = await errorOf(() => createCookie(untyped(options)));
    expect(error).toBeInstanceOf(SessionOptionsError);
    expect(error).toHaveProperty(
      "message",
      `Cannot use option cookie: must be an object, got ${JSON.stringify(options)}`,
    );
  });

  test("at the limits no option is wrong", () => {
    const longest = { name: "a".repeat(256), path: `/${"a".repeat(1023)}` };
    expect(createCookie(longest).attributes).toContain(longest.path);
    expect(createCookie({ path: "/a b" }).attributes).toContain("/a b;");
    expect(createCookie({ domain: "a".repeat(255) }).attributes).toContain("a".repeat(255));
  });
});
