/**
 * Makes valid cookies of different sessions without a server, for lists too long to sign in for.
 *
 *     bun mint.ts 100000 cookies.txt ES256
 */
import { createSessions } from "../../session/mod.ts";
import { memoryStore } from "../../session/stores/memory.ts";
import { cookiePair, userName } from "./cookies.ts";
import { readSecret, redirectHome } from "./servers/page.ts";

const [count = "0", path = "", format = "HS256"] = process.argv.slice(2);
const sessions = createSessions<{ username: string }>({
  secretKey: readSecret(),
  ...(format === "ES256" && { algorithm: "ES256" }),
  ...(format === "A256GCM" && { encrypt: true }),
  store: memoryStore(),
  cookie: { secure: false },
});

let users = 0;
const signIn = sessions.handler((_request, session) => {
  const username = userName(users++);
  session.signIn(username);
  session.set("username", username);
  return redirectHome();
});

await Bun.write(path, ""); // A writer does not cut off what a longer file held before.
const writer = Bun.file(path).writer();
for (let index = 0; index < Number(count); index++) {
  const response = await signIn(new Request("http://127.0.0.1/login", { method: "POST" }));
  writer.write(`${response.headers.getSetCookie().map(cookiePair).join("; ")}\n`);
  // Without a pause now and then the whole list would wait in memory.
  if (index % 10_000 === 0) await writer.flush();
}
await writer.end();
console.log(`result ${count}`);
