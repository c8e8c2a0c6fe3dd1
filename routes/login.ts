import type { Session } from "../session/mod.ts";
import type { Context, Data } from "./shared/types.ts";
import { html, type Html, NO_HTML } from "./shared/html.ts";
import { INVISIBLE } from "./shared/invisible.ts";

/** What a form may have, in bytes. */
export const BODY_LIMIT: number = 16 * 1024;
const FIELD_LIMIT = 16;
const NAME_LIMIT = 100;

/** A name has one of these: marks and white space alone are not seen. */
const VISIBLE = /[\p{L}\p{N}\p{P}\p{S}]/u;

export const isLimited = true;

/** Shows the form. */
export function GET(_request: Request, _session: Session<Data>, context: Context): Response {
  return form(context, 200, NO_HTML);
}

/** Takes the form, and signs in with a new session id. */
export async function POST(
  request: Request,
  session: Session<Data>,
  context: Context,
): Promise<Response> {
  const read = await readUsername(request);
  if (read.problem !== undefined) return form(context, read.status, problem(read.problem));
  const { username } = read;
  session.signIn(username);
  session.set("username", username);
  context.note("login", { user: username }, "done");
  return context.answers.toStart();
}

type Read =
  | { readonly problem?: never; readonly username: string }
  | { readonly problem: string; readonly status: 400 | 413 | 415 };

async function readUsername(request: Request): Promise<Read> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) {
    return { status: 415, problem: "Please use this form." };
  }
  const bytes = await request.bytes();
  if (bytes.length > BODY_LIMIT) return { status: 413, problem: "That was too long." };
  const body = new TextDecoder().decode(bytes);
  if (/%(?![\da-f]{2})/i.test(body)) return { status: 400, problem: "Please use this form." };
  const fields = new URLSearchParams(body);
  const names = fields.getAll("username");
  const [name] = names;
  if (fields.size > FIELD_LIMIT || names.length > 1) {
    return { status: 400, problem: "Please use this form." };
  }
  return checkName((name ?? "").trim());
}

/**
 * The name as the session's subject: composed (NFC), and with single spaces, because a page shows
 * the other spellings alike.
 */
function checkName(typed: string): Read {
  const username = typed.normalize("NFC").replaceAll(/\p{Zs}+/gu, " ");
  if (username === "") return { status: 400, problem: "Please type a username." };
  if (username.length > NAME_LIMIT) {
    return { status: 400, problem: `Please take a username of at most ${NAME_LIMIT} characters.` };
  }
  // U+FFFD stands for what was not UTF-8.
  return INVISIBLE.test(username) || username.includes("\u{FFFD}") || !VISIBLE.test(username)
    ? { status: 400, problem: "Please take a username without invisible characters." }
    : { username };
}

function problem(text: string): Html {
  return html`<p class="problem" role="alert" id="problem">${text}</p> `;
}

function form({ paths, answers }: Context, status: number, message: Html): Response {
  const body = html`${message}
    <form method="post" action="${paths.login}">
      <label for="username">Username</label>
      <input
        id="username"
        name="username"
        maxlength="${String(NAME_LIMIT)}"
        autocomplete="username"
        autocapitalize="none"
        required
        autofocus
      />
      <button>Login</button>
    </form>`;
  return answers.page("Login", body, status);
}
