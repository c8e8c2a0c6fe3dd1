/** Hono's session middleware: an encrypted JWT. */
import { Hono } from "hono";
import { useSession, type SessionEnv } from "@hono/session";
import { announce, listenOptions, page, readSecret, readUsername } from "./page.ts";

type Environment = SessionEnv<{ username: string }>;

const app = new Hono<Environment>()
  .use(useSession<{ username: string }>({ secret: readSecret() }))
  .get("/", async (context) => {
    const data = await context.var.session.get();
    return context.html(page(data?.username));
  })
  .post("/login", async (context) => {
    const username = await readUsername(context.req.raw);
    await context.var.session.update({ username });
    return context.redirect("/", 303);
  });

const server = Bun.serve({ ...listenOptions, fetch: app.fetch });
announce(server.port);
