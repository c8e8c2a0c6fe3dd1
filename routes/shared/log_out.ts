import type { Session } from "../../session/mod.ts";
import type { Context, Data } from "./types.ts";

/** Logs out of this browser: the session ends, and every copy of its cookie. */
export function logOut(session: Session<Data>, { paths, answers, note }: Context): Response {
  const username = session.pop("username");
  session.destroy();
  if (username !== undefined) note("logout", { user: username }, "done");
  return answers.redirect(paths.start);
}
