import { sessions } from "../middleware/1.session";

export default defineEventHandler(async (event) => {
  const session = await sessions.open(event.node.req);
  session.set(String((await readFormData(event)).get("item")), 1);
  return sendRedirect(event, "/", 303);
});
