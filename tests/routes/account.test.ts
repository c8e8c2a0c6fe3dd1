import { describe, expect, setSystemTime, test } from "bun:test";
import { createSessions, memoryStore, type Store } from "../../session/mod.ts";
import { Browser, KEY, ORIGIN, readPage, type TestApp, testApp } from "../support/app.ts";

const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const VISITOR = "You are not logged in click here to log in";
const FORM = "Log in Username Log in";
const NO_SESSION = "No such session You may already be logged out there. Go to the start page";

type Send = TestApp["send"];

async function signedIn(
  send: Send = testApp().send,
  username = "admin",
  userAgent = FIREFOX,
): Promise<Browser> {
  const browser = new Browser(send);
  await browser.post("/login", { username }, { "user-agent": userAgent });
  return browser;
}

/** The `ref` of a browser's session: the beginning of the id, as anyone can read it in the cookie. */
function refOf({ cookies }: Browser): string {
  const [, payload = ""] = (cookies.get("session") ?? "").split(".");
  const claims = Buffer.from(payload, "base64url").toString();
  return /"sid":"([\w-]{12})/.exec(claims)?.[1] ?? "";
}

async function isLoggedIn(browser: Browser): Promise<boolean> {
  return (await browser.copy().words("/")) !== VISITOR;
}

/** What the page's buttons send. */
async function refsOn(response: Response): Promise<string[]> {
  const refs: string[] = [];
  const rewriter = new HTMLRewriter().on("button[name=ref]", {
    element: (button) => void refs.push(button.getAttribute("value") ?? ""),
  });
  await rewriter.transform(response).text();
  return refs;
}

/** So many minutes past nine, as the page says it. */
const at = (minutes: number): string => new Date(Date.UTC(2026, 10, 27, 9, minutes)).toUTCString();

describe("GET /account", () => {
  test("shows each place newest first, with what it is called and its times", async () => {
    const { send } = testApp();
    try {
      setSystemTime(Date.parse(at(0)));
      const first = await signedIn(send);
      setSystemTime(Date.parse(at(5)));
      await signedIn(send, "admin", "curl/8.5.0");
      const page = await readPage(await first.get("/account"));
      expect(page).toMatchObject({
        title: "Where you are logged in – Madeleine",
        words: [
          "Where you are logged in This is a demonstration without passwords.",
          "Anyone can log in as admin, see this list and use its buttons.",
          `curl Logged in ${at(5)} Last seen ${at(5)} or later Log out`,
          `Firefox on Linux (this browser) Logged in ${at(0)} Log out`,
          "Log out everywhere else Go to the start page",
        ].join(" "),
        targets: ["POST /account/end", "POST /account/end/others", "GET /"],
      });
    } finally {
      setSystemTime();
    }
  });

  test("has no button for others where there are none", async () => {
    const page = await readPage(await (await signedIn()).get("/account"));
    expect(page.words).toEndWith(" Log out Go to the start page");
    expect(page.targets).toEqual(["POST /account/end", "GET /"]);
  });

  test("marks the browser that asks, in each of them", async () => {
    const { send } = testApp();
    const one = await signedIn(send);
    const other = await signedIn(send, "admin", "curl/8.5.0");
    expect(await one.words("/account")).toContain("Firefox on Linux (this browser) ");
    expect(await one.words("/account")).not.toContain("curl (this browser)");
    expect(await other.words("/account")).toContain("curl (this browser) ");
    expect(await other.words("/account")).not.toContain("Linux (this browser)");
  });

  test("shows the sessions of this name alone, and no more of each than its button needs", async () => {
    const { send } = testApp();
    const [one, other] = [await signedIn(send), await signedIn(send)];
    const stranger = await signedIn(send, "stranger");
    const refs = await refsOn(await one.get("/account"));
    expect(refs).toEqual([refOf(other), refOf(one)]);
    const text = await (await one.get("/account")).text();
    for (const ref of refs) expect(text.split(ref)).toHaveLength(2);
    expect(text).not.toContain(refOf(stranger));
  });

  test("sends a visitor to the form", async () => {
    const response = await new Browser(testApp().send).get("/account");
    expect([response.status, response.headers.get("location")]).toEqual([303, "/login"]);
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test("shows a name and a label as text, whatever they say", async () => {
    const store = memoryStore();
    const sessions = createSessions({
      secretKey: KEY,
      store,
      list: true,
      cookie: { secure: false },
    });
    const login = sessions.handler((_request, session) => {
      session.signIn("<i>admin", { label: '<b id="1">' });
      return new Response();
    });
    await login(new Request(ORIGIN));
    const browser = await signedIn(testApp({ store }).send, "<i>admin", "<u>");
    const { words, elements } = await readPage(await browser.get("/account"));
    expect(words).toContain("log in as <i>admin, see");
    expect(words).toContain("buttons. Unknown browser (this browser) Logged in");
    expect(words).toContain('<b id="1"> Logged in');
    for (const name of ["b", "i", "u"]) expect(elements).not.toContain(name);
  });

  test("is a 503 while the store fails", async () => {
    const inner = memoryStore();
    let isDown = false;
    const get: Store["get"] = (keys) => (isDown ? fail() : inner.get(keys));
    const { send } = testApp({ store: { ...inner, get } });
    const browser = await signedIn(send);
    isDown = true;
    expect((await browser.get("/account")).status).toBe(503);
    expect((await browser.post("/account/end", { ref: "a" })).status).toBe(503);
    expect((await browser.post("/account/end/others")).status).toBe(503);
  });
});

function fail(): never {
  throw new Error("The store is down");
}

describe("POST /account/end", () => {
  test("ends the one of this ref, at once and with every copy", async () => {
    const { send, lines } = testApp();
    const [one, other, third] = [await signedIn(send), await signedIn(send), await signedIn(send)];
    const response = await one.post("/account/end", { ref: refOf(other) });
    expect([response.status, response.headers.get("location")]).toEqual([303, "/account"]);
    expect(response.headers.getSetCookie()).toEqual([]);
    expect(await other.copy().words("/")).toBe(VISITOR);
    expect(await other.copy().words("/account")).toBe(FORM);
    expect([await isLoggedIn(one), await isLoggedIn(third)]).toEqual([true, true]);
    expect(await refsOn(await one.get("/account"))).toEqual([refOf(third), refOf(one)]);
    expect(lines[3]).toMatch(/^\S+ logout-other user="admin" address="127\.0\.0\.1"$/);
  });

  test("of this browser logs out as /logout does", async () => {
    const { send, lines } = testApp();
    const [one, other] = [await signedIn(send), await signedIn(send)];
    const copy = one.copy();
    const expected = await (await signedIn()).post("/logout");
    const response = await one.post("/account/end", { ref: refOf(one) });
    expect([response.status, [...response.headers]]).toEqual([303, [...expected.headers]]);
    expect(response.headers.get("location")).toBe("/");
    expect(one.cookie).toBe("");
    expect(await copy.words("/")).toBe(VISITOR);
    expect(await isLoggedIn(other)).toBe(true);
    expect(lines[2]).toMatch(/^\S+ logout user="admin" address/);
  });

  test("answers to somebody else's as to one that never was, and ends nothing", async () => {
    const { send, lines } = testApp();
    const one = await signedIn(send);
    const stranger = await signedIn(send, "stranger");
    const over = await signedIn(send);
    const overRef = refOf(over);
    await over.post("/logout");
    const before = lines.length;
    const answers: unknown[] = [];
    for (const ref of [refOf(stranger), "AAAAAAAAAAAA", overRef, "", "__proto__", "é<b>"]) {
      const response = await one.post("/account/end", { ref });
      answers.push([response.status, [...response.headers], await response.text()]);
    }
    expect(answers).toEqual(answers.map(() => answers[0]));
    const missing = await one.post("/account/end", { other: refOf(one) });
    expect(missing.status).toBe(404);
    expect(await readPage(missing)).toMatchObject({
      title: "No such session – Madeleine",
      words: NO_SESSION,
      targets: ["GET /"],
    });
    expect([await isLoggedIn(one), await isLoggedIn(stranger)]).toEqual([true, true]);
    expect(lines).toHaveLength(before);
  });

  test("is a 404 for one whose id changed since the page was shown", async () => {
    const { send } = testApp();
    const [one, other] = [await signedIn(send), await signedIn(send)];
    const ref = refOf(other);
    await other.login("admin");
    expect((await one.post("/account/end", { ref })).status).toBe(404);
    expect(await isLoggedIn(other)).toBe(true);
    expect((await one.post("/account/end", { ref: refOf(other) })).status).toBe(303);
    expect(await isLoggedIn(other)).toBe(false);
  });

  test("sends a visitor to the form, and ends nothing", async () => {
    const { send } = testApp();
    const member = await signedIn(send);
    for (const path of ["/account/end", "/account/end/others"]) {
      const response = await new Browser(send).post(path, { ref: refOf(member) });
      expect([response.status, response.headers.get("location")]).toEqual([303, "/login"]);
    }
    expect(await isLoggedIn(member)).toBe(true);
  });

  const bodies: readonly (readonly [
    status: number,
    type: string,
    body: (ref: string) => string,
  ])[] = [
    [415, "text/plain", (ref) => `ref=${ref}`],
    [415, "application/json", (ref) => JSON.stringify({ ref })],
    [400, "application/x-www-form-urlencoded", (ref) => `ref=${ref}&ref=${ref}`],
    [400, "application/x-www-form-urlencoded", (ref) => `ref=${ref}&a=%`],
    [400, "application/x-www-form-urlencoded", (ref) => `ref=${ref}${"&a=1".repeat(16)}`],
    [413, "application/x-www-form-urlencoded", (ref) => `ref=${ref}&a=${"a".repeat(17_000)}`],
  ];
  test.each(bodies)("answers with %d to another form: %s", async (status, type, body) => {
    const { send } = testApp();
    const [one, other] = [await signedIn(send), await signedIn(send)];
    const response = await one.post("/account/end", body(refOf(other)), { "content-type": type });
    expect(response.status).toBe(status);
    expect((await readPage(response)).title).toBe("Nothing was changed – Madeleine");
    expect(await isLoggedIn(other)).toBe(true);
  });

  test("E8: leads to our own pages alone", async () => {
    const { send } = testApp();
    const [one, other] = [await signedIn(send), await signedIn(send)];
    const form = { ref: refOf(other), next: "//evil" };
    const response = await one.post("/account/end?next=//evil", form, {
      host: "evil.example",
      origin: "http://evil.example",
    });
    expect(response.headers.get("location")).toBe("/account");
  });
});

describe("POST /account/end/others", () => {
  test("ends every other session of the name, and this one goes on under a new id", async () => {
    const { send, lines } = testApp();
    const [one, other, third] = [await signedIn(send), await signedIn(send), await signedIn(send)];
    const stranger = await signedIn(send, "stranger");
    const copy = one.copy();
    const response = await one.post("/account/end/others");
    expect([response.status, response.headers.get("location")]).toEqual([303, "/account"]);
    expect(response.headers.getSetCookie()).toHaveLength(1);
    const after = await Promise.all([one, other, third, stranger, copy].map(isLoggedIn));
    expect(after).toEqual([true, false, false, true, false]);
    expect(await refsOn(await one.get("/account"))).toEqual([refOf(one)]);
    expect(await one.words("/account")).toContain("Firefox on Linux (this browser)");
    expect(lines[4]).toMatch(/^\S+ logout-others user="admin" address="127\.0\.0\.1"$/);
  });
});

test("the 101st login of a name ends the first", async () => {
  const { send } = testApp();
  const browsers: Browser[] = [];
  for (let count = 0; count < 101; count++) browsers.push(await signedIn(send));
  const [first, second] = browsers;
  if (first === undefined || second === undefined) throw new RangeError("Nobody logged in");
  expect([await isLoggedIn(first), await isLoggedIn(second)]).toEqual([false, true]);
  expect(await refsOn(await second.get("/account"))).toHaveLength(100);
});
