import { createSessions } from "madeleine";
import { type Data, KEY, loginPage } from "./app.ts";
import { answer, bodyCases } from "./bodies.ts";
import { cases, runCases } from "./cases.ts";
import { formatCases } from "./format_cases.ts";

// Made while the module loads, and used by every request, as in an app.
const page = loginPage(createSessions<Data>({ secretKey: KEY }));

export default {
  async fetch(request: Request): Promise<Response> {
    const { origin, pathname } = new URL(request.url);
    if (pathname === "/bodies") return answer(request);
    if (pathname !== "/cases") return page(request);
    return Response.json(await runCases([...cases, ...formatCases, ...bodyCases(origin)]));
  },
};
