import type { Session } from "../../session/mod.ts";
import { type Html, html, NO_HTML } from "./html.ts";
import { time } from "./time.ts";
import type { Data } from "./types.ts";

/** "Your session": its times, its id, and what the cookie says that brought it. */
export function sessionDetails(session: Session<Data>, cookies: string): Html {
  const { authenticatedAt, expiresAt, endsAt } = session;
  return html`<details>
    <summary>Your session</summary>
    <dl>
      ${authenticatedAt === undefined ? NO_HTML : row("Since", time(authenticatedAt))}
      ${row("Ends, if unused", time(expiresAt))} ${row("Ends, at the latest", time(endsAt))}
      ${row("ID", html`<code>${session.ref}...</code>`)} ${cookieRows(session, cookies)}
    </dl>
  </details>`;
}

function row(term: string, description: Html): Html {
  return html`<dt>${term}</dt>
    <dd>${description}</dd>`;
}

/** A compact JWS (RFC 7515 §3.1) as a cookie: its name, the token, and the token's payload. */
const TOKEN_COOKIE = /([^=; \t]+)=(eyJ[\w-]*\.(eyJ[\w-]*)\.[\w-]*)/g;

/** The cookie, found by the id: others of its name may come too, and other tokens. */
function cookieRows({ id, ref }: Session<Data>, cookies: string): Html {
  for (const [, name = "", token = "", payload = ""] of cookies.matchAll(TOKEN_COOKIE)) {
    const claims = readClaims(payload);
    if (claims?.sid !== id) continue;
    // The page does not show a whole id, as a log does not.
    const shown = JSON.stringify({ ...claims, sid: `${ref}...` }, null, 2);
    const size = String(name.length + token.length);
    return html`${row("Cookie", html`<code>${name}</code>, ${size} bytes of at most 4096`)}
    ${row("Its claims", html`<pre>${shown}</pre>`)}
    ${row("Who can read them", html`Anyone who has the cookie. Only this site can change them.`)}`;
  }
  return NO_HTML;
}

/** Undefined where the payload is another program's, and no JSON with an id. */
function readClaims(payload: string): { readonly sid: unknown } | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    const hasId = typeof claims === "object" && claims !== null && "sid" in claims;
    return hasId ? claims : undefined;
  } catch {
    return undefined;
  }
}
