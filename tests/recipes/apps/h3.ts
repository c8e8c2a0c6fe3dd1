import { H3 } from "h3";
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

const app = new H3().get("/", ({ req }) => page(req)).post("/login", ({ req }) => login(req));
export default app.post("/logout", ({ req }) => logout(req));
