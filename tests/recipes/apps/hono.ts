import { Hono } from "hono";
import { createSessions, type Session } from "madeleine";

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });
const app = new Hono<{ Bindings: { session: Session } }>();

app.get("/", ({ env, text }) => text(`You are ${env.session.subject ?? "nobody"}`));
app.post("/login", async ({ env, req, redirect, text }) => {
  const username = String((await req.formData()).get("username") ?? "");
  if (username === "") return text("Who are you?", 400);
  env.session.signIn(username);
  return redirect("/", 303);
});
app.post("/logout", ({ env, redirect }) => (env.session.destroy(), redirect("/", 303)));

const handle = sessions.handler((request, session) => app.fetch(request, { session }));
export default { fetch: handle, development: false, reusePort: false };
