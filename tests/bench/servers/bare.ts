/** The same page with no session at all: what every other server is measured against. */
import { announce, listenOptions, pageResponse, readUsername, redirectHome } from "./page.ts";

const server = Bun.serve({
  ...listenOptions,
  routes: {
    "/": () => pageResponse("user000000"),
    "/login": {
      POST: async (request) => {
        await readUsername(request);
        return redirectHome();
      },
    },
  },
});
announce(server.port);
