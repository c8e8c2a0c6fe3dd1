/** Hono's own signed cookie. */
import { Hono } from "hono";
import { getSignedCookie, setSignedCookie } from "hono/cookie";
import { announce, listenOptions, page, readSecret, readUsername } from "./page.ts";

const secret = readSecret();

const app = new Hono()
  .get("/", async (context) => {
    const username = await getSignedCookie(context, secret, "session");
    return context.html(page(username === false ? undefined : username));
  })
  .post("/login", async (context) => {
    const username = await readUsername(context.req.raw);
    await setSignedCookie(context, "session", username, secret, {
      httpOnly: true,
      sameSite: "Lax",
      path: "/",
    });
    return context.redirect("/", 303);
  });

const server = Bun.serve({ ...listenOptions, fetch: app.fetch });
announce(server.port);
