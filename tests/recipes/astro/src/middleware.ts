import { defineMiddleware } from "astro:middleware";
import { sessions } from "./session.ts";

export const onRequest = defineMiddleware(({ request }, next) =>
  sessions.handler(() => next())(request),
);
