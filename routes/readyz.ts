import type { Context } from "./shared/types.ts";

export const session = "none";

/** Whether to send requests here: a load balancer takes the server out where this is 503. */
export async function GET(_request: Request, { isReady, answers }: Context): Promise<Response> {
  return (await isReady()) ? answers.text(200, "ready") : answers.text(503, "not ready");
}
