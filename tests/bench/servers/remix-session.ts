/** @remix-run/session in a signed cookie of @remix-run/cookie. */
import { createCookie } from "@remix-run/cookie";
import { createCookieSessionStorage } from "@remix-run/session/cookie-storage";
import {
  announce,
  listenOptions,
  pageResponse,
  readSecret,
  readUsername,
  redirectHome,
} from "./page.ts";

const cookie = createCookie("session", { secrets: [readSecret()], httpOnly: true, path: "/" });
const storage = createCookieSessionStorage();

async function openSession(request: Request) {
  return storage.read(await cookie.parse(request.headers.get("cookie")));
}

const server = Bun.serve({
  ...listenOptions,
  routes: {
    "/": async (request) => {
      const username = (await openSession(request)).get("username");
      return pageResponse(typeof username === "string" ? username : undefined);
    },
    "/login": {
      POST: async (request) => {
        const username = await readUsername(request);
        const session = await openSession(request);
        session.regenerateId();
        session.set("username", username);
        const value = await storage.save(session);
        return redirectHome(value === null ? undefined : await cookie.serialize(value));
      },
    },
  },
});
announce(server.port);
