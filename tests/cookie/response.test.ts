import { describe, expect, test } from "bun:test";
import { withSession } from "../../session/cookie/response.ts";

const LINE = "id=v; Path=/; HttpOnly";

const HTML = { "content-type": "text/html" };
const LOCATION = { location: "/next" };

/** As frameworks have them: its cookies are a list of their own, which replaces every Set-Cookie. */
class PageResponse extends Response {
  readonly cookies = new Map<string, string>();
}

/** As servers have them: it does all that Response does, in its own way. */
class ServerResponse extends Response {
  override get status(): number {
    return 200;
  }
}

function seen({ status, headers }: Response): readonly unknown[] {
  return [status, headers.get("content-type"), headers.get("location")];
}

function refuse(): never {
  throw new TypeError("Cannot change headers: they are immutable");
}

/** A response whose headers can't be changed: as fetch and redirects give it in Node and Workers. */
function immutable(): Response {
  const response = new Response("text", { headers: { "x-a": "1" } });
  for (const method of ["append", "delete", "set"]) {
    Object.defineProperty(response.headers, method, { value: refuse });
  }
  return response;
}

describe("A13 Vary", () => {
  test.each<[string | undefined, string]>([
    [undefined, "Cookie"],
    ["Cookie", "Cookie"],
    ["cookie", "cookie"],
    ["COOKIE", "COOKIE"],
    ["Accept-Encoding, Cookie", "Accept-Encoding, Cookie"],
    ["Cookie,Accept", "Cookie,Accept"],
    ["Accept , cookie , Origin", "Accept , cookie , Origin"],
    ["Accept-Encoding, Accept-Language", "Accept-Encoding, Accept-Language, Cookie"],
    ["X-Cookie", "X-Cookie, Cookie"],
    ["Cookies", "Cookies, Cookie"],
    ["Set-Cookie, Cookie-Name", "Set-Cookie, Cookie-Name, Cookie"],
    ["*", "*"],
    ["Accept, *", "Accept, *"],
  ])("of %p becomes %p, read or written, once", (vary, expected) => {
    const headers: Record<string, string> = vary === undefined ? {} : { vary };
    for (const body of [null, "text"]) {
      const read = withSession(new Response(body, { headers }), true, []);
      expect(read.headers.get("vary")).toBe(expected);
      expect(withSession(read, true, []).headers.get("vary")).toBe(expected);
      const written = withSession(new Response(body, { headers }), false, [LINE]);
      expect(written.headers.get("vary")).toBe(expected);
    }
  });

  test("of two fields keeps both", () => {
    const response = new Response("text");
    response.headers.append("vary", "Accept");
    response.headers.append("vary", "Origin");
    expect(withSession(response, true, [LINE]).headers.get("vary")).toBe("Accept, Origin, Cookie");
  });

  test("is left alone where the handler did not touch the session", () => {
    const response = new Response("text");
    expect(withSession(response, false, [])).toBe(response);
    expect([...response.headers.keys()]).not.toContain("vary");
  });
});

describe("Cache-Control with a Set-Cookie", () => {
  test.each<[string | undefined, string]>([
    [undefined, "no-store"],
    ["public, max-age=600", "no-store"],
    ["private", "no-store"],
    ["no-cache", "no-store"],
    ["x-no-stored", "no-store"],
    ["no-store", "no-store"],
    ["No-Store", "No-Store"],
    ["private, no-store, max-age=0", "private, no-store, max-age=0"],
    ["no-transform", "no-store, no-transform"],
    ["no-cache, no-transform", "no-store, no-transform"],
    ["public,max-age=600,No-Transform", "no-store, no-transform"],
    ["no-store, no-transform", "no-store, no-transform"],
    ["NO-STORE,no-transform", "NO-STORE,no-transform"],
    ["max-age=0 , no-store", "max-age=0 , no-store"],
    ['ext="no-store", public', "no-store"],
    ['ext="a, no-store, b", no-transform', "no-store, no-transform"],
    ['ext="a \\", no-store, no-transform"', "no-store"],
    ['ext="a\\\\", no-transform', "no-store, no-transform"],
    ['ext="a, no-store', "no-store"],
    ['private="x, y", no-store', 'private="x, y", no-store'],
    ["no-store=1", "no-store"],
    ["must-understand, no-store, max-age=600", "no-store"],
    ["Must-Understand, No-Store, No-Transform", "no-store, no-transform"],
    ["", "no-store"],
    [", ,", "no-store"],
  ])("of %p becomes %p", (value, expected) => {
    const headers: Record<string, string> = value === undefined ? {} : { "cache-control": value };
    const written = withSession(new Response("text", { headers }), true, [LINE]);
    expect(written.headers.get("cache-control")).toBe(expected);
    const read = withSession(new Response("text", { headers }), true, []);
    expect(read.headers.get("cache-control")).toBe(value ?? null);
  });
});

test("Cache-Control in two fields keeps no-transform of the second", () => {
  const response = new Response("text");
  response.headers.append("cache-control", "public, max-age=600");
  response.headers.append("cache-control", "no-transform");
  const { headers } = withSession(response, true, [LINE]);
  expect(headers.get("cache-control")).toBe("no-store, no-transform");
});

describe("a header that a cache obeys instead of Cache-Control", () => {
  test.each([
    ["Expires", "Thu, 01 Jan 2099 00:00:00 GMT", true],
    ["Surrogate-Control", "max-age=600", true],
    ["CDN-Cache-Control", "public, max-age=600", true],
    ["Cloudflare-CDN-Cache-Control", "max-age=600", true],
    ["Vercel-CDN-Cache-Control", "max-age=600", true],
    ["Netlify-CDN-Cache-Control", "public, durable, max-age=600", true],
    ["Akamai-Cache-Control", "max-age=600", true],
    ["X-LiteSpeed-Cache-Control", "public,max-age=600", true],
    ["Edge-Control", "cache-maxage=600s", true],
    ["X-Accel-Expires", "600", true],
    ["Cache-Tag", "a", false],
    ["Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT", false],
    ["Cache-Control-Note", "a", false],
    ["X-Expires", "a", false],
  ])("%s: %s goes with a Set-Cookie: %p, and stays without", (name, value, isRemoved) => {
    for (const body of [null, "text"]) {
      const make = (): Response => new Response(body, { headers: { [name]: value } });
      const written = withSession(make(), true, [LINE]);
      expect(written.headers.get(name)).toBe(isRemoved ? null : value);
      expect(withSession(make(), true, []).headers.get(name)).toBe(value);
      expect(withSession(make(), false, []).headers.get(name)).toBe(value);
    }
  });

  test("goes with every other one of its kind", () => {
    const headers = {
      "x-a": "1",
      "cdn-cache-control": "a",
      "vercel-cdn-cache-control": "b",
      expires: "0",
      "x-z": "2",
    };
    const written = withSession(new Response("text", { headers }), true, [LINE]);
    const names = [...written.headers.keys()].filter((name) => name !== "content-type");
    expect(names.toSorted()).toEqual(["cache-control", "set-cookie", "vary", "x-a", "x-z"]);
  });
});

describe("A4 Set-Cookie", () => {
  test("stands behind the application's own, as a line of its own", () => {
    const response = Response.json("text");
    response.headers.append("set-cookie", "a=1");
    response.headers.append("set-cookie", "b=2");
    const written = withSession(response, true, [LINE]);
    expect(written.headers.getSetCookie()).toEqual(["a=1", "b=2", LINE]);
    expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  });

  test.each<[string, () => Response]>([
    ["a page", () => new Response("Grüße", { status: 201, headers: HTML })],
    ["typed bytes", () => new Response(new TextEncoder().encode("text"), { headers: HTML })],
    ["JSON", () => Response.json({ a: 1 })],
    ["a stream", () => new Response(new Blob(["text"]).stream())],
    ["a form", () => new Response(new URLSearchParams({ a: "1" }))],
    ["no body", () => new Response(null, { status: 204, statusText: "Nothing" })],
    ["a redirect", () => Response.redirect("http://localhost/next", 303)],
    ["immutable headers", immutable],
  ])("is on a copy that is the same in all else: %s", async (_, make) => {
    const [response, expected] = [make(), make()];
    const written = withSession(response, true, [LINE]);
    expect(written).not.toBe(response);
    expect(response.headers.has("set-cookie")).toBe(false);
    expect(response.headers.has("vary")).toBe(false);
    expect(written.headers.getSetCookie()).toEqual([LINE]);
    expect(written.status).toBe(expected.status);
    expect(written.statusText).toBe(expected.statusText);
    for (const [name, value] of expected.headers) expect(written.headers.get(name)).toBe(value);
    expect(await written.text()).toBe(await expected.text());
  });

  // Bun finds the type as it sends them, and sends them once: a copy would lose it.
  test.each<[string, () => Response]>([
    ["a text", () => new Response("Grüße", { status: 201, headers: { "x-a": "1" } })],
    ["an ASCII text", () => new Response("text")],
    ["a long text", () => new Response("ü".repeat(1_000_000))],
    ["bytes", () => new Response(new Uint8Array(1))],
    ["a blob", () => new Response(new Blob(["text"]))],
  ])("is on the response itself where it has a body without a type: %s", async (_, make) => {
    const [response, expected] = [make(), make()];
    const written = withSession(response, true, [LINE]);
    expect(written).toBe(response);
    expect(written.headers.getSetCookie()).toEqual([LINE]);
    expect(written.status).toBe(expected.status);
    expect(await written.bytes()).toEqual(await expected.bytes());
  });

  test("is added once to a response whose session is committed and read again", () => {
    const written = withSession(new Response("Grüße"), true, [LINE]);
    const again = withSession(written, true, []);
    expect(again).toBe(written);
    expect(again.headers.getSetCookie()).toEqual([LINE]);
    expect(again.headers.get("vary")).toBe("Cookie");
  });
});

describe("a response that is shared", () => {
  test.each<[string, () => Response]>([
    ["nothing", () => new Response()],
    ["null", () => new Response(null)],
    ["null with a status", () => new Response(null, { status: 401 })],
    ["null with a type", () => new Response(null, { headers: HTML })],
    ["an empty text", () => new Response("")],
    ["an empty text with a type", () => new Response("", { headers: HTML })],
    ["an empty text with a status", () => new Response("", { status: 404 })],
    ["no bytes", () => new Response(new Uint8Array())],
    ["no content", () => new Response(null, { status: 204 })],
    ["not modified", () => new Response(null, { status: 304 })],
    ["a redirect", () => Response.redirect("http://localhost/next", 303)],
    ["a redirect with an empty text", () => new Response("", { status: 303, headers: LOCATION })],
    ["a subclass", () => new PageResponse(null)],
  ])("without a body is sent to each with its own line alone: %s", async (_, make) => {
    const shared = make();
    using server = Bun.serve({
      port: 0,
      routes: {
        "/fresh": () => make(),
        "/plain": () => shared,
        "/read": () => withSession(shared, true, []),
        "/written/:line": ({ params }) => withSession(shared, true, [params.line]),
      },
    });
    const get = (path: string): Promise<Response> =>
      fetch(new URL(path, server.url), { redirect: "manual" });
    for (const line of ["one", "two", "three"]) {
      const response = await get(`/written/${line}`);
      expect(response.headers.getSetCookie()).toEqual([line]);
      expect(seen(response)).toEqual(seen(await get("/fresh")));
      expect(await response.text()).toBe("");
    }
    // Bun 1.4 leaves out the headers of a response that it sends again.
    for (const path of ["/read", "/plain", "/plain", "/read"]) {
      const response = await get(path);
      expect(response.status).toBe(shared.status);
      expect(response.headers.getSetCookie()).toEqual([]);
    }
    expect((await get("/written/four")).headers.getSetCookie()).toEqual(["four"]);
    expect(shared.headers.has("set-cookie")).toBe(false);
  });

  test("carries each session's line alone, used three times", () => {
    const redirect = new Response(null, { status: 303, headers: { location: "/" } });
    for (const value of ["one", "two", "three"]) {
      const written = withSession(redirect, true, [`id=${value}`]);
      expect(written.headers.getSetCookie()).toEqual([`id=${value}`]);
      expect(written.headers.get("location")).toBe("/");
      expect(written.status).toBe(303);
    }
    expect([...redirect.headers]).toEqual([["location", "/"]]);
  });

  test("without a body is not changed by a reader, either", () => {
    const redirect = new Response(null, { status: 303, headers: { location: "/" } });
    expect(withSession(redirect, true, []).headers.get("vary")).toBe("Cookie");
    expect([...redirect.headers]).toEqual([["location", "/"]]);
  });
});

test("a stream whose end fails takes nothing else down when its browser goes", async () => {
  const failures: unknown[] = [];
  const onFailure = (error: unknown): void => void failures.push(error);
  process.on("unhandledRejection", onFailure);
  const stream = new ReadableStream({
    pull: (controller) => controller.enqueue(new TextEncoder().encode("more")),
    cancel: () => {
      throw new TypeError("Cannot cancel");
    },
  });
  const written = withSession(new Response(stream), true, [LINE]);
  await written.body?.cancel().catch(() => {});
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", onFailure);
  expect(failures).toEqual([]);
});

describe("a response of a subclass", () => {
  test.each<[string, () => PageResponse]>([
    ["without a body", () => new PageResponse(null, { headers: { "set-cookie": "a=1" } })],
    ["with a typed body", () => new PageResponse("<p>", { status: 201, headers: HTML })],
    ["with a stream", () => new PageResponse(new Blob(["text"]).stream())],
  ])(
    "is a plain one, read or written, so that its cookies can't remove ours: %s",
    async (_, make) => {
      for (const lines of [[], [LINE]]) {
        const [response, expected] = [make(), make()];
        const touched = withSession(response, true, lines);
        expect(Reflect.getPrototypeOf(touched)).toBe(Response.prototype);
        expect(touched.status).toBe(expected.status);
        expect(touched.headers.getSetCookie()).toEqual([
          ...expected.headers.getSetCookie(),
          ...lines,
        ]);
        expect(await touched.text()).toBe(await expected.text());
      }
    },
  );

  test("is itself where a copy would lose its type, read or written", () => {
    for (const lines of [[], [LINE]]) {
      const response = new PageResponse("Grüße");
      expect(withSession(response, true, lines)).toBe(response);
    }
  });

  test("is itself where nobody touched the session", () => {
    const response = new PageResponse(null);
    expect(withSession(response, false, [])).toBe(response);
  });

  test("is itself for a reader where a server makes its own kind of Response", () => {
    const response = new ServerResponse(null);
    expect(withSession(response, true, [])).toBe(response);
    expect(withSession(response, true, [LINE])).not.toBe(response);
  });
});

test("a fetched body ends where its browser goes", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stream = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("more")),
    cancel: () => resolve(),
  });
  using upstream = Bun.serve({ port: 0, fetch: () => new Response(stream) });
  const written = withSession(await fetch(upstream.url), true, [LINE]);
  await written.body?.cancel();
  expect(await promise).toBeUndefined();
});

test.each([[[]], [[LINE]]])("a network error comes back as it is, with %p", (lines) => {
  const response = Response.error();
  expect(withSession(response, true, lines)).toBe(response);
  expect([...response.headers]).toEqual([]);
});

test("immutable headers are copied for a reader's Vary", async () => {
  const read = withSession(immutable(), true, []);
  expect(read.headers.get("vary")).toBe("Cookie");
  expect(await read.text()).toBe("text");
});

test.each([true, false])(
  "a string's type is as Bun sends it, with a Set-Cookie: %p",
  async (isWritten) => {
    const lines = isWritten ? [LINE] : [];
    using server = Bun.serve({
      port: 0,
      routes: {
        "/text": () => withSession(new Response("text"), true, lines),
        "/html": () =>
          withSession(
            new Response("<p>", { headers: { "content-type": "text/html" } }),
            true,
            lines,
          ),
        "/json": () => withSession(Response.json({}), true, lines),
        "/none": () => withSession(new Response(null), true, lines),
        "/plain/text": () => new Response("text"),
        "/plain/none": () => new Response(null),
      },
    });
    const typeOf = async (path: string): Promise<string | null> =>
      (await fetch(new URL(path, server.url))).headers.get("content-type");
    expect(await typeOf("/text")).toBe("text/plain;charset=utf-8");
    expect(await typeOf("/text")).toBe(await typeOf("/plain/text"));
    expect(await typeOf("/none")).toBe(await typeOf("/plain/none"));
    expect(await typeOf("/html")).toBe("text/html");
    expect(await typeOf("/json")).toMatch(/^application\/json/);
  },
);

test("A4 three cookies are three lines on the wire", async () => {
  using server = Bun.serve({
    port: 0,
    fetch() {
      const response = new Response("text");
      response.headers.append("set-cookie", "a=1");
      response.headers.append("set-cookie", "b=2");
      return withSession(response, true, [LINE]);
    },
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  let received = "";
  await Bun.connect({
    hostname: server.hostname ?? "localhost",
    port: server.port ?? 0,
    socket: {
      open: (socket) => void socket.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
      data: (_, data) => void (received += data.toString()),
      close: () => resolve(received),
    },
  });
  const lines = (await promise).split("\r\n").filter((line) => /^set-cookie:/i.test(line));
  expect(lines.map((line) => line.replace(/^set-cookie: /i, ""))).toEqual(["a=1", "b=2", LINE]);
});
