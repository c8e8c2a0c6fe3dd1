import type { Context } from "./shared/types.ts";

export const session = "none";

/** Answers as long as the process lives: a supervisor restarts it where this fails. */
export function GET(_request: Request, { answers }: Context): Response {
  return answers.text(200, "ok");
}
