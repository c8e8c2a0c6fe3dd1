import { createSessions, type Session } from "madeleine";
import { cookies } from "next/headers";

export const sessions = createSessions({ secretKey: () => process.env["SECRET_KEY"] });

/** Changes the session, in server actions and route handlers. */
export async function changeSession(change: (session: Session) => void) {
  const session = await sessions.open(await cookies());
  change(session);
  await sessions.commitCookie(session, await cookies());
}
