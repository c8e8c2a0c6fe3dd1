import type { Session } from "../session/mod.ts";
import type { Context, Data } from "./shared/types.ts";

/** Logs the user out everywhere: on this browser and on every other. */
export async function POST(
  _request: Request,
  session: Session<Data>,
  { paths, sessions, answers, note }: Context,
): Promise<Response> {
  const { subject } = session;
  if (subject !== undefined) {
    await sessions.endAll(subject);
    session.destroy();
    note("logout-everywhere", { user: subject });
  }
  return answers.redirect(paths.start);
}
