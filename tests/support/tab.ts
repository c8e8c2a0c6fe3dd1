import { expect } from "bun:test";

/** What a test does in a tab, with one argument each. `Bun.WebView` is one. */
export interface View {
  navigate(url: string): Promise<unknown>;
  evaluate(script: string): Promise<unknown>;
  click(selector: string): Promise<unknown>;
  type(text: string): Promise<unknown>;
  press(key: string): Promise<unknown>;
  cdp(method: string): Promise<unknown>;
}

/** A tab of a real Chromium. `openTab` gives one. */
export class Tab<Own extends View = Bun.WebView> {
  readonly view: Own;

  constructor(view: Own) {
    this.view = view;
  }

  async open(url: URL): Promise<void> {
    const { href } = url;
    // The end of the page before, such as the search for its icon, may abort the first try.
    await this.view.navigate(href).catch(async () => this.view.navigate(href));
  }

  /** Does what leads to another page. It may be told that its own page is gone. */
  async leave(action: (view: Own) => Promise<unknown>): Promise<void> {
    const problem = await action(this.view).then(() => "", String);
    if (problem !== "") expect(problem).toContain("navigated");
  }

  /** What the expression gives in a page that was loaded, at its next frame. */
  async look(expression: string): Promise<unknown> {
    return this.view.evaluate(
      `new Promise((done, fail) => requestAnimationFrame(() =>
        document.readyState === "complete" ? done(${expression}) : fail("not loaded")))`,
    );
  }

  /** Looks, a frame at a time, until the expression gives this; at most ten seconds. */
  async expectSoon(expression: string, expected: unknown): Promise<void> {
    const deadline = performance.now() + 10_000;
    let seen: unknown;
    do {
      // Between two pages there is nowhere to look.
      seen = await this.look(expression).catch(String);
    } while (!Bun.deepEquals(seen, expected) && performance.now() < deadline);
    expect(seen).toEqual(expected);
  }
}

/** A new tab; undefined where no Chromium is installed, which is an error in CI alone. */
export function openTab(): Tab | undefined {
  const argv = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  try {
    return new Tab(new Bun.WebView({ backend: { type: "chrome", url: false, argv } }));
  } catch (error) {
    if (Bun.env["CI"]) throw error;
    console.log(`Skipped the tests in a browser: ${String(error)}`);
    return undefined;
  }
}
