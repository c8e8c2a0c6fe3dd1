import { describe, expect, test } from "bun:test";
import type { Store } from "../../session/mod.ts";
import { Browser, ORIGIN, testApp } from "../support/app.ts";

/** What nobody is to see. */
function fail(): never {
  throw new Error("/home/secret/app.ts: SELECT key");
}

const BROKEN_STORE: Store = { get: fail, replace: fail };

const FOREIGN = { "sec-fetch-site": "cross-site" };
const TEXT = { "content-type": "text/plain" };

/** Every kind of answer: its status, and how it comes about. */
const ANSWERS: readonly (readonly [
  status: number,
  name: string,
  answer: (browser: Browser) => Promise<Response>,
])[] = [
  [200, "GET /", async (browser) => browser.get("/")],
  [200, "GET /login", async (browser) => browser.get("/login")],
  [200, "GET /logout of another site", async (browser) => browser.get("/logout", FOREIGN)],
  [200, "GET /healthz", async (browser) => browser.get("/healthz")],
  [200, "GET /readyz", async (browser) => browser.get("/readyz")],
  [303, "POST /login", async (browser) => browser.login("admin")],
  [303, "GET /logout", async (browser) => browser.get("/logout")],
  [303, "GET /account of a visitor", async (browser) => browser.get("/account")],
  [200, "GET /account", account],
  [303, "POST /logout/everywhere", async (browser) => browser.post("/logout/everywhere")],
  [400, "POST /login without a name", async (browser) => browser.login("")],
  [403, "POST /login of another site", async (browser) => browser.post("/login", {}, FOREIGN)],
  [404, "GET /nothing", async (browser) => browser.get("/nothing")],
  [405, "DELETE /", async (browser) => browser.send("/", { method: "DELETE" })],
  [405, "PUT /healthz", async (browser) => browser.send("/healthz", { method: "PUT" })],
  [413, "POST /login of 17 kB", async (browser) => browser.login("a".repeat(17_000))],
  [415, "POST /login of text", async (browser) => browser.post("/login", "a", TEXT)],
  [429, "too many POST /login", limited],
  [500, "an error of the application", failed],
  [503, "POST /login while the store fails", unavailable],
];

async function account(browser: Browser): Promise<Response> {
  await browser.login("admin");
  return browser.get("/account");
}

async function limited(): Promise<Response> {
  const browser = new Browser(testApp({ loginRate: 1 }).send);
  await browser.login("admin");
  return browser.login("admin");
}

async function failed(): Promise<Response> {
  return new Browser(testApp({ isReady: fail }).send).get("/readyz");
}

async function unavailable(): Promise<Response> {
  return new Browser(testApp({ store: BROKEN_STORE }).send).login("admin");
}

describe.each(ANSWERS)("%d: %s", (status, _name, answer) => {
  async function get(): Promise<Response> {
    const response = await answer(new Browser(testApp().send));
    expect(response.status).toBe(status);
    return response;
  }

  test("F1: has a policy under which nothing is loaded, framed or sent elsewhere", async () => {
    const policy = (await get()).headers.get("content-security-policy") ?? "";
    expect(policy.replace(/'sha256-[\w+/]{43}='/, "HASH")).toBe(
      "default-src 'none'; style-src HASH; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    );
  });

  test("F2: has the other headers of every page", async () => {
    const { headers } = await get();
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("referrer-policy")).toBe("same-origin");
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(headers.has("strict-transport-security")).toBe(false);
  });

  test("F3: has its character set, and tells nothing of the server", async () => {
    const { headers } = await get();
    const type = headers.get("content-type");
    if (status === 303) expect(type).toBeNull();
    else expect(type).toMatch(/^text\/(?:html|plain); charset=utf-8$/);
    expect([headers.has("server"), headers.has("x-powered-by")]).toEqual([false, false]);
  });

  test("A13, E12: is kept nowhere", async () => {
    expect((await get()).headers.get("cache-control")).toBe("no-store");
  });
});

test("F2: over https every answer asks for https from now on", async () => {
  for (const path of ["/", "/login", "/nothing", "/healthz"]) {
    const browser = new Browser(testApp({ isSecure: true }).send);
    const response = await browser.get(path);
    expect(response.headers.get("strict-transport-security")).toBe("max-age=31536000");
  }
});

test.each(["https://evil.example", "null", ORIGIN, "http://localhost", "*"])(
  "F4: no script of %s may read an answer",
  async (origin) => {
    const browser = new Browser(testApp().send);
    for (const method of ["GET", "POST", "OPTIONS"]) {
      const response = await browser.send("/login", { method, headers: { origin } });
      const names = [...response.headers.keys()];
      expect(names.filter((name) => name.startsWith("access-control-"))).toEqual([]);
    }
  },
);

test("F6: an error says nothing of its reason", async () => {
  for (const response of [await failed(), await unavailable()]) {
    const text = (await response.text()) + JSON.stringify([...response.headers]);
    expect(text).not.toMatch(/secret|SELECT|sqlite|\.ts|Error|SessionStore/);
  }
});

test("A13: what depends on the session varies by its cookie, once", async () => {
  const browser = new Browser(testApp().send);
  const answers = [await browser.login("admin"), await browser.get("/"), await browser.get("/")];
  answers.push(await browser.post("/logout"), await browser.get("/"));
  expect(answers.map(({ headers }) => headers.get("vary"))).toEqual(answers.map(() => "Cookie"));
});

describe("E8: a redirect leads to our own /", () => {
  const targets = [
    "//evil",
    "/\\evil",
    "https:evil",
    "%2f%2fevil",
    "/\t/evil",
    "\n//evil",
    "javascript:1",
  ];
  const names = ["next", "return", "redirect", "url", "continue", "returnTo"];
  const payloads = targets.flatMap((target) => names.map((name) => [name, target] as const));

  test("whatever the query and the form ask for", async () => {
    for (const [name, target] of payloads) {
      const query = new URLSearchParams({ [name]: target });
      const browser = new Browser(testApp().send);
      const login = await browser.post(`/login?${query}`, { username: "admin", [name]: target });
      const logout = await browser.get(`/logout?${query}`);
      const locations = [login, logout].map(({ headers }) => headers.get("location"));
      expect(locations).toEqual(["/", "/"]);
    }
  });

  test.each([
    { host: "evil.example" },
    { "x-forwarded-host": "evil.example" },
    { forwarded: "host=evil.example" },
    { "x-original-url": "//evil.example" },
    { referer: "https://evil.example/" },
  ])("whatever %j says", async (headers) => {
    const browser = new Browser(testApp().send);
    const form = { username: "admin" };
    const { host, ...rest } = { host: undefined, ...headers };
    const own = host === undefined ? rest : { host, origin: `http://${host}` };
    const login = await browser.post("/login", form, { ...own, "sec-fetch-site": "same-origin" });
    expect(login.headers.get("location")).toBe("/");
    const page = await browser.get("/", headers);
    expect(JSON.stringify([...page.headers]) + (await page.text())).not.toContain("evil");
  });
});
