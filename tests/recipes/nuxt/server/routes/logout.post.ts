import { sessions } from "../middleware/1.session";

export default defineEventHandler(async (event) => {
  (await sessions.open(event.node.req)).destroy();
  return sendRedirect(event, "/", 303);
});
