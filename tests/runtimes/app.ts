import { createSessions, type SessionEvent, type SessionOptions, type Sessions } from "madeleine";
import { type Client, createClient } from "madeleine/testing";
import { equal } from "./assert.ts";

export const NAME = "__Host-Http-session";
export const KEY = "t5RcW0pYx7GmK2qLzN9bVhE4uPaJd81f";
export const OTHER_KEY = "D5xTz8QwNe6KvHb3MrCy1GfUjS0aLp27";

export type Data = Record<string, unknown>;

/** An app of a login page: what the task of every session library is. */
export function loginPage(
  sessions: Sessions<Data>,
): (request: Request) => Response | Promise<Response> {
  return sessions.handler(async (request, session) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/")
      return new Response(`You are ${String(session.get("username", "nobody"))}`);
    if (pathname === "/logout") session.destroy();
    else {
      const username = (await request.formData()).get("username");
      if (typeof username !== "string") return new Response(null, { status: 400 });
      session.signIn(username);
      session.set("username", username);
    }
    return new Response(null, { status: 303, headers: { location: "/" } });
  });
}

/** An app with one browser, and what its sessions told of. */
export interface SetUp {
  readonly sessions: Sessions<Data>;
  readonly client: Client<Data>;
  readonly events: readonly SessionEvent[];
}

/** Starts an app. Its keys are the same each time, its store is not. */
export function setUp(options: Partial<SessionOptions> = {}): SetUp {
  const events: SessionEvent[] = [];
  const sessions = createSessions({
    secretKey: KEY,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const client = createClient(loginPage(sessions), { sessions });
  return { sessions, client, events };
}

export async function textOf(response: Promise<Response>): Promise<string> {
  return (await response).text();
}

/** The token in the client's jar; empty where there is none. */
export function tokenOf(client: Client<Data>): string {
  return client.cookie(NAME)?.value ?? "";
}

/** Puts a token into the client's jar, in place of the one that is there. */
export function give(client: Client<Data>, token: string): void {
  client.clear();
  client.setCookie(`${NAME}=${token}; Path=/; HttpOnly; Secure`);
}

export function claimsOf(token: string): unknown {
  const payload = token.split(".")[1] ?? "";
  return JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
}

/** Signs in, and gives the token. */
export async function signIn(client: Client<Data>): Promise<string> {
  equal(await textOf(client.post("/login", { username: "admin" })), "You are admin");
  return tokenOf(client);
}

/** What the page says to who sends that token. */
export async function readsAs(client: Client<Data>, token: string, text: string): Promise<void> {
  give(client, token);
  equal(await textOf(client.get("/")), text);
}
