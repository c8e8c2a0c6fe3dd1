import { createSessions } from "madeleine";

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });
const home = () => new Response(null, { status: 303, headers: { location: "/" } });

Bun.serve({
  routes: {
    "/": sessions.handler((_request, session) => {
      return new Response(`You are ${session.subject ?? "nobody"}`);
    }),
    "/login": sessions.handler(async (request, session) => {
      session.signIn(String((await request.formData()).get("username")));
      return home();
    }),
    "/logout": sessions.handler((_request, session) => (session.destroy(), home())),
  },
});
