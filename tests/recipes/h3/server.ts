import { H3, html, raw, redirect, serve, setCookie } from "h3";
import { page } from "./page.ts";
import { session, sessionOf } from "./session.ts";

const app = new H3()
  .use(session)
  .get("/", async (event) => html(raw(page(await sessionOf(event)))))
  .post("/login", async (event) => {
    const session = await sessionOf(event);
    const username = String((await event.req.formData()).get("username") ?? "");
    if (username === "") return new Response("Who are you?", { status: 400 });
    session.signIn(username); // Check the password before.
    session.flash(`Welcome, ${username}`);
    setCookie(event, "theme", "dark");
    return redirect("/", 303);
  })
  .post("/add", async (event) => {
    const session = await sessionOf(event);
    session.set(String((await event.req.formData()).get("item")), 1);
    return redirect("/", 303);
  })
  .post("/logout", async (event) => {
    (await sessionOf(event)).destroy();
    return redirect("/", 303);
  });

serve(app, { port: process.env["PORT"] ?? 3000 });
