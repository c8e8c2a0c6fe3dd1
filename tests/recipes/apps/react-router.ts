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

export async function action({ context, request }: ActionFunctionArgs) {
  const username = (await request.formData()).get("username");
  if (typeof username === "string") context.get(current).signIn(username);
  else context.get(current).destroy();
  return redirect("/", 303);
}
