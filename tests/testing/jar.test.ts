import { describe, expect, test } from "bun:test";
import { createJar, type Jar } from "../../session/testing/jar.ts";

const NOW = Date.parse("2026-01-05T10:00:00Z");
const DAY = 24 * 60 * 60 * 1000;
const PAGE = "https://app.example.com/a/b";

function jarOf(lines: readonly string[], url = PAGE, now = () => NOW): Jar {
  const jar = createJar(now);
  for (const line of lines) jar.store(line, new URL(url));
  return jar;
}

/** The header that goes to `to` after `from` sent the lines. */
function sent(lines: readonly string[], from: string, to: string): string {
  return jarOf(lines, from).header(new URL(to));
}

test("keeps every attribute", () => {
  const line = "a=b; Domain=.Example.com; Path=/x; Max-Age=60; Secure; HttpOnly; SameSite=Lax";
  expect(jarOf([`${line}; Partitioned`]).cookies()).toEqual([
    {
      name: "a",
      value: "b",
      domain: "example.com",
      isHostOnly: false,
      path: "/x",
      secure: true,
      httpOnly: true,
      sameSite: "Lax",
      partitioned: true,
      expiresAt: new Date(NOW + 60_000),
    },
  ]);
});

test("keeps a bare cookie for its host, its directory and until the browser closes", () => {
  expect(jarOf(["a=b"]).cookies()).toEqual([
    {
      name: "a",
      value: "b",
      domain: "app.example.com",
      isHostOnly: true,
      path: "/a",
      secure: false,
      httpOnly: false,
      sameSite: undefined,
      partitioned: false,
      expiresAt: undefined,
    },
  ]);
});

describe("names and values (RFC 6265bis §5.6)", () => {
  test.each([
    ["a=b", "a=b"],
    [" \ta \t= b c\t ; Path=/", "a=b c"],
    ['a="b"', 'a="b"'],
    ["a=b=c==", "a=b=c=="],
    ["a=%20", "a=%20"],
    ["a=", "a="],
    ["=b", "b"],
    ["b", "b"],
    ["a b=c d", "a b=c d"],
    ["\ta\t=\tb\t;\tPath\t=\t/\t", "a=b"],
    ["a=b\tc", ""],
    ["a\tb=c", ""],
    ["a=b=\tc", ""],
    ["b\tc", ""],
    ["=b\tc", ""],
    ["a=b; Pa\tth=/", ""],
    ["a=b; other=x\ty", ""],
    ["a=b; other\tname", ""],
    ["= b c", "b c"],
    ["=x=y", ""],
    [" = =y", ""],
    ["==", ""],
    ["=a=", ""],
    ["", ""],
    ["=", ""],
    [" ; Path=/", ""],
    ["a=b\u0001c", ""],
    ["a=b; Path=/\u007f", ""],
    [`a=${"x".repeat(4095)}`, `a=${"x".repeat(4095)}`],
    [`a=${"x".repeat(4096)}`, ""],
  ])("%j is sent as %j", (line, header) => {
    expect(sent([line], PAGE, PAGE)).toBe(header);
  });
});

test.each(["", "=", " ; Path=/"])("%j is no cookie", (line) => {
  expect(jarOf([line]).cookies()).toEqual([]);
});

describe("hosts (§5.1.3, §5.7)", () => {
  const app = "https://app.example.com/";
  test.each([
    ["a=b", app, app, true],
    ["a=b", app, "https://app.example.com:8443/", true],
    ["a=b", app, "https://x.app.example.com/", false],
    ["a=b", app, "https://example.com/", false],
    ["a=b; Domain=example.com", app, "https://example.com/", true],
    ["a=b; Domain=example.com", app, "https://other.example.com/", true],
    ["a=b; Domain=.EXAMPLE.com", app, "https://other.example.com/", true],
    ["a=b; Domain=example.com", app, "https://badexample.com/", false],
    ["a=b; Domain=app.example.com", app, "https://x.app.example.com/", true],
    ["a=b; Domain=x.app.example.com", app, "https://x.app.example.com/", false],
    ["a=b; Domain=other.com", app, "https://other.com/", false],
    ["a=b; Domain=com", app, app, false],
    ["a=b; Domain=", app, app, true],
    ["a=b; Domain=.", app, app, false],
    ["a=b; Domain=example.com; Domain=.", app, app, false],
    ["a=b; Domain=", app, "https://x.app.example.com/", false],
    ["a=b; Domain=other.com; Domain=example.com", app, "https://example.com/", true],
    ["a=b; Domain=localhost", "https://localhost/", "https://localhost/", true],
    ["a=b; Domain=localhost", "https://localhost/", "https://x.localhost/", false],
    ["a=b; Domain=0.0.1", "http://127.0.0.1/", "http://127.0.0.1/", false],
    ["a=b; Domain=127.0.0.1", "http://127.0.0.1/", "http://127.0.0.1/", true],
  ])("%j from %s goes to %s: %p", (line, from, to, isSent) => {
    expect(sent([line], from, to)).toBe(isSent ? "a=b" : "");
  });
});

describe("paths (§5.1.4)", () => {
  test.each([
    ["a=b", "/", "/x/y", true],
    ["a=b", "/a", "/x", true],
    ["a=b", "/a/b", "/a", true],
    ["a=b", "/a/b", "/a/c", true],
    ["a=b", "/a/b", "/", false],
    ["a=b", "/a/b/", "/a/b/c", true],
    ["a=b", "/a/b/", "/a/c", false],
    ["a=b; Path=/a", "/", "/a", true],
    ["a=b; Path=/a", "/", "/a/x", true],
    ["a=b; Path=/a", "/", "/ab", false],
    ["a=b; Path=/a", "/", "/A", false],
    ["a=b; Path=/a/", "/", "/a/x", true],
    ["a=b; Path=/a/", "/", "/a", false],
    ["a=b; Path=", "/a/b", "/a/c", true],
    ["a=b; Path=x", "/a/b", "/", false],
    ["a=b; Path=x", "/a/b", "/a/c", true],
    ["a=b; Path=/x; Path=/", "/a/b", "/", true],
    [`a=b; Path=/; Path=/${"x".repeat(1024)}`, "/a/b", "/", true],
    [`a=b; Path=/; Path=/${"x".repeat(1023)}`, "/a/b", "/", false],
  ])("%j from %s goes to %s: %p", (line, from, to, isSent) => {
    const host = "https://example.com";
    expect(sent([line], host + from, host + to)).toBe(isSent ? "a=b" : "");
  });
});

describe("Secure (§5.7, §5.8.3)", () => {
  test.each([
    ["https://example.com/", "https://example.com/", true],
    ["https://example.com/", "http://example.com/", false],
    ["http://example.com/", "https://example.com/", false],
    ["http://localhost:3000/", "http://localhost:3000/", true],
    ["http://app.localhost/", "http://app.localhost/", true],
    ["http://127.0.0.1/", "http://127.0.0.1/", true],
    ["http://[::1]/", "http://[::1]/", true],
    ["http://notlocalhost/", "http://notlocalhost/", false],
    ["http://10.0.0.1/", "http://10.0.0.1/", false],
  ])("from %s to %s: %p", (from, to, isSent) => {
    expect(sent(["a=b; secure"], from, to)).toBe(isSent ? "a=b" : "");
  });

  test.each([
    ["a=new; Domain=example.com", ""],
    ["a=new; Path=/a/deep", ""],
    ["a=new; Path=/", "a=new"],
    ["other=new", "other=new"],
  ])("plain HTTP lays no %j over a secure cookie", (line, header) => {
    const jar = jarOf(["a=old; Path=/a; Secure"]);
    jar.store(line, new URL("http://app.example.com/a/b"));
    expect(jar.header(new URL("http://app.example.com/a/deep"))).toBe(header);
  });

  test("plain HTTP lays a cookie over one that is not secure", () => {
    const jar = jarOf(["a=old; Path=/a"]);
    jar.store("a=new; Path=/a/deep", new URL("http://app.example.com/"));
    expect(jar.header(new URL("http://app.example.com/a/deep"))).toBe("a=new; a=old");
  });

  test("plain HTTP lays no cookie of a subdomain over its domain's", () => {
    const jar = jarOf(["a=old; Path=/; Domain=example.com; Secure"]);
    jar.store("a=new", new URL("http://app.example.com/"));
    expect(jar.cookies().map(({ value }) => value)).toEqual(["old"]);
  });

  test.each([
    ["a=b; SameSite=None", ""],
    ["a=b; SameSite=nONE", ""],
    ["a=b; SameSite=none; Secure", "a=b"],
    ["a=b; Partitioned", ""],
    ["a=b; SameSite=Strict", "a=b"],
  ])("browsers ask for it: %j is sent as %j", (line, header) => {
    expect(sent([line], PAGE, PAGE)).toBe(header);
  });
});

describe("prefixes (§4.1.3)", () => {
  test.each([
    ["__Secure-a=b; Secure", true],
    ["__Secure-a=b", false],
    ["__sECURE-a=b", false],
    ["__Host-a=b; Secure; Path=/", true],
    ["__Host-a=b; Path=/", false],
    ["__Host-a=b; Secure", false],
    ["__Host-a=b; Secure; Path=x; Path=/", true],
    ["__Host-a=b; Secure; Path=/; Path=x", false],
    ["__Host-a=b; Secure; Path=/a", false],
    ["__Host-a=b; Secure; Path=/; Domain=example.com", false],
    ["__hOST-a=b; Secure; Path=/a", false],
    ["__Host-Http-a=b; Secure; Path=/; HttpOnly", true],
    ["__Host-Http-a=b; Secure; Path=/", false],
    ["__Host-Http-a=b; Secure; Path=/a; HttpOnly", false],
    ["__Http-a=b; Secure; HttpOnly", true],
    ["__Http-a=b; Secure", false],
    ["__Http-a=b; HttpOnly", false],
    ["=__Host-a=b; Secure; Path=/", false],
    ["__Hosta=b", true],
  ])("%j is kept: %p", (line, isKept) => {
    expect(jarOf([line]).cookies()).toHaveLength(isKept ? 1 : 0);
  });

  test.each(["", "; Path", "; Path=", "; Path=x"])(
    "__Host- asks for the attribute Path, not just for the path: Secure%s",
    (path) => {
      expect(jarOf([`__Host-a=b; Secure${path}`], "https://example.com/").cookies()).toEqual([]);
    },
  );
});

describe("expiry (§5.5, §5.7)", () => {
  test.each([
    ["Max-Age=60", 60_000],
    ["max-age = 60 ", 60_000],
    ["Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", 60_000],
    ["Expires=Tue, 06 Jan 2026 10:00:00 GMT; Max-Age=60", 60_000],
    ["Max-Age=60; Max-Age=x", 60_000],
    ["Max-Age=60; Max-Age=30", 30_000],
    ["Max-Age=1e3", undefined],
    ["Max-Age=+60", undefined],
    ["Max-Age=", undefined],
    ["Max-Age=99999999999999999999", 400 * DAY],
    ["Expires=Fri, 31 Dec 9999 23:59:59 GMT", 400 * DAY],
    ["Expires=Tue, 06 Jan 2026 10:00:00 GMT", DAY],
    ["Expires=Tuesday, 06-Jan-26 10:00:00 GMT", DAY],
    ["Expires=Tue Jan  6 10:00:00 2026", DAY],
    ["Expires=6 JANUARY 2026 10:0:0", DAY],
    ["Expires=2026 6 jan 10:00:00 PST", DAY],
    ["Expires=06 Jan 2027 10:00:00 GMT", 366 * DAY],
    ["Expires=31 Apr 2026 10:00:00", undefined],
    ["Expires=6 Jan 2026 24:00:00", undefined],
    ["Expires=6 Jan 2026 10:60:00", undefined],
    ["Expires=6 Jan 2026 10:00:60", undefined],
    ["Expires=6 Jan 1600 10:00:00", undefined],
    ["Expires=6 Jan 2026", undefined],
    ["Expires=6 2026 10:00:00", undefined],
    ["Expires=Jan 10:00:00 2026", undefined],
    ["Expires=6 Jan 10:00:00", undefined],
    ["Expires=never", undefined],
    ["Expires=Tue, 06 Jan 2026 10:00:00 GMT; Expires=never", DAY],
  ])("%s", (attribute, milliseconds) => {
    const expiresAt = milliseconds === undefined ? undefined : new Date(NOW + milliseconds);
    const cookies = jarOf([`a=b; ${attribute}`]).cookies();
    expect(cookies.map((cookie) => cookie.expiresAt)).toStrictEqual([expiresAt]);
  });

  test.each([
    "Max-Age=0",
    "Max-Age=-1",
    "Max-Age=0; Expires=Tue, 06 Jan 2026 10:00:00 GMT",
    "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
    "Expires=31 Dec 99 23:59:59",
    "Expires=Mon, 05 Jan 2026 10:00:00 GMT",
  ])("%s deletes", (attribute) => {
    const jar = jarOf(["a=b; Path=/", `a=; Path=/; ${attribute}`]);
    expect(jar.header(new URL(PAGE))).toBe("");
    expect(jar.cookies()).toEqual([]);
  });

  test("goes when its time has come", () => {
    let now = NOW;
    const jar = jarOf(["a=b; Max-Age=60", "c=d"], PAGE, () => now);
    now += 59_999;
    expect(jar.header(new URL(PAGE))).toBe("a=b; c=d");
    now += 1;
    expect(jar.header(new URL(PAGE))).toBe("c=d");
  });
});

describe("several cookies (§5.7, §5.8.3)", () => {
  test.each<[string, string[], string]>([
    ["by age", ["a=1", "b=2", "c=3"], "a=1; b=2; c=3"],
    ["longer paths first", ["a=1; Path=/", "b=2; Path=/a", "c=3; Path=/a/b"], "c=3; b=2; a=1"],
    ["replaced in its place", ["a=1", "b=2", "a=3"], "a=3; b=2"],
    ["deleted and set again", ["a=1", "b=2", "a=; Max-Age=0", "a=3"], "b=2; a=3"],
    ["names are case-sensitive", ["a=1", "A=2"], "a=1; A=2"],
    ["one for each path", ["a=1; Path=/", "a=2; Path=/a"], "a=2; a=1"],
    ["one for each domain", ["a=1; Domain=example.com", "a=2; Domain=app.example.com"], "a=1; a=2"],
    ["the host's beside the domain's", ["a=1", "a=2; Domain=app.example.com"], "a=1; a=2"],
    ["one that is partitioned", ["a=1", "a=2; Secure; Partitioned"], "a=1; a=2"],
    ["one that is not", ["a=1; Secure; Partitioned", "a=2"], "a=1; a=2"],
    ["deleting asks for Partitioned", ["a=1; Secure; Partitioned", "a=; Max-Age=0"], "a=1"],
    ["deleting asks for the path", ["a=1; Path=/", "a=; Path=/a; Max-Age=0"], "a=1"],
    ["deleting asks for the domain", ["a=1; Domain=example.com", "a=; Max-Age=0"], "a=1"],
  ])("%s", (_, lines, header) => {
    expect(sent(lines, PAGE, PAGE)).toBe(header);
  });
});

test("clear forgets all", () => {
  const jar = jarOf(["a=b"]);
  jar.clear();
  expect(jar.cookies()).toEqual([]);
});
