/** The server with times that a test can wait for. */
import { serve } from "../../server.ts";

await serve(process.env, { idleTimeout: 1, drainTime: 400, stopDeadline: 5000 });
