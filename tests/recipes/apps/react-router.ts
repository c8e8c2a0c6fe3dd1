import { createSessions, type Session } from "madeleine";
import { type ActionFunctionArgs, createContext, type LoaderFunctionArgs } from "react-router";
import { type MiddlewareFunction, redirect } from "react-router";

type Data = { username: string };
const sessions = createSessions<Data>({ secretKey: process.env["SECRET_KEY"] });
const current = createContext<Session<Data>>();

const keep: MiddlewareFunction<Response> = ({ request, context }, next) =>
  sessions.handler((_request, session) => (context.set(current, session), next()))(request);
export const middleware = [keep];

export const loader = ({ context }: LoaderFunctionArgs) =>
  new Response(`You are ${context.get(current).get("username", "nobody")}`);

export async function action({ context, request }: ActionFunctionArgs) {
  const username = (await request.formData()).get("username");
  context.get(current).destroy(); // Who signs in or out starts anew.
  if (typeof username === "string") context.get(current).set("username", username);
  return redirect("/", 303);
}
