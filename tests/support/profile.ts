import { join } from "node:path";
import { Program, ROOT } from "./program.ts";
import { Tab, type View } from "./tab.ts";

/** A tab of a Chromium that has a profile of its own. */
export interface Profile extends AsyncDisposable {
  readonly tab: Tab<View>;
  /** The cookies of every site, as a `Cookie` header. */
  readonly cookie: () => Promise<string>;
}

const COMMAND = [process.execPath, join(ROOT, "tests/support/profile_process.ts")];

/**
 * Starts a Chromium in a process of its own: Bun drives one in each, with one profile. Undefined where
 * none is installed, which is an error in CI alone.
 */
export async function openProfile(): Promise<Profile | undefined> {
  const environment: Record<string, string> = {};
  for (const [name, value = ""] of Object.entries(process.env)) environment[name] = value;
  const program = new Program(COMMAND, environment);
  const origin = await program.line();
  if (origin === undefined) throw new Error(`No Chromium: ${await program.errorLine()}`);
  if (!URL.canParse(origin)) {
    console.log(origin);
    return undefined;
  }

  async function act(action: keyof View, argument: string): Promise<unknown> {
    const response = await fetch(`${origin}/${action}`, { method: "POST", body: argument });
    const answer: unknown = await response.json();
    if (typeof answer !== "object" || answer === null) throw new Error("There is no answer");
    if ("problem" in answer) throw new Error(String(answer.problem));
    return "value" in answer ? answer.value : undefined;
  }

  return {
    tab: new Tab({
      navigate: async (url) => act("navigate", url),
      evaluate: async (script) => act("evaluate", script),
      click: async (selector) => act("click", selector),
      type: async (text) => act("type", text),
      press: async (key) => act("press", key),
      cdp: async (method) => act("cdp", method),
    }),
    async cookie() {
      const found = JSON.stringify(await act("cdp", "Network.getAllCookies"));
      const pairs = found.matchAll(/"name":"([^"]+)","value":"([^"]+)"/g);
      return Array.from(pairs, ([, name, value]) => `${name}=${value}`).join("; ");
    },
    [Symbol.asyncDispose]: async () => program[Symbol.asyncDispose](),
  };
}
