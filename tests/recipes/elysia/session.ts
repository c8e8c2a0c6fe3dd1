import { Elysia } from "elysia";
import { createSessions } from "madeleine";

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });
const checked = (value: unknown) => (value instanceof Response ? value : Response.error());

export const session = new Elysia({ name: "session" })
  .wrap((fetch) => sessions.handler(async (request) => checked(await fetch(request))))
  .derive({ as: "global" }, async ({ request }) => ({ session: await sessions.open(request) }));
