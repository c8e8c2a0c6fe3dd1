import { sessions } from "../middleware/1.session";

export default defineEventHandler(async (event) => {
  const session = await sessions.open(event.node.req);
  const username = String((await readFormData(event)).get("username") ?? "");
  if (username === "") throw createError({ statusCode: 400, message: "Who are you?" });
  session.signIn(username); // Check the password before.
  session.flash(`Welcome, ${username}`);
  setCookie(event, "theme", "dark");
  return sendRedirect(event, "/", 303);
});
