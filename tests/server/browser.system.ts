import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testApp } from "../support/app.ts";

const VISITOR = "You are not logged in\n\nclick here to log in";
const MEMBER = "Logged in as admin\n\nclick here to log out\nlog out everywhere";
const FORM = "Username  Login";

/** A browser's page; undefined where no Chromium is installed, which is an error in CI alone. */
function openView(): Bun.WebView | undefined {
  const argv = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  try {
    return new Bun.WebView({ backend: { type: "chrome", url: false, argv } });
  } catch (error) {
    if (Bun.env["CI"]) throw error;
    console.log(`Skipped the tests in a browser: ${String(error)}`);
    return undefined;
  }
}

/** Does what leads to another page. It may be told that its own page is gone. */
async function leave(action: () => Promise<unknown>): Promise<void> {
  const problem = await action().then(() => "", String);
  if (problem !== "") expect(problem).toContain("navigated");
}

const installed = openView();

describe.skipIf(installed === undefined)("a browser", () => {
  if (installed === undefined) return;
  const view = installed;
  const { send } = testApp();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => send(request),
  });
  const complaints: string[] = [];

  beforeAll(async () => {
    await view.navigate("about:blank");
    view.addEventListener("Log.entryAdded", (event) => {
      if (event instanceof MessageEvent) complaints.push(JSON.stringify(event.data));
    });
    await view.cdp("Log.enable");
  });

  afterAll(async () => {
    view.close();
    await server.stop(true);
  });

  async function open(path: string): Promise<void> {
    const { href } = new URL(path, server.url);
    // The end of the page before, such as the search for its icon, may abort the first try.
    await view.navigate(href).catch(async () => view.navigate(href));
  }

  /** What the expression gives in a page that was loaded, at its next frame. */
  async function look(expression: string): Promise<unknown> {
    return view.evaluate(
      `new Promise((done, fail) => requestAnimationFrame(() =>
        document.readyState === "complete" ? done(${expression}) : fail("not loaded")))`,
    );
  }

  /** Looks, a frame at a time, until the expression gives this; at most ten seconds. */
  async function expectSoon(expression: string, expected: unknown): Promise<void> {
    const deadline = performance.now() + 10_000;
    let seen: unknown;
    do {
      // Between two pages there is nowhere to look.
      seen = await look(expression).catch(String);
    } while (!Bun.deepEquals(seen, expected) && performance.now() < deadline);
    expect(seen).toEqual(expected);
  }

  async function expectPage(path: string, words: string): Promise<void> {
    await expectSoon("[location.pathname, document.body.innerText.trim()]", [path, words]);
  }

  /** Types the name and presses Enter, as the field has the focus. */
  async function login(): Promise<void> {
    await expectSoon("document.activeElement.id", "username");
    await view.type("admin");
    await leave(async () => view.press("Enter"));
    await expectPage("/", MEMBER);
  }

  /** Presses Tab until the element with these words has the focus; at most ten times. */
  async function tabTo(words: string): Promise<void> {
    let seen: unknown;
    for (let times = 0; times < 10 && seen !== words; times++) {
      await view.press("Tab");
      seen = await look("document.activeElement.innerText");
    }
    expect(seen).toBe(words);
  }

  test("logs in and out by mouse, and reloads", async () => {
    await open("/");
    await expectPage("/", VISITOR);
    await leave(async () => view.click("a"));
    await expectPage("/login", FORM);
    await login();
    await leave(async () => view.reload());
    await expectPage("/", MEMBER);
    await leave(async () => view.click("form[action='/logout'] button"));
    await expectPage("/", VISITOR);
    await leave(async () => view.reload());
    await expectPage("/", VISITOR);
  });

  test("logs in and out by the keyboard alone", async () => {
    await open("/");
    await expectPage("/", VISITOR);
    await tabTo("click here to log in");
    await leave(async () => view.press("Enter"));
    await expectPage("/login", FORM);
    await login();
    await tabTo("click here to log out");
    await leave(async () => view.press("Enter"));
    await expectPage("/", VISITOR);
  });

  test("E4: /logout in the address bar asks first", async () => {
    await open("/login");
    await login();
    await open("/logout");
    await expectPage("/logout", "Do you want to log out?\n\nLog out");
    await leave(async () => view.click("button"));
    await expectPage("/", VISITOR);
  });

  test("E4: a link of another page that redirects to /logout asks first, and ours logs out", async () => {
    await open("/login");
    await login();
    await leave(async () =>
      view.navigate(`data:text/html,<a href="${server.url.href}logout">out</a>`),
    );
    await expectSoon("document.querySelector('a')?.innerText", "out");
    await leave(async () => view.click("a"));
    await expectPage("/logout", "Do you want to log out?\n\nLog out");
    await open("/");
    await expectPage("/", MEMBER);
    await view.evaluate(`document.body.innerHTML = "<a href=/logout>out</a>"`);
    await leave(async () => view.click("a"));
    await expectPage("/", VISITOR);
  });

  test("the field has its label, and asks for a name before the form is sent", async () => {
    await open("/login");
    await expectSoon("document.querySelector('label').control.id", "username");
    await view.click("button");
    await expectSoon("document.querySelector(':focus:invalid')?.id", "username");
    await expectPage("/login", FORM);
  });

  test("A2: no script sees the cookie", async () => {
    await open("/login");
    await login();
    await expectSoon("document.cookie", "");
    await open("/");
    await expectPage("/", MEMBER);
  });

  test("F1: the style sheet is applied, and the policy stops nothing of ours", async () => {
    for (const page of ["/", "/login", "/nothing"]) {
      await open(page);
      await expectSoon("getComputedStyle(document.body).maxWidth", "512px");
    }
    expect(complaints.filter((entry) => entry.includes("Policy"))).toEqual([]);
  });

  test("F1: the policy stops what is not ours", async () => {
    await open("/");
    const directive = await view.evaluate(
      `new Promise((done) => {
        addEventListener("securitypolicyviolation", (event) => done(event.violatedDirective));
        document.body.insertAdjacentHTML("beforeend", "<p style='color: red'>");
      })`,
    );
    expect(directive).toBe("style-src-attr");
  });
});
