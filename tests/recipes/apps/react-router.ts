import { createSessions, type Session } from "madeleine";
import { type ActionFunctionArgs, createContext, type LoaderFunctionArgs } from "react-router";
import { type MiddlewareFunction, redirect } from "react-router";

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });
const current = createContext<Session>();

const keep: MiddlewareFunction<Response> = ({ request, context }, next) =>
  sessions.handler((_request, session) => (context.set(current, session), next()))(request);
export const middleware = [keep];

export const loader = ({ context }: LoaderFunctionArgs) =>
  new Response(`You are ${context.get(current).subject ?? "nobody"}`);

export async function action({ context, params, request }: ActionFunctionArgs) {
  const session = context.get(current);
  if (params["page"] === "logout") return (session.destroy(), redirect("/", 303));
  const username = String((await request.formData()).get("username") ?? "");
  if (username === "") return new Response("Who are you?", { status: 400 });
  session.signIn(username);
  return redirect("/", 303);
}
