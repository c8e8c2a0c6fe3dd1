// A process that signs one user in so often at once, as soon as it gets SIGUSR2, and prints how many of
// these logins got a cookie: `bun logins.ts STORE URL PLACE SUBJECT COUNT STORE_TIMEOUT`.
import { Database } from "bun:sqlite";
import { RedisClient, SQL } from "bun";
import { createSessions, type Store } from "../../session/mod.ts";
import { postgresStore } from "../../session/stores/postgres.ts";
import { redisStore } from "../../session/stores/redis.ts";
import { sqliteStore } from "../../session/stores/sqlite.ts";
import { cookieOf, requestWith } from "./requests.ts";
import { SECRET } from "./secrets.ts";

const [name, url = "", place = "", subject = "", count, storeTimeout] = process.argv.slice(2);

async function openStore(): Promise<Store> {
  if (name === "sqlite") return sqliteStore(new Database(url));
  if (name === "postgres") {
    return postgresStore(new SQL(url, { max: 4, connection: { search_path: place } }));
  }
  const client = new RedisClient(url);
  await client.connect();
  return redisStore(client, { prefix: place });
}

const store = await openStore();
await store.get(["begin"]);
const sessions = createSessions({
  secretKey: SECRET,
  store,
  list: true,
  storeTimeout: Number(storeTimeout),
  onEvent: () => {},
});
const login = sessions.handler((_request, session) => {
  session.signIn(subject);
  return new Response();
});

async function signInAtOnce(): Promise<void> {
  const requests = Array.from({ length: Number(count) }, async () => login(requestWith()));
  const answers = await Promise.all(requests);
  console.log(answers.filter((answer) => cookieOf(answer) !== undefined).length);
  process.exit();
}

setInterval(() => {}, 1000); // Keeps the process waiting.
process.once("SIGUSR2", () => void signInAtOnce());
console.log("ready");
