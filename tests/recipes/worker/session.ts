import { env } from "cloudflare:workers";
import { createSessions } from "madeleine";
import { store } from "./store.ts";

export const sessions = createSessions({ secretKey: () => env.SECRET_KEY, store });
