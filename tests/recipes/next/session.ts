import { createSessions, type Session } from "madeleine";
import { cookies } from "next/headers";

export const sessions = createSessions({ secretKey: () => process.env["SECRET_KEY"] });

/** What server components read a session from, and actions open: it has the cookies set so far. */
export const source = async () => new Headers({ cookie: `${await cookies()}` });

/** Changes the session, in server actions and route handlers. */
export async function changeSession(change: (session: Session) => void) {
  const session = await sessions.open(await source());
  change(session);
  const cookie = await sessions.commitCookie(session);
  if (cookie !== undefined) (await cookies()).set(cookie.name, cookie.value, cookie.options);
}
