/** React Router's cookie session storage, without the rest of the framework. */
import { createCookieSessionStorage } from "react-router";
import {
  announce,
  listenOptions,
  pageResponse,
  readSecret,
  readUsername,
  redirectHome,
} from "./page.ts";

const storage = createCookieSessionStorage<{ username: string }>({
  cookie: { name: "session", secrets: [readSecret()], httpOnly: true, path: "/", sameSite: "lax" },
});

const server = Bun.serve({
  ...listenOptions,
  routes: {
    "/": async (request) => {
      const session = await storage.getSession(request.headers.get("cookie"));
      return pageResponse(session.get("username"));
    },
    "/login": {
      POST: async (request) => {
        const username = await readUsername(request);
        const session = await storage.getSession(request.headers.get("cookie"));
        session.set("username", username);
        return redirectHome(await storage.commitSession(session));
      },
    },
  },
});
announce(server.port);
