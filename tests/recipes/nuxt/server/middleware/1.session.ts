import { createSessions } from "madeleine";
import { session } from "madeleine/node";

export const sessions = createSessions({ secretKey: () => process.env["SECRET_KEY"] });

export default fromNodeMiddleware((request, response, next) =>
  session(sessions)(request, response, (error) => {
    if (error === undefined) return next();
    console.error(error);
    response.writeHead(500).end();
  }),
);
