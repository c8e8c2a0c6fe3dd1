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

const routes = { "/": page, "/login": { POST: login }, "/logout": { POST: logout } };
Bun.serve({ routes, development: false, reusePort: false });
