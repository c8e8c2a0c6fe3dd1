// A process that does one thing to a user's session and is killed after so many writes of the store:
// `bun killed.ts FILE COOKIE WHAT WRITES`. It exits with 0 where there are no more writes than that.
import { Database } from "bun:sqlite";
import { createSessions, type Session } from "../../session/mod.ts";
import { sqliteStore } from "../../session/stores/sqlite.ts";
import { requestWith } from "./requests.ts";
import { SECRET } from "./secrets.ts";

const [file, cookie = "", what = "", writes] = process.argv.slice(2);
const store = sqliteStore(new Database(file));
let left = Number(writes);

const sessions = createSessions({
  secretKey: SECRET,
  list: true,
  dataIn: "store",
  store: {
    get: (keys) => store.get(keys),
    replace(...change) {
      if (left === 0) process.kill(process.pid, "SIGKILL");
      left -= 1;
      return store.replace(...change);
    },
  },
});

const acts: Readonly<Record<string, (session: Session) => unknown>> = {
  login: (session) => session.signIn("ann"),
  "new id": (session) => session.regenerate(),
  logout: (session) => session.destroy(),
  "end others": (session) => sessions.endOthers(session),
};

const act = acts[what];
if (act === undefined) {
  const session = await sessions.open(requestWith(cookie));
  await sessions.end("ann", session.ref);
} else {
  const handler = sessions.handler((_request, session) => {
    act(session);
    return new Response();
  });
  await handler(requestWith(what === "login" ? "" : cookie));
}
