import type { Session } from "../session/mod.ts";
import type { Context, Data } from "./shared/types.ts";
import type { Problem } from "./shared/answers.ts";
import { readField } from "./shared/form.ts";
import { logOut } from "./shared/log_out.ts";

/** Logs the user out in one place, by the session's `ref`. */
export async function POST(
  request: Request,
  session: Session<Data>,
  context: Context,
): Promise<Response> {
  const { paths, answers, sessions, note } = context;
  const { subject } = session;
  if (subject === undefined) return answers.redirect(paths.login);
  const { text: ref, refusal } = await readField(request, "ref");
  if (refusal !== undefined) return answers.problem({ ...OTHER_FORM, status: refusal });
  if (ref === session.ref) return logOut(session, context);
  // Another user's session gets the same answer as one that does not exist.
  if (!(await sessions.end(subject, ref))) return answers.problem(NO_SESSION);
  note("logout-other", { user: subject });
  return answers.redirect(paths.account);
}

const OTHER_FORM = {
  title: "Nothing was changed",
  advice: "Please use the buttons on the page that shows where you are logged in.",
};
const NO_SESSION: Problem = {
  status: 404,
  title: "No such session",
  advice: "You may already be logged out there.",
};
