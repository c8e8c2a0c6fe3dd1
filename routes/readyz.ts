import type { Context } from "./shared/types.ts";
import { text } from "./shared/html.ts";

export const session = "none";

/** Whether to send requests here: a load balancer takes the server out where this is 503. */
export async function GET(_request: Request, { isReady }: Context): Promise<Response> {
  return (await isReady()) ? text(200, "ready") : text(503, "not ready");
}
