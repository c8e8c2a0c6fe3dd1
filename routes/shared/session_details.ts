import type { Session } from "../../session/mod.ts";
import { type Html, html, NO_HTML } from "./html.ts";
import { time } from "./time.ts";
import type { Data } from "./types.ts";

/** "Your session": its times, its id, and the claims of the cookie that it came with. */
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

/** The cookie with the session's id. If several claim to have it, any of them may be made up. */
function cookieRows(session: Session<Data>, cookies: string): Html {
  const [cookie, ...others] = cookies.split(";").flatMap((pair) => readCookie(pair, session.id));
  if (cookie === undefined || others.length > 0) return NO_HTML;
  const { name, bytes, claims } = cookie;
  // Neither a page nor a log shows a whole id.
  const shown = JSON.stringify({ ...claims, sid: `${session.ref}...` }, null, 2);
  return html`${row("Cookie", html`<code>${name}</code>, ${String(bytes)} bytes of at most ${String(LIMIT)}`)}
  ${row("Its claims", html`<pre>${shown}</pre>`)}
  ${row("Who can read them", html`Anyone who has the cookie. Only this site can change them.`)}`;
}

/** The most bytes of a cookie's name and value (RFC 6265bis §5.6). */
const LIMIT = 4096;

/** A cookie whose value is a compact JWS (RFC 7515 §3.1) with this id in its claims. */
interface TokenCookie {
  readonly name: string;
  /** Of name and value. */
  readonly bytes: number;
  readonly claims: object;
}

/** The cookie in a list of one; an empty list if it is another program's. */
function readCookie(pair: string, id: string): readonly TokenCookie[] {
  const [name = "", token = "", ...rest] = pair.trim().split("=");
  const [, payload, , ...parts] = token.split(".");
  if (payload === undefined || rest.length + parts.length > 0) return [];
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    const isOurs =
      typeof claims === "object" && claims !== null && "sid" in claims && claims.sid === id;
    return isOurs ? [{ name, bytes: name.length + token.length, claims }] : [];
  } catch {
    return [];
  }
}
