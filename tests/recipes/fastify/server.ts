import cookie from "@fastify/cookie";
import formbody from "@fastify/formbody";
import { fastify } from "fastify";
import { page } from "./page.ts";
import { keepSession } from "./session.ts";

interface Form {
  readonly Body?: { readonly username?: string; readonly item?: string };
}

const app = fastify().addHook("onRequest", keepSession);
app.removeAllContentTypeParsers(); // Forms alone.
app.register(formbody).register(cookie);

app.get("/", ({ session }, reply) => reply.type("text/html").send(page(session)));
app.post<Form>("/login", ({ body, session }, reply) => {
  const username = String(body?.username ?? "");
  if (username === "") return reply.code(400).send("Who are you?");
  session.signIn(username); // Check the password before.
  session.flash(`Welcome, ${username}`);
  return reply.setCookie("theme", "dark").redirect("/", 303);
});
app.post<Form>("/add", ({ body, session }, reply) => {
  session.set(String(body?.item), 1);
  return reply.redirect("/", 303);
});
app.post("/logout", ({ session }, reply) => {
  session.destroy();
  return reply.redirect("/", 303);
});
await app.listen({ port: Number(process.env["PORT"] ?? 3000) });
