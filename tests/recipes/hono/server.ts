import { Hono } from "hono";
import { getConnInfo, upgradeWebSocket, websocket } from "hono/bun";
import { setCookie } from "hono/cookie";
import { protect } from "madeleine/origin";
import { page } from "./page.ts";
import { session } from "./session.ts";

const app = new Hono()
  .use(session)
  .get("/", (c) => c.html(page(c.var.session)))
  .post("/login", async (c) => {
    const { username } = await c.req.parseBody();
    if (typeof username !== "string" || username === "") return c.text("Who are you?", 400);
    c.var.session.signIn(username); // Check the password before.
    c.var.session.flash(`Welcome, ${username}`);
    setCookie(c, "theme", "dark");
    return c.redirect("/", 303);
  })
  .post("/add", async (c) => {
    const { item } = await c.req.parseBody();
    c.var.session.set(String(item), 1);
    return c.redirect("/", 303);
  })
  .post("/logout", (c) => {
    c.var.session.destroy();
    return c.redirect("/", 303);
  })
  .get("/address", (c) => c.text(`You came from ${getConnInfo(c).remote.addressType}`))
  .get(
    "/live",
    upgradeWebSocket((c) => ({
      onOpen: (_event, socket) => socket.send(`You are ${c.var.session.subject ?? "nobody"}`),
    })),
  );

export default {
  fetch: protect(app.fetch),
  websocket,
  development: false,
  reusePort: false,
};
