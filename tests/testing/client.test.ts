import { describe, expect, test } from "bun:test";
import { SessionOptionsError } from "../../session/errors.ts";
import { createSessions, type SessionOptions } from "../../session/mod.ts";
import { createClient } from "../../session/testing/mod.ts";
import { SECRET as secretKey } from "../support/secrets.ts";

const NOW = Date.parse("2026-01-05T10:00:00Z");
const COOKIE = "__Host-Http-session";
const now = () => NOW;

/** Answers each path with what stands for it, or with what came. */
function site(pages: Readonly<Record<string, () => Response>>) {
  const requests: string[] = [];
  const last: { request?: Request; body?: string } = {};
  async function handler(request: Request): Promise<Response> {
    const { pathname, host } = new URL(request.url);
    last.request = request;
    last.body = await request.clone().text();
    requests.push(`${request.method} ${host}${pathname}`);
    return pages[pathname]?.() ?? new Response("end");
  }
  const header = (name: string): string | null => last.request?.headers.get(name) ?? null;
  return { handler, requests, last, header };
}

function redirect(status: number, location: string, ...cookies: string[]): Response {
  const headers = new Headers({ location });
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  return new Response("moved", { status, headers });
}

describe("requests", () => {
  test("a GET goes to the origin, and says it comes from there", async () => {
    const { handler, last, header } = site({});
    const client = createClient(handler);
    expect(await (await client.get("/x?y=z#part")).text()).toBe("end");
    expect(last.request?.url).toBe("https://localhost/x?y=z");
    expect(client.url).toBe("https://localhost/x?y=z#part");
    expect(Array.from(last.request?.headers ?? [])).toEqual([["sec-fetch-site", "same-origin"]]);
    expect(header("origin")).toBeNull();
  });

  test("a POST carries a form, and its origin", async () => {
    const { handler, last, header } = site({});
    const client = createClient(handler, { origin: "http://app.example.com:3000/ignored" });
    await client.post("/x", { name: "a b&c" });
    expect(last.request?.method).toBe("POST");
    expect(last.request?.url).toBe("http://app.example.com:3000/x");
    expect(last.body).toBe("name=a+b%26c");
    expect(header("content-type")).toBe("application/x-www-form-urlencoded;charset=UTF-8");
    expect(header("origin")).toBe("http://app.example.com:3000");
    // Browsers tell it to trustworthy URLs alone.
    expect(header("sec-fetch-site")).toBeNull();
  });

  const form = new FormData();
  form.set("name", "admin");
  test.each<[BodyInit, RegExp]>([
    [form, /^multipart\/form-data; *boundary=/],
    [new URLSearchParams({ name: "admin" }), /^application\/x-www-form-urlencoded/],
    ['{"name":"admin"}', /^text\/plain/],
    [new Blob(["admin"], { type: "text/x-admin" }), /^text\/x-admin/],
    [new TextEncoder().encode("admin"), /^$/],
  ])("a POST carries body %#", async (body, type) => {
    const { handler, last, header } = site({});
    await createClient(handler).post("/", body);
    expect(last.body).toContain("admin");
    expect(header("content-type") ?? "").toMatch(type);
  });

  test("fetch takes a Request, and other methods", async () => {
    const { handler, last, header } = site({});
    const client = createClient(handler);
    await client.fetch(new Request("https://localhost/a", { method: "PUT", body: "x" }));
    expect([last.request?.method, last.body, header("origin")]).toEqual([
      "PUT",
      "x",
      "https://localhost",
    ]);
    await client.fetch("/b", { method: "DELETE" });
    expect([last.request?.method, header("origin")]).toEqual(["DELETE", "https://localhost"]);
  });

  test("own headers stand, and empty ones go", async () => {
    const { handler, header } = site({});
    const client = createClient(handler);
    client.setCookie("a=jar");
    const evil = {
      origin: "https://evil.example",
      "sec-fetch-site": "cross-site",
      cookie: "a=own",
    };
    await client.post("/", {}, { headers: evil });
    expect(Object.keys(evil).map(header)).toEqual(Object.values(evil));
    await client.post("/", {}, { headers: { origin: "", "sec-fetch-site": "", cookie: "" } });
    expect(Object.keys(evil).map(header)).toEqual([null, null, null]);
  });

  test("another origin's pages are cross-site", async () => {
    const { handler, header } = site({});
    await createClient(handler).post("https://other.example/", {});
    expect([header("origin"), header("sec-fetch-site")]).toEqual([
      "https://localhost",
      "cross-site",
    ]);
  });

  test.each(["no URL", "localhost:3000", "/"])("origin %j throws", (origin) => {
    expect(() => createClient(() => new Response(), { origin })).toThrow(TypeError);
  });

  test("what the handler throws is not caught", () => {
    const client = createClient(() => Promise.reject(new RangeError("mine")));
    expect(client.get("/")).rejects.toThrow("mine");
  });
});

describe("redirects", () => {
  test.each([
    [301, "GET", "GET", ""],
    [301, "POST", "GET", ""],
    [301, "PUT", "PUT", "x"],
    [302, "POST", "GET", ""],
    [302, "HEAD", "HEAD", ""],
    [303, "POST", "GET", ""],
    [303, "PUT", "GET", ""],
    [303, "HEAD", "HEAD", ""],
    [307, "POST", "POST", "x"],
    [308, "POST", "POST", "x"],
    [308, "DELETE", "DELETE", "x"],
  ])("%i makes of %s %s", async (status, method, next, body) => {
    const { handler, last, header } = site({ "/a/from": () => redirect(status, "../to#part") });
    const client = createClient(handler);
    const hasBody = method !== "GET" && method !== "HEAD";
    const headers = { "content-type": "text/x", "content-language": "en", accept: "text/y" };
    await client.fetch("/a/from", { method, headers, ...(hasBody && { body: "x" }) });
    expect([last.request?.method, last.body]).toEqual([next, body]);
    const isKept = next === method;
    expect(header("content-type")).toBe(isKept ? "text/x" : null);
    expect(header("content-language")).toBe(isKept ? "en" : null);
    expect(header("accept")).toBe("text/y");
    expect(client.url).toBe("https://localhost/to#part");
  });

  test.each([
    [300, "/to"],
    [304, "/to"],
    [201, "/to"],
    [303, undefined],
  ])("%i to %s is an answer", async (status, location) => {
    const headers = new Headers(location === undefined ? {} : { location });
    const { handler, requests } = site({ "/": () => new Response(null, { status, headers }) });
    expect((await createClient(handler).get("/")).status).toBe(status);
    expect(requests).toEqual(["GET localhost/"]);
  });

  test("cookies are kept and sent on the way", async () => {
    const { handler, header } = site({
      "/1": () => redirect(303, "/2", "a=1; Path=/", "b=1; Path=/; Expires=Sat, 01 Jan 2028 0:0:0"),
      "/2": () => redirect(303, "/3", "a=; Path=/; Max-Age=0", "c=2; Path=/"),
    });
    const client = createClient(handler, { now });
    await client.get("/1", { headers: { cookie: "own=0" } });
    expect(header("cookie")).toBe("b=1; c=2");
    expect(client.cookies().map(({ name }) => name)).toEqual(["b", "c"]);
  });

  test("20 are followed, and not 21", async () => {
    let left = 20;
    const client = createClient(() =>
      left-- > 0 ? redirect(302, `/${left}`) : new Response("end"),
    );
    expect(await (await client.get("/")).text()).toBe("end");
    left = 21;
    expect(client.get("/")).rejects.toThrow(
      new TypeError("Cannot follow the redirect to https://localhost/0: there were 20 before"),
    );
  });

  test("manual gives the redirect, error rejects; both keep its cookies", async () => {
    const { handler, requests } = site({ "/": () => redirect(303, "no:url", "a=1") });
    const client = createClient(handler);
    const response = await client.get("/", { redirect: "manual" });
    expect([response.status, response.headers.get("location")]).toEqual([303, "no:url"]);
    expect(client.cookie("a")?.value).toBe("1");
    expect(client.get("/", { redirect: "error" })).rejects.toThrow(
      new TypeError(`Cannot follow the redirect to no:url: the request's redirect is "error"`),
    );
    expect(requests).toHaveLength(2);
  });

  test.each(["data:text/html,x", "https://", "file:///etc/passwd"])("%s rejects", (location) => {
    const { handler, requests } = site({ "/": () => redirect(302, location) });
    expect(createClient(handler).get("/")).rejects.toThrow(TypeError);
    expect(requests).toHaveLength(1);
  });

  test("another origin sees the first one's Origin, the one after it null", async () => {
    const seen: (string | null)[][] = [];
    const hops = ["https://b.example/", "https://b.example/2", "https://localhost/end"];
    const client = createClient(({ headers }) => {
      const names = ["origin", "sec-fetch-site", "authorization"];
      seen.push(names.map((name) => headers.get(name)));
      const next = hops.shift();
      return next === undefined ? new Response() : redirect(307, next);
    });
    await client.post("/", {}, { headers: { authorization: "Basic eA==" } });
    expect(seen).toEqual([
      ["https://localhost", "same-origin", "Basic eA=="],
      ["https://localhost", "cross-site", null],
      ["https://localhost", "cross-site", null],
      ["null", "cross-site", null],
    ]);
  });

  test("cookies go to their host alone", async () => {
    const { handler, header } = site({ "/": () => redirect(302, "https://b.example/x", "a=1") });
    await createClient(handler).get("/");
    expect(header("cookie")).toBeNull();
  });
});

describe("the jar", () => {
  test("cookies are looked at, set and cleared", () => {
    const client = createClient(() => new Response(), { now });
    client.setCookie("a=1; Max-Age=1");
    client.setCookie("a=2", "/deep/path");
    client.setCookie("b=3", "https://other.example/");
    expect(client.cookies().map(({ domain, path, value }) => [domain, path, value])).toEqual([
      ["localhost", "/", "1"],
      ["localhost", "/deep", "2"],
      ["other.example", "/", "3"],
    ]);
    expect(client.cookie("a")?.expiresAt).toEqual(new Date(NOW + 1000));
    expect(client.cookie("c")).toBeUndefined();
    client.clear();
    expect(client.cookies()).toEqual([]);
  });

  test("a line of a header is taken as its bytes", async () => {
    const { handler, header } = site({});
    const client = createClient(handler);
    client.setCookie("a=\u00E6\u0097\u00A5\u00FF");
    await client.get("/");
    expect(header("cookie")).toBe("a=\u00E6\u0097\u00A5\u00FF");
  });

  test.each(["a=日", "日=a", "a=b; Path=/日", "a=b\u0100", "a=🔑"])(
    "%p is no line of a header",
    (line) => {
      const client = createClient(() => new Response());
      const set = (): void => client.setCookie(line);
      expect(set).toThrow(TypeError);
      expect(set).toThrow(/^Cannot set the cookie: a header has bytes alone, .*encodeURIComponent/);
      expect(client.cookies()).toEqual([]);
    },
  );

  test("the clock is Date.now unless given", () => {
    const client = createClient(() => new Response());
    client.setCookie("a=1; Expires=Mon, 01 Jan 2024 00:00:00 GMT");
    expect(client.cookies()).toEqual([]);
  });
});

type Data = { username: string; cart: { items: string[] }[] };

function shop(options: Partial<SessionOptions<Data>> = {}) {
  const sessions = createSessions<Data>({ secretKey, now, ...options });
  const handler = sessions.handler((request, session) => {
    if (request.method === "POST") session.set("username", "admin");
    return Response.json(session);
  });
  return { sessions, client: createClient(handler, { sessions, now }) };
}

describe("session", () => {
  test.each<[string, string | undefined]>([
    ["https://localhost", undefined],
    ["http://localhost:3000", undefined],
    ["http://app.example.com", "session"],
  ])("is changed between requests, at %s", async (origin, name) => {
    const cookie = name === undefined ? {} : { name, secure: false };
    const sessions = createSessions<Data>({ secretKey, now, cookie });
    const handler = sessions.handler((_, session) => Response.json(session.get("cart", null)));
    const client = createClient(handler, { origin, sessions, now });
    expect(await (await client.get("/")).json()).toBeNull();
    expect(client.cookies()).toEqual([]);
    const size = await client.session((session) => {
      session.set("cart", [{ items: ["tea"] }]);
      return session.size;
    });
    expect(size).toBe(1);
    expect(client.cookie(name ?? COOKIE)).toMatchObject({ httpOnly: true, path: "/" });
    expect(await (await client.get("/")).json()).toEqual([{ items: ["tea"] }]);
    await client.session((session) => session.get("cart")?.[0]?.items.push("milk"));
    expect(await (await client.get("/")).json()).toEqual([{ items: ["tea", "milk"] }]);
  });

  test("sees what the handler wrote, and may wait", async () => {
    const { client } = shop();
    await client.post("/", {});
    const seen = await client.session(async (session) => {
      await Promise.resolve();
      const username = session.pop("username");
      return [username, session.isNew];
    });
    expect(seen).toEqual(["admin", false]);
    expect(client.cookies()).toEqual([]);
  });

  test("reading alone changes nothing", async () => {
    const { client } = shop();
    await client.session((session) => session.get("username"));
    expect(client.cookies()).toEqual([]);
  });

  test("commits nothing where the change throws", async () => {
    const { client } = shop();
    const change = client.session((session) => {
      session.set("username", "nobody");
      throw new RangeError("mine");
    });
    expect(change).rejects.toThrow("mine");
    expect(client.cookies()).toEqual([]);
  });

  test("takes a path, for a cookie with a path of its own", async () => {
    const sessions = createSessions<Data>({ secretKey, now, cookie: { path: "/app" } });
    const client = createClient(() => new Response(), { sessions, now });
    await client.session((session) => session.set("username", "admin"), "/app");
    expect(await client.session((session) => session.get("username"))).toBeUndefined();
    expect(await client.session((session) => session.get("username"), "/app/x")).toBe("admin");
  });

  test("takes a URL, for the session at another host", async () => {
    const { client } = shop();
    await client.session((session) => session.set("username", "admin"), "https://b.example/");
    expect(client.cookies().map(({ domain }) => domain)).toEqual(["b.example"]);
    expect(await client.session((session) => session.isNew)).toBe(true);
  });

  test("asks for the option sessions", () => {
    const client = createClient(() => new Response());
    expect(client.session(() => 1)).rejects.toThrow(
      new SessionOptionsError("Cannot open the session: give createClient `sessions`"),
    );
  });
});
