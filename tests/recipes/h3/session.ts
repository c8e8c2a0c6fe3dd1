import { type H3Event, type Middleware, toResponse } from "h3";
import { createSessions } from "madeleine";

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });

export const sessionOf = ({ req }: H3Event) => sessions.open(req);

export const session: Middleware = (event, next) =>
  sessions.handler(async () => toResponse(await next(), event))(event.req);
