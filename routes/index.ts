import type { Session } from "../session/mod.ts";
import type { Context, Data, Paths } from "./shared/types.ts";
import { type Html, html } from "./shared/html.ts";

/** Greets, or asks to log in. */
export function GET(
  _request: Request,
  session: Session<Data>,
  { paths, answers }: Context,
): Response {
  const username = session.get("username");
  const body = username === undefined ? visitor(paths) : member(username, paths);
  return answers.page("Madeleine", body);
}

function visitor({ login }: Paths): Html {
  return html`<p>You are not logged in</p>
    <p><a href="${login}">click here to log in</a></p>`;
}

function member(username: string, { logout, everywhere }: Paths): Html {
  return html`<p>Logged in as ${username}</p>
    <form method="post" action="${logout}">
      <button class="link">click here to log out</button>
    </form>
    <form method="post" action="${everywhere}">
      <button class="link">log out everywhere</button>
    </form>`;
}
