/** `/account` in three Chromium with a profile each, on two instances that share a store. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Instance, startInstance, temporaryFolder } from "../support/instance.ts";
import { openProfile, type Profile } from "../support/profile.ts";
import { sidOf, whoIs } from "../support/visitor.ts";

/** Where the tab is, and the heading of the page. */
const PLACE = "[location.pathname, document.querySelector('h1').innerText]";
const MEMBER = ["/", "Logged in as admin"];
const VISITOR = ["/", "You are not logged in"];
const FORM = ["/login", "Log in"];
const ACCOUNT = ["/account", "Where you are logged in"];

/** What is listed. */
const LABELS = "Array.from(document.querySelectorAll('strong'), ({ innerText }) => innerText)";
const BROWSER = "Chrome on Linux";

const found = await openProfile();

describe.skipIf(found === undefined)("three browsers of one user", () => {
  if (found === undefined) return;
  const one = found;
  const stack = new AsyncDisposableStack();
  stack.use(one);
  let other: Profile;
  let third: Profile;
  let first: Instance;
  let second: Instance;

  beforeAll(async () => {
    const folder = stack.use(await temporaryFolder());
    const environment = { STORE_URL: `sqlite:${folder.path}/store.sqlite` };
    first = stack.use(await startInstance({ environment }));
    second = stack.use(await startInstance({ environment }));
    other = stack.use(await openSecond());
    third = stack.use(await openSecond());
  });

  afterAll(async () => stack.disposeAsync());

  async function open({ tab }: Profile, path: string, instance = first): Promise<void> {
    await tab.open(new URL(path, `http://127.0.0.1:${instance.port}`));
  }

  /** Logs in by the keyboard. */
  async function login(profile: Profile, instance = first): Promise<void> {
    const { tab } = profile;
    await open(profile, "/login", instance);
    await tab.expectSoon("document.activeElement.id", "username");
    await tab.view.type("admin");
    await tab.leave(async (view) => view.press("Enter"));
    await tab.expectSoon(PLACE, MEMBER);
  }

  /** Sees the page at the path, after wherever that leads. */
  async function expectAt(profile: Profile, path: string, place: unknown): Promise<void> {
    await open(profile, path);
    await profile.tab.expectSoon(PLACE, place);
  }

  test("one that another ends sees the form at its next request, and the others stay", async () => {
    await login(one);
    await login(other, second);
    await login(third);
    const cookie = await other.cookie();
    expect(await whoIs(second, `Cookie: ${cookie}`)).toBe("admin");
    await expectAt(one, "/account", ACCOUNT);
    await one.tab.expectSoon(LABELS, [BROWSER, BROWSER, BROWSER]);
    await one.tab.leave(async (view) => view.click(buttonOf(cookie)));
    await one.tab.expectSoon(LABELS, [BROWSER, BROWSER]);

    await expectAt(other, "/account", FORM);
    await expectAt(other, "/", VISITOR);
    await expectAt(one, "/", MEMBER);
    await expectAt(third, "/", MEMBER);
    expect(await whoIs(second, `Cookie: ${cookie}`)).toBeNull();
  });

  test("all others end by the keyboard alone, then this one", async () => {
    for (const profile of [one, other, third]) await login(profile);
    const cookies = [await one.cookie(), await other.cookie(), await third.cookie()];
    await expectAt(one, "/", MEMBER);
    await enter(one, "a");
    await one.tab.expectSoon(PLACE, ACCOUNT);
    await one.tab.expectSoon(LABELS, [BROWSER, BROWSER, BROWSER]);
    await enter(one, "form[action$=others] button");
    await one.tab.expectSoon(LABELS, [BROWSER]);
    await one.tab.expectSoon(PLACE, ACCOUNT);
    await expectAt(other, "/account", FORM);
    await expectAt(third, "/", VISITOR);
    for (const cookie of cookies) expect(await whoIs(second, `Cookie: ${cookie}`)).toBeNull();

    const last = await one.cookie();
    expect(await whoIs(second, `Cookie: ${last}`)).toBe("admin");
    await enter(one, buttonOf(last));
    await one.tab.expectSoon(PLACE, VISITOR);
    expect(await one.cookie()).toBe("");
    expect(await whoIs(second, `Cookie: ${last}`)).toBeNull();
  });
});

/** Presses Tab until what the selector finds has the focus, at most twenty times, then Enter. */
async function enter({ tab }: Profile, selector: string): Promise<void> {
  const hasFocus = `document.activeElement.matches('${selector}')`;
  for (let times = 0; times < 20 && (await tab.look(hasFocus)) !== true; times++) {
    await tab.view.press("Tab");
  }
  expect(await tab.look(hasFocus)).toBe(true);
  await tab.leave(async (view) => view.press("Enter"));
}

/** The button that ends the session of this cookie. */
function buttonOf(cookie: string): string {
  return `button[value="${sidOf(cookie).slice(0, 12)}"]`;
}

async function openSecond(): Promise<Profile> {
  const profile = await openProfile();
  if (profile === undefined) throw new Error("There was a Chromium before");
  return profile;
}
