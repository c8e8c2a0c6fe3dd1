import type { H3Event } from "h3";
import { sessions } from "../middleware/1.session";

export async function homeOf(event: H3Event) {
  const session = await sessions.open(event.node.req);
  const { subject = "nobody" } = session;
  return { user: subject, bag: [...session.keys()], flashes: session.takeFlashes() };
}
