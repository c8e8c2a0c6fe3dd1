import { Hono } from "hono";
import { createSessions, type Session } from "madeleine";

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });
const app = new Hono<{ Bindings: { session: Session } }>();

app.get("/", ({ env, text }) => text(`You are ${env.session.subject ?? "nobody"}`));
app.post("/login", async ({ env, req, redirect }) => {
  env.session.signIn(String((await req.formData()).get("username")));
  return redirect("/", 303);
});
app.post("/logout", ({ env, redirect }) => (env.session.destroy(), redirect("/", 303)));

export default { fetch: sessions.handler((request, session) => app.fetch(request, { session })) };
