import { Elysia } from "elysia";
import { createSessions } from "madeleine";

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });
const home = () => new Response(null, { status: 303, headers: { location: "/" } });
const page = sessions.handler((_request, session) => {
  return new Response(`You are ${session.subject ?? "nobody"}`);
});
const login = sessions.handler(async (request, session) => {
  session.signIn(String((await request.formData()).get("username")));
  return home();
});
const logout = sessions.handler((_request, session) => (session.destroy(), home()));

const app = new Elysia().get("/", ({ request }) => page(request));
app.post("/login", ({ request }) => login(request), { parse: "none" });
app.post("/logout", ({ request }) => logout(request), { parse: "none" });
app.listen(process.env["PORT"] ?? 3000);
