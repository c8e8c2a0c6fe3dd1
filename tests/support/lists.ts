import type { App } from "./app.ts";
import { claimsOf } from "./jws.ts";

/** What the list calls the session of a cookie. */
export function refOf(cookie: string): string {
  return String(claimsOf(cookie)["sid"]).slice(0, 12);
}

/** The refs of a subject's list, sorted. */
export async function refsOf({ sessions }: App, subject: string): Promise<string[]> {
  return (await sessions.list(subject)).map(({ ref }) => ref).toSorted();
}
