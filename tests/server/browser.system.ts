import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { testApp } from "../support/app.ts";
import { openTab } from "../support/tab.ts";

const VISITOR = "You are not logged in click here to log in";
const MEMBER =
  "Logged in as admin click here to log out click here to log out everywhere " +
  "Where you are logged in Your session";
const CONFIRM = "Do you want to log out? Log out Go to the start page";
const FORM = "Log in Username Log in";

const installed = openTab();

describe.skipIf(installed === undefined)("a browser", () => {
  if (installed === undefined) return;
  const tab = installed;
  const { view } = tab;
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
    await tab.open(new URL(path, server.url));
  }

  async function expectPage(path: string, words: string): Promise<void> {
    await tab.expectSoon(
      String.raw`[location.pathname, document.body.innerText.trim().replaceAll(/\s+/g, " ")]`,
      [path, words],
    );
  }

  /** Types the name and presses Enter, as the field has the focus. */
  async function login(): Promise<void> {
    await tab.expectSoon("document.activeElement.id", "username");
    await view.type("admin");
    await tab.leave(async () => view.press("Enter"));
    await expectPage("/", MEMBER);
  }

  /** Presses Tab until the element with these words has the focus; at most ten times. */
  async function tabTo(words: string): Promise<void> {
    let seen: unknown;
    for (let times = 0; times < 10 && seen !== words; times++) {
      await view.press("Tab");
      seen = await tab.look("document.activeElement.innerText");
    }
    expect(seen).toBe(words);
  }

  test("logs in and out by mouse, and reloads", async () => {
    await open("/");
    await expectPage("/", VISITOR);
    await tab.leave(async () => view.click("a"));
    await expectPage("/login", FORM);
    await login();
    await tab.leave(async () => view.reload());
    await expectPage("/", MEMBER);
    await tab.leave(async () => view.click("form[action='/logout'] button"));
    await expectPage("/", VISITOR);
    await tab.leave(async () => view.reload());
    await expectPage("/", VISITOR);
  });

  test("logs in and out by the keyboard alone", async () => {
    await open("/");
    await expectPage("/", VISITOR);
    await tabTo("click here to log in");
    await tab.leave(async () => view.press("Enter"));
    await expectPage("/login", FORM);
    await login();
    await tabTo("click here to log out");
    await tab.leave(async () => view.press("Enter"));
    await expectPage("/", VISITOR);
  });

  test("E4: /logout in the address bar asks first", async () => {
    await open("/login");
    await login();
    await open("/logout");
    await expectPage("/logout", CONFIRM);
    await tab.leave(async () => view.click("button"));
    await expectPage("/", VISITOR);
  });

  test("E4: a link of another page that redirects to /logout asks first, and ours logs out", async () => {
    await open("/login");
    await login();
    await tab.leave(async () =>
      view.navigate(`data:text/html,<a href="${server.url.href}logout">out</a>`),
    );
    await tab.expectSoon("document.querySelector('a')?.innerText", "out");
    await tab.leave(async () => view.click("a"));
    await expectPage("/logout", CONFIRM);
    await open("/");
    await expectPage("/", MEMBER);
    await view.evaluate(`document.body.innerHTML = "<a href=/logout>out</a>"`);
    await tab.leave(async () => view.click("a"));
    await expectPage("/", VISITOR);
  });

  test("the field has its label, and asks for a name before the form is sent", async () => {
    await open("/login");
    await tab.expectSoon("document.querySelector('label').control.id", "username");
    await view.click("button");
    await tab.expectSoon("document.querySelector(':focus:invalid')?.id", "username");
    await expectPage("/login", FORM);
  });

  test("A2: no script sees the cookie", async () => {
    await open("/login");
    await login();
    await tab.expectSoon("document.cookie", "");
    await open("/");
    await expectPage("/", MEMBER);
  });

  test("F1: the style sheet is applied, and the policy stops nothing of ours", async () => {
    for (const page of ["/", "/login", "/nothing"]) {
      await open(page);
      await tab.expectSoon("getComputedStyle(document.body).maxWidth", "512px");
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
