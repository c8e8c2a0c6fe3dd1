import type { Session } from "../session/mod.ts";
import type { Context, Data } from "./shared/types.ts";
import { browserName } from "./shared/browser_name.ts";
import { type Field, readField } from "./shared/form.ts";
import { html, NO_HTML } from "./shared/html.ts";
import { INVISIBLE } from "./shared/invisible.ts";

const NAME_LIMIT = 100;

/** A name has one of these: marks and white space alone are not seen. */
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;

export const isLimited = true;

/** Shows the form. */
export function GET(_request: Request, _session: Session<Data>, context: Context): Response {
  return form(context);
}

/** Takes the form, and signs in with a new session id. */
export async function POST(
  request: Request,
  session: Session<Data>,
  context: Context,
): Promise<Response> {
  const read = readUsername(await readField(request, "username"));
  if (read.problem !== undefined) return form(context, read);
  const { username } = read;
  session.signIn(username, { label: browserName(request.headers.get("user-agent")) });
  session.set("username", username);
  context.note("login", { user: username }, "done");
  return context.answers.redirect(context.paths.start);
}

/** Why nobody was signed in. */
interface Refusal {
  readonly status: 400 | 413 | 415;
  readonly problem: string;
  /** What stays in the field; undefined where the form has none that can be read. */
  readonly typed?: string;
}

type Read = Refusal | { readonly problem?: never; readonly username: string };

function readUsername({ text, refusal }: Field): Read {
  if (refusal === undefined) return checkName(text);
  const problem = refusal === 413 ? "The form was too long" : "Use this form to log in";
  return { status: refusal, problem };
}

/**
 * The name as the session's subject: composed (NFC), and with single spaces, because a page shows
 * the other spellings alike.
 */
function checkName(typed: string): Read {
  const username = typed
    .trim()
    .normalize("NFC")
    .replaceAll(/\p{Zs}+/gu, " ");
  const problem = problemOf(username);
  return problem === undefined ? { username } : { status: 400, problem, typed };
}

function problemOf(username: string): string | undefined {
  if (username === "") return "Enter a username";
  if (username.length > NAME_LIMIT) {
    return `Enter a username of at most ${NAME_LIMIT} characters`;
  }
  // U+FFFD stands for what was not UTF-8.
  return INVISIBLE.test(username) || username.includes("\u{FFFD}") || !VISIBLE.test(username)
    ? "Enter a username without invisible characters"
    : undefined;
}

function form({ paths, answers }: Context, refusal?: Refusal): Response {
  const { status = 200, problem, typed = "" } = refusal ?? {};
  const isRefused = problem !== undefined;
  const message = isRefused ? html`<p class="problem" id="problem">${problem}</p>` : NO_HTML;
  const state = isRefused ? html`aria-invalid="true" aria-describedby="problem"` : NO_HTML;
  const body = html`<h1>Log in</h1>
    <form method="post" action="${paths.login}">
      <label for="username">Username</label>
      ${message}
      <input
        id="username"
        name="username"
        value="${typed}"
        maxlength="${String(NAME_LIMIT)}"
        autocomplete="username"
        autocapitalize="none"
        ${state}
        required
        autofocus
      />
      <button>Log in</button>
    </form>`;
  return answers.page(isRefused ? `Error: ${problem} – Log in` : "Log in", body, status);
}
