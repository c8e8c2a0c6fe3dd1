import { createSessions, type Session } from "madeleine";
import { createContext, type MiddlewareFunction } from "react-router";

const sessions = createSessions({ secretKey: () => process.env["SECRET_KEY"] });

export const sessionContext = createContext<Session>();
export const keepSession: MiddlewareFunction<Response> = ({ request, context }, next) =>
  sessions.handler((_request, session) => {
    context.set(sessionContext, session);
    return next();
  })(request);
