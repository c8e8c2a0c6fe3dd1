import { createSessions } from "madeleine";

export const sessions = createSessions({ secretKey: Deno.env.get("SECRET_KEY") });
