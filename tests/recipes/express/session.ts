import { createSessions } from "madeleine";
import { session, type WithSession } from "madeleine/node";

declare global {
  namespace Express {
    interface Request extends WithSession {}
  }
}

export const middleware = session(createSessions({ secretKey: process.env["SECRET_KEY"] }));
