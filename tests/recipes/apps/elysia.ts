import { Elysia } from "elysia";
import { createSessions } from "madeleine";

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });
const home = () => new Response(null, { status: 303, headers: { location: "/" } });
const page = sessions.handler((_, { subject }) => new Response(`You are ${subject ?? "nobody"}`));
const login = sessions.handler(async (request, session) => {
  const username = String((await request.formData()).get("username") ?? "");
  if (username === "") return new Response("Who are you?", { status: 400 });
  session.signIn(username);
  return home();
});
const logout = sessions.handler((_, session) => (session.destroy(), home()));

const app = new Elysia({ serve: { reusePort: false } });
app.get("/", ({ request }) => page(request));
app.post("/login", ({ request }) => login(request), { parse: "none" });
app.post("/logout", ({ request }) => logout(request), { parse: "none" });
app.listen(process.env["PORT"] ?? 3000);
