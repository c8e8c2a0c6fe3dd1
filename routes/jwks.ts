import type { Context } from "./shared/types.ts";

export const session = "none";

/** The keys that verify the sessions, for services that must not sign any. */
export async function GET(request: Request, { keySet, answers }: Context): Promise<Response> {
  return answers.keySet(await keySet(), request.headers.get("if-none-match"));
}
