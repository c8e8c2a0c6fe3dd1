import { text } from "./shared/html.ts";

export const session = "none";

/** Answers as long as the process lives: a supervisor restarts it where this fails. */
export function GET(): Response {
  return text(200, "ok");
}
