import { createMiddleware } from "hono/factory";
import { createSessions, type Session } from "madeleine";

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });

export const session = createMiddleware<{ Variables: { session: Session } }>(async (c, next) => {
  c.set("session", await sessions.open(c.req.raw));
  await next();
  const response = c.error ? c.res : await sessions.commit(c.var.session, c.res);
  c.res = undefined; // Otherwise Hono puts the first response's cookies in place of ours.
  c.res = response;
});
