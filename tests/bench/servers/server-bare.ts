/** The program's page of a member with its headers, to the byte, and no session. */
import { createApp } from "../../../routes/mod.ts";
import { createLog } from "../../../routes/shared/log.ts";
import { memoryStore } from "../../../session/mod.ts";
import { announce, listenOptions, readSecret, readUsername, redirectHome } from "./page.ts";

const ADDRESS = "http://localhost:3000";

/** What the application answers to a member, and to a member's cookie alone. */
async function findPage(): Promise<{ readonly body: string; readonly headers: Headers }> {
  const app = createApp({
    secretKey: readSecret(),
    secretKeyFallbacks: [],
    store: memoryStore(),
    cookieName: undefined,
    lifetime: 3600,
    idleTimeout: 3600,
    isSecure: false,
    publicOrigin: undefined,
    loginRate: 0,
    trustedProxies: { check: () => false },
    log: createLog("text", () => {}),
    isReady: () => true,
    isStopping: () => false,
  });
  const peers = { requestIP: () => null };
  const body = new URLSearchParams({ username: "user000000" });
  const login = new Request(`${ADDRESS}/login`, { method: "POST", body });
  const cookie = (await app.fetch(login, peers)).headers.get("set-cookie")?.split(";")[0] ?? "";
  const page = await app.fetch(new Request(ADDRESS, { headers: { cookie } }), peers);
  return { body: await page.text(), headers: page.headers };
}

const { body, headers } = await findPage();
// The fastest way that Bun 1.4 has to make a response with these headers.
const model = new Response(null, { headers });

const server = Bun.serve({
  ...listenOptions,
  routes: {
    "/": () => new Response(body, model),
    "/login": {
      POST: async (request) => {
        await readUsername(request);
        return redirectHome();
      },
    },
  },
});
announce(server.port);
