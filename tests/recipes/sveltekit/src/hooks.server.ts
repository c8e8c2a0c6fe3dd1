import type { Handle } from "@sveltejs/kit/hooks";
import { sessions } from "./session.server.ts";

export const handle: Handle = ({ event, resolve }) =>
  sessions.handler(() => resolve(event))(event.request);
