// A Chromium with a profile of its own. Each request is an action in its tab, with one argument: what
// the action gives is the answer, or why it failed. Without a Chromium it says so and ends.
import { openTab } from "./tab.ts";

const tab = openTab();
if (tab === undefined) process.exit();
const { view } = tab;
await view.navigate("about:blank");

const actions: Readonly<Record<string, (argument: string) => Promise<unknown>>> = {
  navigate: async (url) => view.navigate(url),
  evaluate: async (script) => view.evaluate(script),
  click: async (selector) => view.click(selector),
  type: async (text) => view.type(text),
  press: async (key) => view.press(key),
  cdp: async (method) => view.cdp(method),
};

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    try {
      const action = actions[new URL(request.url).pathname.slice(1)];
      return Response.json({ value: await action?.(await request.text()) });
    } catch (error) {
      return Response.json({ problem: String(error) });
    }
  },
});
console.log(server.url.origin);
