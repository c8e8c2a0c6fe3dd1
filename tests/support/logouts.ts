// An instance that logs users out for ever, and prints the cookie of each logout that it answered.
import { Database } from "bun:sqlite";
import { createSessions } from "../../session/mod.ts";
import { sqliteStore } from "../../session/stores/sqlite.ts";
import { cookieOf, requestWith } from "./requests.ts";
import { SECRET } from "./secrets.ts";

const sessions = createSessions({
  secretKey: SECRET,
  store: sqliteStore(new Database(process.argv[2])),
});
const login = sessions.handler((_request, session) => {
  session.set("username", "admin");
  return new Response();
});
const logout = sessions.handler((_request, session) => {
  session.destroy();
  return new Response();
});
for (;;) {
  const cookie = cookieOf(await login(requestWith()));
  const { status } = await logout(requestWith(cookie));
  if (status === 200) console.log(cookie);
}
