import { page } from "./page.ts";
import { sessions } from "./session.ts";

export { SessionRecord } from "./store.ts";

const fetch = sessions.handler(async (request, session) => {
  const form = await request.formData().catch(() => new FormData());
  const headers = new Headers({ location: "/" });
  switch (`${request.method} ${new URL(request.url).pathname}`) {
    case "GET /":
      headers.set("content-type", "text/html; charset=utf-8");
      return new Response(page(session), { headers });
    case "POST /login": {
      const username = String(form.get("username") ?? "");
      if (username === "") return new Response("Who are you?", { status: 400 });
      session.signIn(username); // Check the password before.
      session.flash(`Welcome, ${username}`);
      headers.append("set-cookie", "theme=dark; Path=/");
      break;
    }
    case "POST /add":
      session.set(String(form.get("item")), 1);
      break;
    case "POST /logout":
      session.destroy();
      break;
    default:
      return new Response("Not found", { status: 404 });
  }
  return new Response(null, { status: 303, headers });
});

export default { fetch: (request: Request) => fetch(request) };
