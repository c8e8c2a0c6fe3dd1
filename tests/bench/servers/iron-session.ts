/** iron-session: encrypted and signed, its web adapter. */
import { getIronSession, webCookies } from "iron-session";
import {
  announce,
  listenOptions,
  pageResponse,
  readSecret,
  readUsername,
  redirectHome,
} from "./page.ts";

const options = {
  password: readSecret(),
  cookieName: "session",
  cookieOptions: { secure: false },
};

function openSession(request: Request, headers: Headers) {
  return getIronSession<{ username: string }>(webCookies(request, headers), options);
}

const server = Bun.serve({
  ...listenOptions,
  routes: {
    "/": async (request) => {
      const session = await openSession(request, new Headers());
      return pageResponse(session.username);
    },
    "/login": {
      POST: async (request) => {
        const username = await readUsername(request);
        const response = redirectHome();
        const session = await openSession(request, response.headers);
        session.username = username;
        await session.save();
        return response;
      },
    },
  },
});
announce(server.port);
