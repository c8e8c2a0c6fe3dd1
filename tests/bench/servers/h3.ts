/** h3's sessions: encrypted and signed. */
import { getSession, H3, updateSession } from "h3";
import {
  announce,
  htmlType,
  listenOptions,
  page,
  readSecret,
  readUsername,
  redirectHome,
} from "./page.ts";

const config = { name: "session", password: readSecret(), cookie: { secure: false } };

const app = new H3()
  .get("/", async (event) => {
    const session = await getSession<{ username: string }>(event, config);
    event.res.headers.set("content-type", htmlType);
    return page(session.data.username);
  })
  .post("/login", async (event) => {
    const username = await readUsername(event.req);
    await updateSession<{ username: string }>(event, config, { username });
    return redirectHome();
  });

const server = Bun.serve({ ...listenOptions, fetch: (request) => app.fetch(request) });
announce(server.port);
