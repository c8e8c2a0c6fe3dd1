import type { Session } from "../session/mod.ts";
import type { Context, Data } from "./shared/types.ts";
import { html, page, seeOther } from "./shared/html.ts";

/**
 * Logs out as in the Flask tutorial, where the browser says that its user goes there; for whatever
 * else fetches the page, such as a prefetch or another site's image, it shows the button.
 */
export function GET(request: Request, session: Session<Data>, context: Context): Response {
  return isOwnNavigation(request) ? POST(request, session, context) : confirm();
}

/** Logs out: the name was all there is, so the session ends, and every copy of its cookie. */
export function POST(_request: Request, session: Session<Data>, { note }: Context): Response {
  const username = session.pop("username");
  if (username !== undefined) {
    session.flash("You have been logged out");
    note("logout", { user: username });
  }
  return seeOther("/");
}

function isOwnNavigation({ method, headers }: Request): boolean {
  const site = headers.get("sec-fetch-site") ?? "none";
  const purpose = ["sec-purpose", "purpose", "x-purpose", "x-moz"].some((name) =>
    headers.has(name),
  );
  return method === "GET" && (site === "none" || site === "same-origin") && !purpose;
}

function confirm(): Response {
  const body = html`<form method="post" action="/logout">
    <p>Do you want to log out?</p>
    <button>Log out</button>
  </form>`;
  return page("Log out", body);
}
