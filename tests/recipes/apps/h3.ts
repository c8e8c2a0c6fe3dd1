import { H3 } from "h3";
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

const app = new H3().get("/", ({ req }) => page(req));
export default app
  .post("/login", ({ req }) => login(req))
  .post("/logout", ({ req }) => logout(req));
