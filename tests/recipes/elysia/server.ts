import { Elysia, t } from "elysia";
import { page } from "./page.ts";
import { session } from "./session.ts";

new Elysia({ serve: { reusePort: false } })
  .use(session)
  .get("/", ({ session, set }) => {
    set.headers["content-type"] = "text/html; charset=utf-8";
    return page(session);
  })
  .post(
    "/login",
    ({ body: { username }, cookie, redirect, session }) => {
      session.signIn(username); // Check the password before.
      session.flash(`Welcome, ${username}`);
      cookie["theme"]?.set({ value: "dark", path: "/" });
      return redirect("/", 303);
    },
    { body: t.Object({ username: t.String({ minLength: 1 }) }), parse: "urlencoded" },
  )
  .post(
    "/add",
    ({ body: { item }, redirect, session }) => {
      session.set(item, 1);
      return redirect("/", 303);
    },
    { body: t.Object({ item: t.String() }), parse: "urlencoded" },
  )
  .post("/logout", ({ redirect, session }) => {
    session.destroy();
    return redirect("/", 303);
  })
  .get("/address", ({ request, server }) => `You came from ${server?.requestIP(request)?.family}`)
  .listen(process.env["PORT"] ?? 3000);
