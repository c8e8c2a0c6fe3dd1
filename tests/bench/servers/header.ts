/** The same page, which looks for its session's cookie and says so: every session pays for this. */
import { announce, listenOptions, pageResponse, readUsername, redirectHome } from "./page.ts";

/** As long as a token of ours with this data. */
const cookie = `session=${"x".repeat(295)}`;

const server = Bun.serve({
  ...listenOptions,
  routes: {
    "/": (request) => {
      const isSignedIn = request.headers.get("cookie") !== null;
      const response = pageResponse(isSignedIn ? "user000000" : undefined);
      response.headers.set("vary", "Cookie");
      return response;
    },
    "/login": {
      POST: async (request) => {
        await readUsername(request);
        return redirectHome(`${cookie}; Path=/; HttpOnly; SameSite=Lax`);
      },
    },
  },
});
announce(server.port);
