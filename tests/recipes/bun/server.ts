import { page } from "./page.ts";
import { sessions } from "./session.ts";

function home(cookie?: string): Response {
  const headers = new Headers({ location: "/" });
  if (cookie !== undefined) headers.append("set-cookie", cookie);
  return new Response(null, { status: 303, headers });
}

const login = sessions.handler(async (request, session) => {
  const username = String((await request.formData()).get("username") ?? "");
  if (username === "") return new Response("Who are you?", { status: 400 });
  session.signIn(username);
  session.flash(`Welcome, ${username}`);
  return home("theme=dark; Path=/");
});

const add = sessions.handler(async (request, session) => {
  session.set(String((await request.formData()).get("item")), 1);
  return home();
});

Bun.serve({
  routes: {
    "/": sessions.handler(
      (_request, session) =>
        new Response(page(session), { headers: { "content-type": "text/html; charset=utf-8" } }),
    ),
    "/login": { POST: login },
    "/add": { POST: add },
    "/logout": { POST: sessions.handler((_request, session) => (session.destroy(), home())) },
  },
  development: false,
  reusePort: false,
});
