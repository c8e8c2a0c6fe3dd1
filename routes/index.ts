import type { Session } from "../session/mod.ts";
import type { Context, Data, Paths } from "./shared/types.ts";
import { type Html, html, renderDocument } from "./shared/html.ts";
import { sessionDetails } from "./shared/session_details.ts";

/** Greets, or asks to log in. */
export function GET(request: Request, session: Session<Data>, context: Context): Response {
  const { paths, answers } = context;
  const username = session.get("username");
  return username === undefined
    ? answers.document(visitorDocument(paths))
    : answers.document(memberDocument(username, request, session, context));
}

/** What visitors get, by the application's paths: nothing else changes it. */
const visitorDocuments = new WeakMap<Paths, string>();

function visitorDocument(paths: Paths): string {
  const known = visitorDocuments.get(paths);
  if (known !== undefined) return known;
  const document = renderDocument("Not logged in", visitor(paths));
  visitorDocuments.set(paths, document);
  return document;
}

function visitor({ login }: Paths): Html {
  return html`<h1>You are not logged in</h1>
    <p><a href="${login}">click here to log in</a></p>`;
}

/** How many members' documents are kept: a browser gets the same one until its session changes. */
const LIMIT = 1000;

/** A document, and what it was made from. */
interface Kept {
  readonly document: string;
  readonly context: Context;
  readonly username: string;
  /** The `Cookie` header. */
  readonly cookies: string;
  /** In milliseconds: it moves where another server has changed the session. */
  readonly expiresAt: number;
}

/** By the session's id. */
const kept = new Map<string, Kept>();

function memberDocument(
  username: string,
  { headers }: Request,
  session: Session<Data>,
  context: Context,
): string {
  const cookies = headers.get("cookie") ?? "";
  const expiresAt = session.expiresAt.getTime();
  const last = kept.get(session.id);
  if (
    last?.cookies === cookies &&
    last.username === username &&
    last.expiresAt === expiresAt &&
    last.context === context
  ) {
    return last.document;
  }
  const body = member(username, context.paths, sessionDetails(session, cookies));
  const document = renderDocument("Logged in", body);
  if (kept.size >= LIMIT) kept.clear();
  kept.set(session.id, { document, context, username, cookies, expiresAt });
  return document;
}

function member(username: string, { logout, everywhere, account }: Paths, details: Html): Html {
  return html`<h1>Logged in as ${username}</h1>
    <form method="post" action="${logout}">
      <button class="link">click here to log out</button>
    </form>
    <form method="post" action="${everywhere}">
      <button class="link">click here to log out everywhere</button>
    </form>
    <p><a href="${account}">Where you are logged in</a></p>
    ${details}`;
}
