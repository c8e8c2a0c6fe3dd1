import { createSessions } from "madeleine";
import { type Data, KEY, loginPage } from "./app.ts";
import { runCases } from "./cases.ts";

// Made while the module loads, and used by every request, as in an app.
const page = loginPage(createSessions<Data>({ secretKey: KEY }));

export default {
  async fetch(request: Request): Promise<Response> {
    return request.url.endsWith("/cases") ? Response.json(await runCases()) : page(request);
  },
};
