import { expect, setSystemTime, test } from "bun:test";
import { GET } from "../../routes/index.ts";
import { PATHS } from "../../routes/mod.ts";
import { createAnswers } from "../../routes/shared/answers.ts";
import {
  createSessions,
  memoryStore,
  type MaybePromise,
  type Session,
  type Store,
} from "../../session/mod.ts";
import { Browser, KEY, readPage, testApp } from "../support/app.ts";

type Claims = Readonly<Record<string, unknown>> & { readonly sid: string };
const parseClaims: (text: string) => Claims = JSON.parse;

/** What the browser's cookie says. */
function claimsOf({ cookies }: Browser): Claims {
  const [, payload = ""] = (cookies.get("session") ?? "").split(".");
  return parseClaims(Buffer.from(payload, "base64url").toString());
}

/** The claims that the page shows. */
function shownOf(details: string): Claims {
  return parseClaims(/\{.*\}/.exec(details)?.[0] ?? "");
}

async function detailsOf(browser: Browser): Promise<string> {
  const { details } = await readPage(await browser.get("/"));
  return details;
}

/** The time that a claim gives in seconds, as the page shows it. */
function time(seconds: unknown): string {
  return new Date(Number(seconds) * 1000).toUTCString();
}

async function signedIn(name: string, send = testApp().send): Promise<Browser> {
  const browser = new Browser(send);
  await browser.login(name);
  return browser;
}

/** A store, and what another application that shares it does with a browser's session. */
function sharedStore(): {
  readonly store: Store;
  readonly act: (browser: Browser, act: (session: Session) => void) => Promise<Response>;
} {
  const store = memoryStore();
  const sessions = createSessions({ secretKey: KEY, store, cookie: { secure: false } });
  return {
    store,
    act: async ({ cookie }, act) => {
      const handler = sessions.handler((_request, session) => {
        act(session);
        return new Response();
      });
      return handler(new Request("http://localhost:3000/", { headers: { cookie } }));
    },
  };
}

test("a member sees the session: its times, its id's first letters, its cookie's claims", async () => {
  const browser = await signedIn("admin");
  const { sid, ...claims } = claimsOf(browser);
  const details = await detailsOf(browser);
  const ref = `${sid.slice(0, 12)}...`;
  expect(details).toStartWith(
    [
      `Your session Since ${time(claims["auth_time"])}`,
      `Ends, if unused ${time(claims["exp"])}`,
      `Ends, at the latest ${time(claims["max"])}`,
      `ID ${ref}`,
      `Cookie session, ${browser.cookie.length - 1} bytes of at most 4096`,
      "Its claims {",
    ].join(" "),
  );
  expect(shownOf(details)).toEqual({ ...claims, sid: ref });
});

test("the details are closed, and a visitor has none", async () => {
  const browser = await signedIn("admin");
  expect(await (await browser.get("/")).text()).toContain("<details>");
  await browser.post("/logout");
  expect(await (await browser.get("/")).text()).not.toContain("<details");
});

test("each browser sees its own session, whoever asked before", async () => {
  const { send } = testApp();
  const browsers = [await signedIn("alice", send), await signedIn("bob", send)];
  browsers.push(await signedIn("alice", send));
  for (const browser of [...browsers, ...browsers]) {
    const { sid, ...claims } = claimsOf(browser);
    expect(shownOf(await detailsOf(browser))).toEqual({ ...claims, sid: `${sid.slice(0, 12)}...` });
  }
});

test("other cookies are not taken for the session's, whatever they hold", async () => {
  const { send } = testApp();
  const browser = await signedIn("admin", send);
  const { cookie } = browser;
  const expected = await detailsOf(browser);
  const texts = ['{"sid":"another"}', '{"no":"id"}', '{"broken', '"text"', "[]", "null"];
  const tokens = texts.map((text) => `eyJhIjoxfQ.${Buffer.from(text).toString("base64url")}.x`);
  const others = ["eyJ.eyJ.eyJ", "eyJhIjoxfQ..x", "=;", ...tokens].map((value) => `a=${value}`);
  for (const header of [
    [...others, cookie],
    [cookie, ...others],
  ]) {
    const response = await new Browser(send).get("/", { cookie: header.join("; ") });
    expect((await readPage(response)).details).toBe(expected);
  }
});

test("no claims are shown where several cookies say that they are the session's", async () => {
  const { send } = testApp();
  const browser = await signedIn("admin", send);
  const { sid } = claimsOf(browser);
  const deep = `{"sid":"${sid}","a":${"[".repeat(5000)}${"]".repeat(5000)}}`;
  const forged = `eyJ.${Buffer.from(deep).toString("base64url")}.x`;
  for (const name of ["session", "other"]) {
    const cookie = `${name}=${forged}; ${browser.cookie}`;
    const text = await (await new Browser(send).get("/", { cookie })).text();
    expect(text).not.toContain("Its claims");
    expect(text.length).toBeLessThan(10_000);
  }
});

test("a page that renews the cookie shows the claims of the one that came", async () => {
  const { store, act } = sharedStore();
  const browser = await signedIn("admin", testApp({ store }).send);
  const before = claimsOf(browser);
  await act(browser, (session) => session.set("cart", "tea"));
  expect(shownOf(await detailsOf(browser))["ver"]).toBe(before["ver"]);
  expect(shownOf(await detailsOf(browser))["data"]).toEqual({ username: "admin", cart: "tea" });
});

test("a session that another application used ends later, by the same cookie too", async () => {
  const { store, act } = sharedStore();
  const browser = await signedIn("admin", testApp({ store }).send);
  const copy = browser.copy();
  const before = await detailsOf(copy.copy());
  const later = Date.now() + 3_600_000;
  setSystemTime(later);
  try {
    await act(browser, (session) => session.set("cart", "tea"));
    const after = await detailsOf(copy);
    expect(after).toContain(`Ends, if unused ${time(Math.floor(later / 1000) + 604_800)}`);
    expect(after).not.toBe(before);
  } finally {
    setSystemTime();
  }
});

test("a name that another application changed is greeted, by the same cookie too", async () => {
  const { store, act } = sharedStore();
  const browser = await signedIn("admin", testApp({ store }).send);
  const copy = browser.copy();
  expect(await copy.copy().words("/")).toContain("Logged in as admin");
  await act(browser, (session) => session.set("username", "root"));
  expect(await copy.words("/")).toContain("Logged in as root");
});

test("a page leads to the paths of its own application", async () => {
  const sessions = createSessions<{ username: string }>({ secretKey: KEY, store: null });
  const pageUnder = (prefix: string): ((request: Request) => MaybePromise<Response>) => {
    const context = {
      paths: { ...PATHS, logout: `${prefix}/logout` },
      answers: createAnswers("/", false),
      sessions,
      publicOrigin: undefined,
      isReady: () => true,
      keySet: () => "",
      note: () => {},
    };
    return sessions.handler((request, session) => GET(request, session, context));
  };
  const login = sessions.handler((_request, session) => {
    session.signIn("admin");
    session.set("username", "admin");
    return new Response();
  });
  const browser = new Browser();
  browser.take(await login(new Request("http://localhost/")));
  const request = new Request("http://localhost/", { headers: { cookie: browser.cookie } });
  for (const prefix of ["/one", "/other"]) {
    const { targets } = await readPage(await pageUnder(prefix)(request));
    expect(targets[0]).toBe(`POST ${prefix}/logout`);
  }
});
