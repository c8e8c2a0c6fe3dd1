import type { onRequestHookHandler } from "fastify";
import { createSessions } from "madeleine";
import { session, type WithSession } from "madeleine/node";

declare module "fastify" {
  interface FastifyRequest extends WithSession {}
}

const middleware = session(createSessions({ secretKey: process.env["SECRET_KEY"] }));

export const keepSession: onRequestHookHandler = (request, reply, done) =>
  middleware(request, reply.raw, (error) => (error === undefined ? done() : reply.send(error)));
