import { describe, expect, test } from "bun:test";
import { createSessions, memoryStore, type Store } from "../../session/mod.ts";
import { Browser, KEY, ORIGIN, readPage, testApp } from "../support/app.ts";

const VISITOR = "You are not logged in click here to log in";
const MEMBER =
  "Logged in as admin click here to log out click here to log out everywhere Where you are logged in";

const DELETION =
  "session=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; SameSite=Lax";

const parseClaims: (text: string) => { readonly sid: string } = JSON.parse;

/** The session's id, as anyone can read it in the cookie. */
function sidOf({ cookies }: Browser): string {
  const [, claims = ""] = (cookies.get("session") ?? "").split(".");
  return parseClaims(Buffer.from(claims, "base64url").toString()).sid;
}

async function signedIn(send = testApp().send): Promise<Browser> {
  const browser = new Browser(send);
  await browser.login("admin");
  return browser;
}

describe("the pages' words", () => {
  test("/ asks a visitor to log in", async () => {
    const page = await readPage(await new Browser(testApp().send).get("/"));
    expect(page).toMatchObject({
      title: "Not logged in – Madeleine",
      words: VISITOR,
      details: "",
      targets: ["GET /login"],
    });
  });

  test("/login shows the form", async () => {
    const page = await readPage(await new Browser(testApp().send).get("/login"));
    expect(page).toMatchObject({
      title: "Log in – Madeleine",
      words: "Log in Username Log in",
      targets: ["POST /login"],
    });
  });

  test("/ greets who is logged in, with the ways out", async () => {
    const page = await readPage(await (await signedIn()).get("/"));
    expect(page).toMatchObject({
      title: "Logged in – Madeleine",
      words: MEMBER,
      targets: ["POST /logout", "POST /logout/everywhere", "GET /account"],
    });
  });

  test.each(["/nothing", "/login/", "/Login", "//login", "/%6cogin", "/logout/", "/favicon.ico"])(
    "F5: %s is no page, and no spelling of one",
    async (path) => {
      const response = await (await signedIn()).get(path);
      expect(response.status).toBe(404);
      expect(response.headers.has("set-cookie")).toBe(false);
      expect(await readPage(response)).toMatchObject({
        title: "Page not found – Madeleine",
        words: "Page not found Please check the address. Go to the start page",
        targets: ["GET /"],
      });
    },
  );

  test.each(["/?", "/?next=/login", "/?a#b"])("%s is the page without its query", async (path) => {
    expect(await new Browser(testApp().send).words(path)).toBe(VISITOR);
  });
});

describe("login and logout", () => {
  test("E9: a login is a 303 to / with one cookie, and / greets", async () => {
    const browser = new Browser(testApp().send);
    const response = await browser.login("admin");
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toBe("/");
    const [line, ...others] = response.headers.getSetCookie();
    expect(line).toMatch(/^session=[\w-]+\.[\w-]+\.[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/);
    expect(others).toEqual([]);
    expect(await browser.words("/")).toBe(MEMBER);
  });

  test("A1, A2: over https the cookie is __Host-Http-session and Secure", async () => {
    const { send } = testApp({ isSecure: true, publicOrigin: "https://example.org" });
    const response = await new Browser(send, "https://example.org").login("admin");
    expect(response.headers.getSetCookie().join("\n")).toMatch(
      /^__Host-Http-session=[\w.-]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
    );
  });

  test("a logout is a 303 to / that deletes the cookie", async () => {
    const browser = await signedIn();
    const response = await browser.post("/logout");
    expect(response.status).toBe(303);
    expect(response.headers.get("location")).toBe("/");
    expect(response.headers.getSetCookie()).toEqual([DELETION]);
    expect(browser.cookie).toBe("");
    expect(await browser.words("/")).toBe(VISITOR);
  });

  test("A11: the pages after a login and after a logout send no cookie", async () => {
    const browser = new Browser(testApp().send);
    const answers = [await browser.login("admin"), await browser.get("/"), await browser.get("/")];
    answers.push(await browser.post("/logout"), await browser.get("/"));
    const counts = answers.map(({ headers }) => headers.getSetCookie().length);
    expect(counts).toEqual([1, 0, 0, 1, 0]);
  });

  test("a logout ends the session, whatever else is in it", async () => {
    const store = memoryStore();
    const { send } = testApp({ store });
    const browser = await signedIn(send);
    const others = createSessions<{ cart: string }>({
      secretKey: KEY,
      store,
      cookie: { secure: false },
    });
    const add = others.handler((_request, session) => {
      session.set("cart", "tea");
      return new Response();
    });
    const shopper = new Browser(async (request) => add(request));
    for (const [name, value] of browser.cookies) shopper.cookies.set(name, value);
    await shopper.get("/cart");
    const last = new Browser(send);
    for (const [name, value] of shopper.cookies) last.cookies.set(name, value);
    const response = await last.post("/logout");
    expect(response.headers.getSetCookie()).toEqual([DELETION]);
  });

  test("D5: after a logout a copy of the cookie is no login", async () => {
    const browser = await signedIn();
    const copy = browser.copy();
    await browser.post("/logout");
    expect(await copy.words("/")).toBe(VISITOR);
  });

  test("D2: a second login gets another sid, and ends the first", async () => {
    const browser = await signedIn();
    const before = browser.copy();
    await browser.login("admin");
    expect(sidOf(browser)).not.toBe(sidOf(before));
    expect(await before.words("/")).toBe(VISITOR);
    expect(await browser.words("/")).toBe(MEMBER);
  });

  test("D4: a login as somebody else takes the place of the first", async () => {
    const browser = await signedIn();
    await browser.login("mallory");
    expect(await browser.words("/")).toBe(MEMBER.replace("admin", "mallory"));
  });

  test("a logout of a visitor changes nothing", async () => {
    const browser = new Browser(testApp().send);
    const response = await browser.post("/logout");
    expect([response.status, response.headers.getSetCookie()]).toEqual([303, []]);
    expect(await browser.words("/")).toBe(VISITOR);
  });

  test("logging out everywhere ends every browser of the user, and nobody else's", async () => {
    const { send } = testApp();
    const [one, other, somebody] = [await signedIn(send), await signedIn(send), new Browser(send)];
    await somebody.login("somebody");
    const response = await one.post("/logout/everywhere");
    expect([response.status, response.headers.get("location")]).toEqual([303, "/"]);
    expect(await one.words("/")).toBe(VISITOR);
    expect(await other.words("/")).toBe(VISITOR);
    expect(await somebody.words("/")).toContain("Logged in as somebody");
    await other.login("admin");
    expect(await other.words("/")).toContain("Logged in as admin");
  });

  test("a visitor can log nobody out everywhere", async () => {
    const { send } = testApp();
    const member = await signedIn(send);
    const response = await new Browser(send).post("/logout/everywhere");
    expect([response.status, response.headers.getSetCookie()]).toEqual([303, []]);
    expect(await member.words("/")).toBe(MEMBER);
  });

  test("A11: reading the pages sends no cookie", async () => {
    const browser = await signedIn();
    for (const path of ["/", "/login", "/account", "/", "/healthz", "/nothing"]) {
      expect((await browser.get(path)).headers.has("set-cookie")).toBe(false);
    }
  });

  test("A9: the token is in Set-Cookie alone", async () => {
    const browser = new Browser(testApp().send);
    const answers = [await browser.login("admin"), await browser.get("/")];
    const token = browser.cookies.get("session") ?? "";
    answers.push(await browser.get("/login"), await browser.post("/logout"));
    for (const response of answers) {
      response.headers.delete("set-cookie");
      const text = JSON.stringify([...response.headers]) + (await response.text());
      expect(text).not.toContain(token.split(".")[2] ?? "");
    }
  });
});

describe("GET /logout", () => {
  const own: readonly Readonly<Record<string, string>>[] = [
    { "sec-fetch-site": "same-origin" },
    { "sec-fetch-site": "same-origin", referer: "https://evil.example/" },
    {},
    { referer: `${ORIGIN}/` },
    { referer: `${ORIGIN}/login?a#b` },
    { referer: "https://localhost:3000/" },
  ];
  test.each(own)("%j logs out, as in the Flask tutorial", async (headers) => {
    const browser = await signedIn();
    const response = await browser.get("/logout", { host: "localhost:3000", ...headers });
    expect([response.status, response.headers.get("location")]).toEqual([303, "/"]);
    expect(response.headers.getSetCookie()).toEqual([DELETION]);
    expect(await browser.words("/")).toBe(VISITOR);
  });

  const foreign: readonly Readonly<Record<string, string>>[] = [
    { "sec-fetch-site": "none" },
    { "sec-fetch-site": "none", referer: `${ORIGIN}/` },
    { "sec-fetch-site": "cross-site", referer: `${ORIGIN}/` },
    { referer: "https://evil.example/" },
    { referer: "http://localhost/" },
    { referer: "http://localhost:3001/" },
    { referer: "http://localhost:3000.evil.example/" },
    { referer: "http://evil.example/?http://localhost:3000/" },
    { referer: "ftp://localhost:3000/" },
    { referer: "localhost:3000" },
    { referer: "about:blank" },
    { referer: "" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "SAME-ORIGIN" },
    { "sec-fetch-site": "" },
    { "sec-purpose": "prefetch" },
    { "sec-purpose": "prefetch;prerender", "sec-fetch-site": "same-origin" },
    { purpose: "prefetch", "sec-fetch-site": "same-origin" },
    { "x-purpose": "preview" },
    { "x-moz": "prefetch" },
  ];
  test.each(foreign)("E4: %j shows the button and changes nothing", async (headers) => {
    const browser = await signedIn();
    const response = await browser.get("/logout", { host: "localhost:3000", ...headers });
    expect([response.status, response.headers.getSetCookie()]).toEqual([200, []]);
    expect(await readPage(response)).toMatchObject({
      title: "Log out – Madeleine",
      words: "Do you want to log out? Log out Go to the start page",
      targets: ["POST /logout", "GET /"],
    });
    expect(await browser.words("/")).toBe(MEMBER);
  });
});

test.each([
  ["https://example.org/", 303],
  ["http://example.org/", 200],
  ["http://inner:3000/", 200],
])("behind a proxy GET /logout from a page of %s is answered with %d", async (referer, status) => {
  const { send } = testApp({ publicOrigin: "https://example.org" });
  const browser = new Browser(send, "http://inner:3000");
  const response = await browser.get("/logout", { host: "inner:3000", referer });
  expect(response.status).toBe(status);
});

describe("requests of other sites", () => {
  const foreign: readonly Readonly<Record<string, string>>[] = [
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "http://evil@localhost:3000" },
    { "sec-fetch-site": "cross-site", origin: ORIGIN },
  ];
  const types = ["application/x-www-form-urlencoded", "text/plain", "", "Application/JSON"];

  async function expectRefusals(
    browser: Browser,
    path: string,
    headers: Readonly<Record<string, string>>,
  ): Promise<void> {
    const words = await browser.words("/");
    for (const type of types) {
      const response = await browser.send(path, {
        method: "POST",
        headers: { ...headers, "content-type": type },
        body: "username=mallory",
      });
      expect([response.status, response.headers.getSetCookie()]).toEqual([403, []]);
      expect((await readPage(response)).words).toBe(
        "Request refused It came from another site. Please use the form on our own page. Go to the start page",
      );
    }
    expect(await browser.words("/")).toBe(words);
  }

  test.each(foreign)("E2, E3: no login by %j, whatever the content type", async (headers) => {
    await expectRefusals(new Browser(testApp().send), "/login", headers);
    await expectRefusals(await signedIn(), "/login", headers);
  });

  test.each(foreign)("E4: no logout by %j", async (headers) => {
    await expectRefusals(await signedIn(), "/logout", headers);
    await expectRefusals(await signedIn(), "/logout/everywhere", headers);
    await expectRefusals(await signedIn(), "/account/end", headers);
    await expectRefusals(await signedIn(), "/account/end/others", headers);
  });

  test.each([
    ["https://example.org", 303],
    ["http://example.org", 403],
    ["http://inner:3000", 403],
  ])("behind a proxy a form of %s is answered with %d", async (origin, status) => {
    const { send } = testApp({ isSecure: true, publicOrigin: "https://example.org" });
    const response = await new Browser(send, "http://inner:3000").send("/login", {
      method: "POST",
      headers: { origin, "content-type": "application/x-www-form-urlencoded" },
      body: "username=admin",
    });
    expect(response.status).toBe(status);
  });

  test.each([
    ["/logout", { "x-http-method-override": "POST" }],
    ["/logout?_method=POST", {}],
  ])("E5: GET %s with %j is no POST", async (path, headers) => {
    const browser = await signedIn();
    await browser.get(path, { ...headers, "sec-fetch-site": "cross-site" });
    expect(await browser.words("/")).toBe(MEMBER);
  });
});

describe("F8: HEAD", () => {
  test.each(["/", "/login", "/account", "/nothing", "/healthz", "/readyz"])(
    "%s has the status and headers of GET",
    async (path) => {
      const browser = await signedIn();
      const [head, get] = [await browser.send(path, { method: "HEAD" }), await browser.get(path)];
      expect(head.status).toBe(get.status);
      expect([...head.headers]).toEqual([...get.headers]);
    },
  );

  test("E4: logs nobody out", async () => {
    const browser = await signedIn();
    const response = await browser.send("/logout", { method: "HEAD" });
    expect([response.status, response.headers.getSetCookie()]).toEqual([200, []]);
    expect(await browser.words("/")).toBe(MEMBER);
  });
});

describe("F5: methods", () => {
  const ALLOWED: Readonly<Record<string, string>> = {
    "/": "GET, HEAD",
    "/login": "GET, HEAD, POST",
    "/logout": "GET, HEAD, POST",
    "/logout/everywhere": "POST",
    "/account": "GET, HEAD",
    "/account/end": "POST",
    "/account/end/others": "POST",
    "/healthz": "GET, HEAD",
    "/readyz": "GET, HEAD",
  };
  const METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "PURGE"];
  const refused = Object.entries(ALLOWED).flatMap(([path, allow]) =>
    METHODS.filter((method) => !allow.split(", ").includes(method)).map(
      (method) => [method, path, allow] as const,
    ),
  );

  test.each(refused)("%s %s is 405, and Allow is %s", async (method, path, allow) => {
    const browser = await signedIn();
    const response = await browser.send(path, { method, headers: { "sec-fetch-site": "none" } });
    expect([response.status, response.headers.get("allow")]).toEqual([405, allow]);
    expect(response.headers.has("set-cookie")).toBe(false);
    expect((await readPage(response)).title).toBe("This page can’t do that – Madeleine");
    expect(await browser.words("/")).toBe(MEMBER);
  });
});

describe("health", () => {
  test("/healthz is 200 and /readyz says whether the server is ready", async () => {
    const { send } = testApp({ isReady: () => false });
    const browser = new Browser(send);
    const [live, ready] = [await browser.get("/healthz"), await browser.get("/readyz")];
    expect([live.status, await live.text()]).toEqual([200, "ok\n"]);
    expect([ready.status, await ready.text()]).toEqual([503, "not ready\n"]);
    const willing = await new Browser(testApp().send).get("/readyz");
    expect([willing.status, await willing.text()]).toEqual([200, "ready\n"]);
  });

  test("while the store fails a visitor is served, a member gets 503, and nobody's cookie goes", async () => {
    let isDown = false;
    const inner = memoryStore();
    const check = (): void => {
      if (isDown) throw new Error("the store's secret is 1234");
    };
    const store: Store = {
      get: (keys) => (check(), inner.get(keys)),
      replace: (...change) => (check(), inner.replace(...change)),
    };
    const { send } = testApp({ store });
    const browser = await signedIn(send);
    isDown = true;
    const response = await browser.get("/");
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "2"]);
    expect(response.headers.has("set-cookie")).toBe(false);
    const page = await readPage(response);
    expect(page).toMatchObject({
      title: "Temporarily unavailable – Madeleine",
      words:
        "Temporarily unavailable We can’t look up your session right now. Please try again in a moment. Go to the start page",
    });
    expect(await new Browser(send).words("/")).toBe(VISITOR);
    isDown = false;
    expect(await browser.words("/")).toBe(MEMBER);
  });
});
