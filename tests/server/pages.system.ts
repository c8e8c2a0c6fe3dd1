import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { memoryStore, type Store } from "../../session/mod.ts";
import { Browser, testApp } from "../support/app.ts";
import { openTab } from "../support/tab.ts";

const AXE = await Bun.file(Bun.resolveSync("axe-core/axe.min.js", import.meta.dir)).text();

const FOREIGN = { "sec-fetch-site": "cross-site" };

const FORM = "application/x-www-form-urlencoded";

/** The longest word that a name can be. */
const LONG = "W".repeat(100);

function fail(): never {
  throw new Error("nobody is to see this");
}

async function signedIn(name: string): Promise<Response> {
  const browser = new Browser(testApp().send);
  await browser.login(name);
  return browser.get("/");
}

/** The page of who is logged in in several places. */
async function account(name: string): Promise<Response> {
  const { send } = testApp();
  for (const userAgent of ["curl/8.5.0", "Android SamsungBrowser/28.0"]) {
    await new Browser(send).post("/login", { username: name }, { "user-agent": userAgent });
  }
  const browser = new Browser(send);
  await browser.login(name);
  return browser.get("/account");
}

async function accountForm(body: string, type: string): Promise<Response> {
  const browser = newBrowser();
  await browser.login("admin");
  return browser.post("/account/end", body, { "content-type": type });
}

async function limited(): Promise<Response> {
  const browser = new Browser(testApp({ loginRate: 1 }).send);
  await browser.login("admin");
  return browser.login("admin");
}

async function unavailable(): Promise<Response> {
  const inner = memoryStore();
  let isDown = false;
  const store: Store = {
    get: (keys) => (isDown ? fail() : inner.get(keys)),
    replace: (...change) => (isDown ? fail() : inner.replace(...change)),
  };
  const browser = new Browser(testApp({ store }).send);
  await browser.login("admin");
  isDown = true;
  return browser.get("/");
}

const newBrowser = (): Browser => new Browser(testApp().send);

/** Every page, with its title and how it comes about. */
const PAGES: readonly (readonly [title: string, status: number, get: () => Promise<Response>])[] = [
  ["Not logged in", 200, async () => newBrowser().get("/")],
  ["Logged in", 200, async () => signedIn("admin")],
  ["Logged in", 200, async () => signedIn(LONG)],
  ["Where you are logged in", 200, async () => account("admin")],
  ["Where you are logged in", 200, async () => account(LONG)],
  ["No such session", 404, async () => accountForm("ref=a", FORM)],
  ["Nothing was changed", 415, async () => accountForm("ref=a", "text/plain")],
  ["Log in", 200, async () => newBrowser().get("/login")],
  ["Error: Enter a username – Log in", 400, async () => newBrowser().login("")],
  [
    "Error: Enter a username of at most 100 characters – Log in",
    400,
    async () => newBrowser().login(`${LONG}W`),
  ],
  [
    "Error: Use this form to log in – Log in",
    415,
    async () => newBrowser().post("/login", "a", { "content-type": "text/plain" }),
  ],
  ["Log out", 200, async () => newBrowser().get("/logout", FOREIGN)],
  ["Bad request", 400, async () => newBrowser().get("/", { host: "a,b" })],
  ["Request refused", 403, async () => newBrowser().post("/login", {}, FOREIGN)],
  ["Page not found", 404, async () => newBrowser().get("/nothing")],
  ["This page can’t do that", 405, async () => newBrowser().get("/logout/everywhere")],
  ["Too many login attempts", 429, limited],
  [
    "Something went wrong",
    500,
    async () => new Browser(testApp({ isReady: fail }).send).get("/readyz"),
  ],
  ["Temporarily unavailable", 503, unavailable],
];

/** What the checks are to find. */
const FAULTY = `<!doctype html><html lang="en"><title>Faulty</title><main><h1>Faulty</h1>
  <p style="background: #fff; color: #ccc">pale</p><div style="width: 2000px">wide</div>
  <a href="/" style="display: block; width: 100px; height: 43px">small</a></main>`;

const WIDTHS = [390, 1280];
const SCHEMES = ["light", "dark"];

/** Links, buttons, fields and the like that are smaller than 44 px in either direction. */
const SMALL_TARGETS = `Array.from(document.querySelectorAll("a, button, input, summary"))
  .filter((target) => {
    const { width, height } = target.getBoundingClientRect();
    return width < 44 || height < 44;
  })
  .map(({ innerText }) => innerText)`;

const OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/** What axe finds, and what it leaves to be decided: the rule and the elements. */
const FINDINGS = `axe.run().then(({ violations, incomplete }) =>
  [...violations, ...incomplete].map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]))`;

const installed = openTab();

describe.skipIf(installed === undefined)("the pages in a browser", () => {
  if (installed === undefined) return;
  const tab = installed;
  const { view } = tab;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch({ url }) {
      const page = PAGES[Number(new URL(url).pathname.slice(1))];
      return page?.[2]() ?? new Response(FAULTY, { headers: { "content-type": "text/html" } });
    },
  });

  beforeAll(async () => view.navigate("about:blank"));

  afterAll(async () => {
    view.close();
    await server.stop(true);
  });

  /** Opens the page, and whatever is closed in it. */
  async function open(path: string): Promise<void> {
    await tab.open(new URL(path, server.url));
    await view.evaluate(`document.querySelectorAll("details").forEach((one) => (one.open = true))`);
    await view.evaluate(`(() => { ${AXE} })()`);
  }

  async function show(width: number, scheme: string): Promise<void> {
    const screen = { width, height: 800, deviceScaleFactor: 1, mobile: false };
    await view.cdp("Emulation.setDeviceMetricsOverride", screen);
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await view.cdp("Emulation.setEmulatedMedia", { features });
  }

  test.each(PAGES.map(([title, status], index) => [status, title, index] as const))(
    "%d, %s: axe finds nothing, targets are large, and nothing is cut off",
    async (status, title, index) => {
      await open(`/${index}`);
      const found = await tab.look(
        `[performance.getEntriesByType("navigation")[0].responseStatus, document.title,
          document.querySelectorAll("h1").length]`,
      );
      expect(found).toEqual([status, `${title} – Madeleine`, 1]);
      for (const width of WIDTHS) {
        for (const scheme of SCHEMES) {
          await show(width, scheme);
          expect([width, scheme, await tab.look(FINDINGS)]).toEqual([width, scheme, []]);
          expect(await tab.look(SMALL_TARGETS)).toEqual([]);
          expect(await tab.look(OVERFLOW)).toBe(0);
        }
      }
    },
  );

  test("these checks find the faults of another page", async () => {
    await open("/faulty");
    await show(390, "light");
    const findings = JSON.stringify(await tab.look(FINDINGS));
    expect(findings).toContain("color-contrast");
    expect(await tab.look(SMALL_TARGETS)).toEqual(["small"]);
    expect(await tab.look(OVERFLOW)).toBeGreaterThan(0);
  });

  test("dark is dark, and light is light", async () => {
    await open("/0");
    await show(1280, "dark");
    await tab.expectSoon("getComputedStyle(document.body).backgroundColor", "rgb(18, 18, 18)");
    await show(1280, "light");
    await tab.expectSoon("getComputedStyle(document.body).backgroundColor", "rgb(255, 255, 255)");
  });

  test("the icon is in the page, is an image, and the policy allows it", async () => {
    await open("/0");
    const width = await view.evaluate(
      `new Promise((done) => {
        const image = new Image();
        image.onload = () => done(image.naturalWidth);
        image.onerror = () => done("no image");
        image.src = document.querySelector("link[rel=icon]").getAttribute("href");
      })`,
    );
    expect(width).toBeGreaterThan(0);
    const source = await view.evaluate("document.querySelector('link[rel=icon]').href");
    expect(source).toStartWith("data:");
  });

  test("a screen reader is told what is wrong with which field", async () => {
    await open(`/${PAGES.findIndex(([title]) => title.includes("at most"))}`);
    const { nodes } = await view.cdp<AccessibilityTree>("Accessibility.getFullAXTree");
    const field = nodes.find(({ role }) => role?.value === "textbox");
    expect(field).toMatchObject({
      name: { value: "Username" },
      description: { value: "Enter a username of at most 100 characters" },
      value: { value: `${LONG}W` },
    });
    expect(field?.properties).toContainEqual({
      name: "invalid",
      value: { type: "token", value: "true" },
    });
  });

  test("a screen reader is told which place a button logs out of", async () => {
    await open(`/${PAGES.findIndex(([title]) => title === "Where you are logged in")}`);
    const { nodes } = await view.cdp<AccessibilityTree>("Accessibility.getFullAXTree");
    const buttons = nodes.filter(
      ({ role, name }) => role?.value === "button" && name?.value === "Log out",
    );
    const places = buttons.map(({ description }) => description?.value.split(" Logged in ")[0]);
    expect(places).toEqual([
      "Unknown browser (this browser)",
      "Samsung Internet on Android",
      "curl",
    ]);
  });

  test("the two ways to log out are apart", async () => {
    await open("/1");
    await show(390, "light");
    const gap = await tab.look(
      `(([one, other]) => other.getBoundingClientRect().top - one.getBoundingClientRect().bottom)
        (document.querySelectorAll("main button"))`,
    );
    expect(gap).toBeGreaterThanOrEqual(16);
  });
});

interface AccessibilityTree {
  readonly nodes: readonly {
    readonly role?: { readonly value: string };
    readonly name?: { readonly value: string };
    readonly description?: { readonly value: string };
    readonly properties?: readonly unknown[];
  }[];
}
