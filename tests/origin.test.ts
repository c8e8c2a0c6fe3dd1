import { describe, expect, test } from "bun:test";
import { SessionOptionsError } from "../session/errors.ts";
import { checkOrigin, protect, type OriginOptions } from "../session/origin.ts";

type Verdict = ReturnType<typeof checkOrigin>;

/** A POST to https://example.com/ with these headers, unless said otherwise. */
function request(headers: HeadersInit, method = "POST", url = "https://example.com/"): Request {
  const all = new Headers(headers);
  if (!all.has("Host")) all.set("Host", new URL(url).host);
  return new Request(url, { method, headers: all });
}

/** The request with a method that only a server can give it. */
function withMethod(request: Request, method: string): Request {
  return Object.defineProperty(request, "method", { value: method });
}

const trusting: OriginOptions = { trustedOrigins: ["https://trusted.example"] };

describe("E1: Go's own table", () => {
  test.each<[string, string, Record<string, string>, Verdict]>([
    ["same-origin", "POST", { "Sec-Fetch-Site": "same-origin" }, null],
    ["none", "POST", { "Sec-Fetch-Site": "none" }, null],
    ["cross-site", "POST", { "Sec-Fetch-Site": "cross-site" }, "cross-site"],
    ["same-site", "POST", { "Sec-Fetch-Site": "same-site" }, "cross-site"],
    ["no header, no origin", "POST", {}, null],
    ["no header, own origin", "POST", { Origin: "https://example.com" }, null],
    ["no header, other origin", "POST", { Origin: "https://attacker.example" }, "other-origin"],
    ["no header, null origin", "POST", { Origin: "null" }, "other-origin"],
    ["GET", "GET", { "Sec-Fetch-Site": "cross-site" }, null],
    ["HEAD", "HEAD", { "Sec-Fetch-Site": "cross-site" }, null],
    ["OPTIONS", "OPTIONS", { "Sec-Fetch-Site": "cross-site" }, null],
    ["PUT", "PUT", { "Sec-Fetch-Site": "cross-site" }, "cross-site"],
  ])("%s, %s", (_, method, headers, verdict) => {
    expect(checkOrigin(request(headers, method))).toBe(verdict);
  });

  test.each<[string, Record<string, string>, Verdict]>([
    ["trusted", { Origin: "https://trusted.example" }, null],
    [
      "trusted, cross-site",
      { Origin: "https://trusted.example", "Sec-Fetch-Site": "cross-site" },
      null,
    ],
    ["untrusted", { Origin: "https://attacker.example" }, "other-origin"],
    [
      "untrusted, cross-site",
      { Origin: "https://attacker.example", "Sec-Fetch-Site": "cross-site" },
      "cross-site",
    ],
  ])("with a trusted origin: %s", (_, headers, verdict) => {
    expect(checkOrigin(request(headers), trusting)).toBe(verdict);
  });
});

describe("E1: beyond Go", () => {
  test.each<[string, Verdict]>([
    ["  same-origin\t", null], // white space around a field's value is not part of it (RFC 9110 §5.5)
    ["Same-Origin", "cross-site"],
    ["NONE", "cross-site"],
    ["same-origin, cross-site", "cross-site"],
    ["cross-site, same-origin", "cross-site"],
    ["same-origin, same-origin", "cross-site"],
    ["same-origin;", "cross-site"],
    ['"same-origin"', "cross-site"],
    ["same", "cross-site"],
    ["", "cross-site"],
  ])("Sec-Fetch-Site: %j", (site, verdict) => {
    // Our own Origin beside it changes nothing: what the browser says of the site decides.
    const headers = { "Sec-Fetch-Site": site, Origin: "https://example.com" };
    expect(checkOrigin(request(headers))).toBe(verdict);
  });

  test("Sec-Fetch-Site: same-origin passes with Origin: null, as under no-referrer", () => {
    const headers = { "Sec-Fetch-Site": "same-origin", Origin: "null" };
    expect(checkOrigin(request(headers))).toBeNull();
  });

  test.each<[string, string, string, Verdict]>([
    ["null in any case", "https://example.com/", "NULL", "other-origin"],
    ["empty", "https://example.com/", "", "other-origin"],
    ["userinfo before our host", "http://example.com/", "http://evil@example.com", "other-origin"],
    ["our host as userinfo", "https://example.com/", "https://example.com@evil", "other-origin"],
    ["an empty userinfo", "https://example.com/", "https://@example.com", "other-origin"],
    ["a trailing slash", "https://example.com/", "https://example.com/", "other-origin"],
    ["a path", "https://example.com/", "https://example.com/a", "other-origin"],
    ["a query", "https://example.com/", "https://example.com?a", "other-origin"],
    ["a fragment", "https://example.com/", "https://example.com#a", "other-origin"],
    ["two", "https://example.com/", "https://example.com, https://evil", "other-origin"],
    [
      "two alike",
      "https://example.com/",
      "https://example.com, https://example.com",
      "other-origin",
    ],
    ["two, older form", "https://example.com/", "https://example.com https://evil", "other-origin"],
    ["no scheme", "https://example.com/", "example.com", "other-origin"],
    ["no scheme but slashes", "https://example.com/", "//example.com", "other-origin"],
    ["http on an https site", "https://example.com/", "http://example.com", "other-origin"],
    ["https on an http URL: a proxy", "http://example.com/", "https://example.com", null],
    ["http on an http site", "http://example.com/", "http://example.com", null],
    ["another scheme", "https://example.com/", "ftp://example.com", "other-origin"],
    ["an extension", "https://example.com/", "chrome-extension://example.com", "other-origin"],
    ["a subdomain", "https://example.com/", "https://www.example.com", "other-origin"],
    ["a longer host", "https://example.com/", "https://example.com.evil", "other-origin"],
    ["a prefix before the host", "https://example.com/", "https://notexample.com", "other-origin"],
    ["a final dot", "https://example.com/", "https://example.com.", "other-origin"],
    ["an upper-case host", "https://example.com/", "https://EXAMPLE.com", "other-origin"],
    ["an upper-case scheme", "https://example.com/", "HTTPS://example.com", "other-origin"],
    ["our port", "https://example.com:8443/", "https://example.com:8443", null],
    ["another port", "https://example.com:8443/", "https://example.com:9443", "other-origin"],
    ["no port", "https://example.com:8443/", "https://example.com", "other-origin"],
    ["a default port", "https://example.com/", "https://example.com:443", "other-origin"],
    ["IPv6", "http://[::1]:3000/", "http://[::1]:3000", null],
    ["another IPv6", "http://[::1]:3000/", "http://[::2]:3000", "other-origin"],
    ["IPv6, respelled", "http://[::1]:3000/", "http://[0:0:0:0:0:0:0:1]:3000", "other-origin"],
    ["IPv6 without a port", "http://[::1]:3000/", "http://[::1]", "other-origin"],
  ])("Origin: %s (%s, %s)", (_, url, origin, verdict) => {
    expect(checkOrigin(request({ Origin: origin }, "POST", url))).toBe(verdict);
  });

  test("the Host header counts, not the URL that a server made up", () => {
    const headers = { Host: "example.com", Origin: "http://example.com" };
    expect(checkOrigin(request(headers, "POST", "http://localhost/"))).toBeNull();
    const inner = { Host: "example.com", Origin: "http://localhost" };
    expect(checkOrigin(request(inner, "POST", "http://localhost/"))).toBe("other-origin");
  });

  test("without a Host header (HTTP/2) the URL's host counts", () => {
    const verdicts = ["https://example.com", "https://attacker.example"].map((origin) =>
      checkOrigin(
        new Request("https://example.com/", { method: "POST", headers: { Origin: origin } }),
      ),
    );
    expect(verdicts).toEqual([null, "other-origin"]);
  });

  test.each(["https://", "https://undefined", "https://null", "null"])(
    "an empty Host makes %s no origin of ours",
    (origin) => {
      expect(checkOrigin(request({ Host: "", Origin: origin }))).toBe("other-origin");
    },
  );

  test.each<[string, string, Record<string, string>, Verdict]>([
    ["our own", "GET", { Origin: "https://example.com" }, null],
    ["our own, said by the browser", "GET", { "Sec-Fetch-Site": "same-origin" }, null],
    ["a program's", "GET", {}, null],
    ["another origin's", "GET", { Origin: "https://example.com:8443" }, "other-origin"],
    ["another site's", "GET", { "Sec-Fetch-Site": "cross-site" }, "cross-site"],
    ["a page's without an origin", "GET", { Origin: "null" }, "other-origin"],
    ["another origin's, over HTTP/2", "CONNECT", { Origin: "https://a.example" }, "other-origin"],
  ])("a WebSocket's handshake, %s: by %s", (_, method, headers, verdict) => {
    for (const upgrade of ["websocket", "WebSocket", "websocket, h2c", "h2c ,\tWEBSOCKET"]) {
      const handshake = withMethod(request({ ...headers, Upgrade: upgrade }, "GET"), method);
      expect(checkOrigin(handshake)).toBe(verdict);
    }
  });

  // RFC 9110 §7.8: Upgrade = #( protocol-name [ "/" protocol-version ] )
  test.each<[string, Verdict]>([
    ["websocket,h2c", "cross-site"],
    [",websocket", "cross-site"],
    ["h2c/1.0, websocket, x", "cross-site"],
    ["websocket/13", "cross-site"],
    ["", null],
    ["h2c", null],
    ["websocketx", null],
    ["x-websocket, websocket-x", null],
    ["h2c/websocket", null],
    ["not websocket", null],
  ])("Upgrade: %j of a GET", (upgrade, verdict) => {
    const headers = { Upgrade: upgrade, "Sec-Fetch-Site": "cross-site" };
    expect(checkOrigin(request(headers, "GET"))).toBe(verdict);
  });

  test.each(["PATCH", "DELETE", "POST", "PUT", "QUERY"])("%s is not safe", (method) => {
    expect(checkOrigin(request({ "Sec-Fetch-Site": "cross-site" }, method))).toBe("cross-site");
  });

  test.each([
    ["same-site and own", { "Sec-Fetch-Site": "same-site", Origin: "https://example.com" }],
    ["part of a trusted one", { "Sec-Fetch-Site": "cross-site", Origin: "https://trusted" }],
    [
      "longer than a trusted one",
      { "Sec-Fetch-Site": "cross-site", Origin: "https://trusted.example.evil" },
    ],
    [
      "a trusted host over http",
      { "Sec-Fetch-Site": "cross-site", Origin: "http://trusted.example" },
    ],
    ["null", { "Sec-Fetch-Site": "cross-site", Origin: "null" }],
  ])("cross-site with trusted origins, Origin %s: refused", (_, headers) => {
    expect(checkOrigin(request(headers), trusting)).toBe("cross-site");
  });
});

describe("publicOrigin, behind a proxy that ends TLS", () => {
  const options: OriginOptions = { publicOrigin: "https://example.org:8443" };

  test.each<[string, string, Verdict]>([
    ["the public one", "https://example.org:8443", null],
    ["its unencrypted twin", "http://example.org:8443", "other-origin"],
    ["the inner one", "http://10.0.0.7:3000", "other-origin"],
    ["without the port", "https://example.org", "other-origin"],
    ["null", "null", "other-origin"],
  ])("%s", (_, origin, verdict) => {
    const inner = request({ Origin: origin }, "POST", "http://10.0.0.7:3000/");
    expect(checkOrigin(inner, options)).toBe(verdict);
  });

  test("does not overrule Sec-Fetch-Site", () => {
    const headers = { "Sec-Fetch-Site": "same-site", Origin: "https://example.org:8443" };
    expect(checkOrigin(request(headers), options)).toBe("cross-site");
  });
});

describe("protect", () => {
  test("gives the request and every other argument through, and the answer back", async () => {
    const handler = protect((request: Request, name: string, times: number) => {
      return new Response(`${request.method} ${name}`.repeat(times));
    });
    const response = await handler(request({ "Sec-Fetch-Site": "same-origin" }), "tea", 2);
    expect(await response.text()).toBe("POST teaPOST tea");
  });

  test("E3: a cross-site login is answered with 403, and no cookie is set", async () => {
    const login = protect(() => new Response(null, { headers: { "Set-Cookie": "session=1" } }));
    const response = await login(request({ "Sec-Fetch-Site": "cross-site" }));
    expect(response.status).toBe(403);
    expect(response.headers.getSetCookie()).toEqual([]);
    const own = await login(request({ "Sec-Fetch-Site": "same-origin" }));
    expect(own.headers.getSetCookie()).toEqual(["session=1"]);
  });

  test.each([
    "application/x-www-form-urlencoded",
    "APPLICATION/X-WWW-Form-Urlencoded",
    "multipart/form-data; boundary=a",
    "text/plain",
    "Text/Plain;charset=utf-8",
    "application/json",
    "",
    null,
  ])("E2: cross-site with content type %j: 403, and the body is not read", async (type) => {
    let isCalled = false;
    const handler = protect(() => {
      isCalled = true;
      return new Response();
    });
    const headers = new Headers({ "Sec-Fetch-Site": "cross-site", Host: "example.com" });
    if (type !== null) headers.set("Content-Type", type);
    const body = new TextEncoder().encode("username=mallory");
    const sent = new Request("https://example.com/", { method: "POST", headers, body });
    expect(sent.headers.get("Content-Type")).toBe(type);
    expect((await handler(sent)).status).toBe(403);
    expect(sent.bodyUsed).toBe(false);
    expect(isCalled).toBe(false);
  });

  test.each(["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "_method"])(
    "E5: %s is ignored",
    (name) => {
      const headers = { "Sec-Fetch-Site": "cross-site", [name]: "GET" };
      expect(checkOrigin(request(headers))).toBe("cross-site");
      const post = { "Sec-Fetch-Site": "cross-site", [name]: "POST" };
      expect(checkOrigin(request(post, "GET"))).toBeNull();
    },
  );

  test("E2: on the wire, 403 comes before the body does", async () => {
    using server = Bun.serve({
      port: 0,
      fetch: protect(async (r) => new Response(await r.text())),
    });
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = await Bun.connect({
      hostname: "localhost",
      port: server.url.port === "" ? 80 : Number(server.url.port),
      socket: { data: (_, bytes) => resolve(bytes.toString()), close: () => resolve("closed") },
    });
    socket.write(
      "POST / HTTP/1.1\r\nHost: a\r\nOrigin: http://evil@a\r\nContent-Length: 9\r\n\r\nuser",
    );
    expect(await promise).toStartWith("HTTP/1.1 403 ");
    socket.end();
  });

  const wrong = [
    "https://example.org/",
    "https://example.org/path",
    "https://example.org?",
    "https://example.org#a",
    "example.org",
    "//example.org",
    "https://user@example.org",
    "https://EXAMPLE.org",
    "https://example.org:443",
    "https://*.example.org",
    " https://example.org",
    "file://",
    "null",
    "*",
    "",
  ];
  test.each(wrong)("throws at once for the origin %j", (origin) => {
    const trustedOrigins = ["https://trusted.example", origin];
    expect(() => protect(() => new Response(), { trustedOrigins })).toThrow(SessionOptionsError);
    const options = { publicOrigin: origin };
    expect(() => protect(() => new Response(), options)).toThrow(SessionOptionsError);
  });

  test("throws at once for an option that does not exist, such as a misspelt one", () => {
    const options = { trustedOrigin: ["https://trusted.example"] };
    expect(() => {
      Reflect.apply(protect, undefined, [() => new Response(), options]);
    }).toThrow("Cannot use option origin.trustedOrigin: there is no such option, only");
  });

  test("throws at once for a bare string, whose parts would all be trusted", () => {
    const options = { trustedOrigins: "https://trusted.example" };
    expect(() => {
      Reflect.apply(protect, undefined, [() => new Response(), options]);
    }).toThrow(SessionOptionsError);
  });

  test.each([
    "https://example.org",
    "http://localhost:3000",
    "http://[::1]",
    "capacitor://localhost",
  ])("trusts %s", async (origin) => {
    const handler = protect(() => new Response(), { trustedOrigins: [origin] });
    expect((await handler(request({ Origin: origin }))).status).toBe(200);
  });
});
