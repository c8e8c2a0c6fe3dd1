import type { Session } from "../session/mod.ts";
import type { Context, Data } from "./shared/types.ts";

/** Logs the user out everywhere but on this browser, whose session gets a new id. */
export function POST(
  _request: Request,
  session: Session<Data>,
  { paths, answers, sessions, note }: Context,
): Response {
  const { subject } = session;
  if (subject === undefined) return answers.redirect(paths.login);
  sessions.endOthers(session);
  note("logout-others", { user: subject }, "done");
  return answers.redirect(paths.account);
}
