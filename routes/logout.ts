import type { Session } from "../session/mod.ts";
import type { Context, Data } from "./shared/types.ts";
import { html } from "./shared/html.ts";
import { logOut } from "./shared/log_out.ts";

/**
 * Logs out as in the Flask tutorial, where the user followed a link of our own page. Anything else
 * that can fetch an address, such as a prefetch, another site's image or a link in a mail, gets the
 * button.
 */
export function GET(request: Request, session: Session<Data>, context: Context): Response {
  return isOwnNavigation(request, context) ? POST(request, session, context) : confirm(context);
}

/** Logs out. */
export function POST(_request: Request, session: Session<Data>, context: Context): Response {
  return logOut(session, context);
}

const PREFETCHES = ["sec-purpose", "purpose", "x-purpose", "x-moz"];

/**
 * `Sec-Fetch-Site` decides where it is present. `none` does not count: a link that redirects here,
 * an address that was typed and a link in a mail all have it, with the cookie. Older browsers, and
 * every browser over plain http, send `Referer` alone.
 */
function isOwnNavigation({ method, headers }: Request, { publicOrigin }: Context): boolean {
  if (method !== "GET" || PREFETCHES.some((name) => headers.has(name))) return false;
  const site = headers.get("sec-fetch-site");
  if (site !== null) return site === "same-origin";
  const referrer = headers.get("referer");
  return referrer === null || isOwn(referrer, headers.get("host"), publicOrigin);
}

function isOwn(referrer: string, host: string | null, publicOrigin: string | undefined): boolean {
  const url = URL.parse(referrer);
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  return publicOrigin === undefined ? url.host === host : url.origin === publicOrigin;
}

function confirm({ paths, answers }: Context): Response {
  const body = html`<h1>Do you want to log out?</h1>
    <form method="post" action="${paths.logout}">
      <button>Log out</button>
    </form>
    <p><a href="${paths.start}">Go to the start page</a></p>`;
  return answers.page("Log out", body);
}
