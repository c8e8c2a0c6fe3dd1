/** Our server, the same for every store: the files `madeleine-*.ts` each bring one. */
import { createSessions, type SessionOptions } from "../../../session/mod.ts";
import type { Store } from "../../../session/stores/store.ts";
import {
  announce,
  listenOptions,
  pageResponse,
  readSecret,
  readUsername,
  redirectHome,
} from "./page.ts";

export function serveMadeleine(
  store: Store | null,
  format: Pick<SessionOptions, "algorithm" | "encrypt"> = {},
): void {
  const sessions = createSessions<{ username: string }>({
    secretKey: readSecret(),
    store,
    ...format,
    cookie: { secure: false },
  });
  const server = Bun.serve({
    ...listenOptions,
    routes: {
      "/": sessions.handler((_request, session) => pageResponse(session.get("username"))),
      "/login": {
        POST: sessions.handler(async (request, session) => {
          const username = await readUsername(request);
          session.signIn(username);
          session.set("username", username);
          return redirectHome();
        }),
      },
      "/logout": {
        POST: sessions.handler((_request, session) => {
          session.destroy();
          return redirectHome();
        }),
      },
    },
  });
  announce(server.port);
}
