import { describe, expect, test } from "bun:test";
import {
  createSessions,
  type Session,
  type SessionEvent,
  SessionOptionsError,
  type SessionOptions,
} from "../session/mod.ts";
import { protect } from "../session/origin.ts";
import { createApp } from "./support/app.ts";
import { Browser } from "./support/browser.ts";
import { SECRET } from "./support/secrets.ts";
import { ask, Wire } from "./support/wire.ts";

type Origin = SessionOptions["origin"];
type Fields = Readonly<Record<string, string>>;

const CROSS = { "Sec-Fetch-Site": "cross-site" };
const SAME_SITE = { "Sec-Fetch-Site": "same-site" };
const SAME = { "Sec-Fetch-Site": "same-origin" };
const OWN = { Origin: "https://example.com" };
const EVIL = { Origin: "https://evil.example" };
const PAY = { Origin: "https://pay.example" };
const NULL = { Origin: "null" };
const SOCKET = { Upgrade: "websocket", Connection: "Upgrade" };
const TRUSTING = { trustedOrigins: ["https://pay.example"] };
const PUBLIC = { publicOrigin: "https://example.org" };

/** A request to https://example.com/login: a form, where it is a POST. */
function request(method: string, headers: Fields): Request {
  const body = method === "POST" ? "username=mallory" : null;
  const type = { "Content-Type": "application/x-www-form-urlencoded", Host: "example.com" };
  return new Request("https://example.com/login", {
    method,
    headers: { ...type, ...headers },
    body,
  });
}

function failAsked(): never {
  throw new Error("The store was asked");
}

/** An application with a login, and what it did. */
function loginApp(
  origin?: Origin,
  route: { origin?: false } = {},
): ReturnType<typeof createApp> & {
  readonly login: (request: Request) => Response | Promise<Response>;
  readonly calls: number[];
} {
  const calls: number[] = [];
  const store = { get: failAsked, replace: failAsked };
  const app = createApp({ store, ...(origin !== undefined && { origin }) });
  const login = app.sessions.handler(async (request, session) => {
    calls.push(1);
    session.set("username", request.body === null ? "nobody" : await request.text());
    return new Response("Welcome");
  }, route);
  return { ...app, login, calls };
}

describe("handler's check of the origin", () => {
  test.each<[string, string, Fields, Origin, number]>([
    ["a form of our own page", "POST", { ...SAME, ...OWN }, undefined, 200],
    ["what the user did", "POST", { "Sec-Fetch-Site": "none" }, undefined, 200],
    ["a program", "POST", {}, undefined, 200],
    ["an old browser's form of our own page", "POST", OWN, undefined, 200],
    ["another site's form", "POST", { ...CROSS, ...EVIL }, undefined, 403],
    [
      "a subdomain's form",
      "POST",
      { ...SAME_SITE, Origin: "https://a.example.com" },
      undefined,
      403,
    ],
    ["an old browser's form of another site", "POST", EVIL, undefined, 403],
    ["a form of a page without an origin", "POST", NULL, undefined, 403],
    [
      "another site's JSON",
      "POST",
      { ...CROSS, "Content-Type": "application/json" },
      undefined,
      403,
    ],
    ["another site's link", "GET", CROSS, undefined, 200],
    ["another site's HEAD", "HEAD", CROSS, undefined, 200],
    ["another site's DELETE", "DELETE", CROSS, undefined, 403],
    ["a WebSocket of our own page", "GET", { ...SOCKET, ...OWN }, undefined, 200],
    ["a WebSocket of a program", "GET", SOCKET, undefined, 200],
    ["a WebSocket of another origin", "GET", { ...SOCKET, ...EVIL }, undefined, 403],
    [
      "a WebSocket of another port",
      "GET",
      { ...SOCKET, Origin: "https://example.com:8443" },
      undefined,
      403,
    ],
    ["a WebSocket of another site", "GET", { ...SOCKET, ...EVIL, ...CROSS }, undefined, 403],
    ["a WebSocket in other letters", "GET", { Upgrade: "WebSocket", ...EVIL }, undefined, 403],
    ["an upgrade to HTTP/2 by another origin", "GET", { Upgrade: "h2c", ...EVIL }, undefined, 200],
    ["a trusted site's form", "POST", { ...CROSS, ...PAY }, TRUSTING, 200],
    ["a trusted site's form, in an old browser", "POST", PAY, TRUSTING, 200],
    ["a WebSocket of a trusted site", "GET", { ...SOCKET, ...PAY }, TRUSTING, 200],
    ["another site's form beside a trusted one", "POST", { ...CROSS, ...EVIL }, TRUSTING, 403],
    ["our own form beside a trusted site", "POST", OWN, TRUSTING, 200],
    ["a form of the public origin", "POST", { Origin: "https://example.org" }, PUBLIC, 200],
    ["a form of the origin that the request shows", "POST", OWN, PUBLIC, 403],
    ["a form of the public origin by http", "POST", { Origin: "http://example.org" }, PUBLIC, 403],
    ["another site's form, unchecked", "POST", { ...CROSS, ...EVIL }, false, 200],
    ["another origin's WebSocket, unchecked", "GET", { ...SOCKET, ...EVIL }, false, 200],
  ])("%s: %s with %j, told %j: %i", async (_, method, headers, origin, status) => {
    const { login, calls, events } = loginApp(origin);
    const sent = request(method, headers);
    const response = await login(sent);
    const isRefused = status === 403;
    expect(response.status).toBe(status);
    expect(calls).toHaveLength(isRefused ? 0 : 1);
    expect(response.headers.getSetCookie()).toHaveLength(isRefused ? 0 : 1);
    expect(sent.bodyUsed).toBe(!isRefused && method === "POST");
    expect(events.map(({ type }) => type)).toEqual(isRefused ? ["refused-origin"] : []);
  });

  test.each<[Fields, SessionEvent]>([
    [
      { ...CROSS, ...OWN },
      { type: "refused-origin", reason: "cross-site" },
    ],
    [EVIL, { type: "refused-origin", reason: "other-origin" }],
  ])("tells of %j why, and the visitor in words", async (headers, event) => {
    const { login, events } = loginApp();
    const response = await login(request("POST", headers));
    expect(events).toEqual([event]);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(await response.text()).toContain("another site");
  });

  test("is left out for one route, and for no other", async () => {
    const { login, sessions } = loginApp(undefined, { origin: false });
    expect((await login(request("POST", CROSS))).status).toBe(200);
    const other = sessions.handler(() => new Response());
    expect((await other(request("POST", CROSS))).status).toBe(403);
  });

  test("stands where a route says nothing of it, whatever else it says", async () => {
    const { login } = loginApp(undefined, {});
    expect((await login(request("POST", CROSS))).status).toBe(403);
  });

  test("keeps a cross-site request from a session that is signed in", async () => {
    const { sessions, visit } = createApp();
    const browser = new Browser();
    await visit(browser, (session) => session.signIn("ann"));
    const logout = sessions.handler((_request, session) => {
      session.destroy();
      return new Response();
    });
    const sent = request("POST", { ...CROSS, Cookie: browser.cookie });
    expect((await logout(sent)).status).toBe(403);
    await visit(browser, (session) => expect(session.subject).toBe("ann"));
  });

  test("answers on the wire before the body is there", async () => {
    const { login } = loginApp();
    using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: login });
    const wire = await Wire.open(server.port ?? 0);
    wire.write(
      "POST / HTTP/1.1\r\nHost: a\r\nOrigin: http://evil\r\nContent-Length: 9\r\n\r\nuser",
    );
    expect((await wire.answer())?.status).toBe(403);
    wire.destroy();
  });
});

function setOne(_request: Request, session: Session): Response {
  session.set("one", 1);
  return new Response();
}

describe("of handlers inside one another", () => {
  test.each<[string, { origin?: false }, { origin?: false }, number, number]>([
    ["both check", {}, {}, 403, 0],
    ["the outer one checks", {}, { origin: false }, 403, 0],
    ["the inner one checks", { origin: false }, {}, 403, 1],
    ["neither checks", { origin: false }, { origin: false }, 200, 1],
  ])("%s: a cross-site form, and one event at most", async (_, outer, inner, status, calls) => {
    const { sessions, events } = createApp();
    const page = sessions.handler(setOne, inner);
    let count = 0;
    const all = sessions.handler((request) => {
      count++;
      return page(request);
    }, outer);
    const response = await all(request("POST", CROSS));
    expect([response.status, count]).toEqual([status, calls]);
    expect(response.headers.getSetCookie()).toHaveLength(status === 200 ? 1 : 0);
    expect(events).toHaveLength(status === 200 ? 0 : 1);
  });
});

describe("open and commit behind protect", () => {
  const { sessions } = createApp();
  const login = protect(async (request) => {
    const session = await sessions.open(request);
    session.signIn(await request.text());
    return sessions.commit(session, new Response());
  }, TRUSTING);

  test.each<[string, string, Fields, number]>([
    ["our own form", "POST", SAME, 200],
    ["a trusted site's form", "POST", { ...CROSS, ...PAY }, 200],
    ["another site's form", "POST", { ...CROSS, ...EVIL }, 403],
    ["another origin's WebSocket", "GET", { ...SOCKET, ...EVIL }, 403],
  ])("%s: %s with %j: %i", async (_, method, headers, status) => {
    const sent = request(method, headers);
    const isRefused = status === 403;
    const response = await login(sent);
    expect([response.status, sent.bodyUsed]).toEqual([status, !isRefused]);
    expect(response.headers.getSetCookie()).toHaveLength(isRefused ? 0 : 1);
  });
});

test.each([
  { publicOrigin: "https://example.org/" },
  { publicOrigin: "" },
  { trustedOrigins: ["https://*.example.org"] },
  { trustedOrigins: ["https://pay.example", "pay.example"] },
])("createSessions throws for the origin in %j", (origin) => {
  expect(() => createSessions({ secretKey: SECRET, origin })).toThrow(SessionOptionsError);
});

/** What one page tells that sets a cookie. */
async function eventsOf(
  url: string,
  headers: Fields = {},
  options: Partial<SessionOptions> = {},
): Promise<readonly SessionEvent[]> {
  const { sessions, events } = createApp(options);
  const request = new Request(url, { headers });
  const session = await sessions.open(request);
  session.set("username", "ann");
  await sessions.commit(session, new Response());
  return events;
}

describe("the event insecure", () => {
  test.each([
    ["http://example.com/", "example.com"],
    ["http://example.com:8080/a", "example.com:8080"],
    ["http://192.168.0.7:3000/", "192.168.0.7:3000"],
    ["http://128.0.0.1/", "128.0.0.1"],
    ["http://[::2]/", "[::2]"],
    // Chromium drops the cookie there.
    ["http://[::ffff:127.0.0.1]/", "[::ffff:7f00:1]"],
    ["http://localhost../", "localhost.."],
    ["http://localhost.example.com/", "localhost.example.com"],
    ["http://notlocalhost/", "notlocalhost"],
    ["http://127.0.0.1.example.com/", "127.0.0.1.example.com"],
  ])("tells of a Secure cookie over %s", async (url, host) => {
    expect(await eventsOf(url)).toEqual([{ type: "insecure", host }]);
    const options = { origin: { publicOrigin: "http://example.com" } };
    expect(await eventsOf(url, {}, options)).toEqual([{ type: "insecure", host }]);
  });

  test.each([
    "https://example.com/",
    "http://localhost/",
    "http://localhost:3000/",
    "http://app.localhost:3000/",
    "http://localhost.:3000/",
    "http://app.localhost.:3000/",
    "http://127.0.0.1:3000/",
    "http://127.1.2.3/",
    "http://[::1]:3000/",
  ])("does not tell of one over %s", async (url) => {
    expect(await eventsOf(url)).toEqual([]);
  });

  test("does not tell where the browser says that it keeps such cookies", async () => {
    for (const site of ["same-origin", "none", "cross-site"]) {
      expect(await eventsOf("http://inner:3000/", { "Sec-Fetch-Site": site })).toEqual([]);
    }
  });

  test.each<[string, Partial<SessionOptions>]>([
    ["behind a proxy that ends TLS", { origin: { publicOrigin: "https://example.com" } }],
    ["of a cookie that is not secure", { cookie: { secure: false } }],
  ])("does not tell %s", async (_, options) => {
    expect(await eventsOf("http://inner:3000/", {}, options)).toEqual([]);
  });

  test("tells once, and of no page that sets no cookie", async () => {
    const { sessions, events } = createApp();
    const read = sessions.handler((_request, session) => Response.json(session.get("a", null)));
    const write = sessions.handler(setOne);
    await read(new Request("http://example.com/"));
    expect(events).toEqual([]);
    for (let count = 0; count < 3; count++) await write(new Request("http://example.com/"));
    expect(events).toEqual([{ type: "insecure", host: "example.com" }]);
  });

  test("makes no host that a client writes an error", async () => {
    const { sessions, events } = createApp();
    const fetch = sessions.handler(setOne);
    using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
    for (const host of ["[::1", "a:99999", "%", "a b", "1.2.3.4.5", ""]) {
      const text = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
      expect((await ask(server.port ?? 0, text)).status).toBe(200);
    }
    expect(events).toEqual([]);
  });
});
