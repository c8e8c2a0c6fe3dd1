import { protect } from "madeleine/origin";
import { type NextRequest, NextResponse } from "next/server";
import { sessions } from "./session";

/** Refuses other sites' forms. A page takes its flashes, and renews a session that is half over. */
export const proxy = protect(async (request: NextRequest) => {
  if (request.method !== "GET") return NextResponse.next();
  const session = await sessions.open(request);
  request.headers.set("x-flashes", encodeURIComponent(JSON.stringify(session.takeFlashes())));
  return sessions.commit(session, NextResponse.next({ request }));
});

/** Pages alone, and not those that are fetched ahead. */
export const config = {
  matcher: [{ source: "/((?!_).*)", missing: [{ type: "header", key: "next-router-prefetch" }] }],
};
