import type { Session, SessionInfo } from "../session/mod.ts";
import type { Context, Data, Paths } from "./shared/types.ts";
import { type Html, html, NO_HTML } from "./shared/html.ts";
import { time } from "./shared/time.ts";

/** Shows where the user is logged in, with a button for each place. A visitor gets the login form. */
export async function GET(
  _request: Request,
  session: Session<Data>,
  { paths, answers, sessions }: Context,
): Promise<Response> {
  const { subject, ref } = session;
  if (subject === undefined) return answers.redirect(paths.login);
  const list = await sessions.list(subject);
  return answers.page("Where you are logged in", places(subject, list, ref, paths));
}

function places(
  subject: string,
  list: readonly SessionInfo[],
  ownRef: string,
  { start, end, endOthers }: Paths,
): Html {
  const hasOthers = list.some(({ ref }) => ref !== ownRef);
  const all = hasOthers
    ? html`<form method="post" action="${endOthers}">
        <button>Log out everywhere else</button>
      </form>`
    : NO_HTML;
  // Anyone may type any name, so others can see this list too.
  return html`<h1>Where you are logged in</h1>
    <p>
      This is a demonstration without passwords. Anyone can log in as ${subject}, see this list and
      use its buttons.
    </p>
    <form method="post" action="${end}">
      <ul>
        ${join(list.map((info, index) => place(info, info.ref === ownRef, `place-${index}`)))}
      </ul>
    </form>
    ${all}
    <p><a href="${start}">Go to the start page</a></p>`;
}

/** One place. All buttons say the same, so each is described by the text above it. */
function place(
  { ref, label = "Unknown browser", startedAt, seenAt }: SessionInfo,
  isOwn: boolean,
  id: string,
): Html {
  const words = isOwn ? " (this browser)" : "";
  const seen = isOwn
    ? NO_HTML
    : html`<br />
        Last seen ${time(seenAt)} or later`;
  return html`<li>
    <p id="${id}">
      <strong>${label}</strong>${words}<br />
      Logged in ${time(startedAt)}${seen}
    </p>
    <button name="ref" value="${ref}" aria-describedby="${id}">Log out</button>
  </li>`;
}

function join(parts: readonly Html[]): Html {
  return { html: parts.map(({ html }) => html).join("") };
}
