/** Every export with its types, as an app's compiler finds them. Never run. */

import { Database } from "bun:sqlite";
import { RedisClient, SQL } from "bun";
import { createSessions, type Store } from "madeleine";
import { flaskCookie } from "madeleine/flask";
import { protect } from "madeleine/origin";
import { memoryStore } from "madeleine/stores/memory";
import { postgresStore } from "madeleine/stores/postgres";
import { redisStore } from "madeleine/stores/redis";
import { sqliteStore } from "madeleine/stores/sqlite";
import { createVerifier, type ReadonlySession, type Verifier } from "madeleine/verify";
import { type Client, createClient } from "madeleine/testing";

export const stores: Store[] = [
  memoryStore(),
  postgresStore(new SQL("")),
  redisStore(new RedisClient()),
  sqliteStore(new Database()),
];

const sessions = createSessions<{ count: number }>({
  secretKey: "",
  adopt: flaskCookie({ secretKey: "", parse: () => ({ count: 1 }) }),
});

export const handler: (request: Request) => Response | Promise<Response> = protect(
  sessions.handler((_request, session) => {
    const count: number | undefined = session.get("count");
    // @ts-expect-error A name of no key.
    session.get("counts");
    // @ts-expect-error A value of another type.
    session.set("count", "1");
    return new Response(`${count}`);
  }),
);

const verifier: Verifier<{ count: number }> = createVerifier({
  keys: new URL("https://a.example"),
});

export const count = async (request: Request): Promise<number | undefined> => {
  const session: ReadonlySession<{ count: number }> | undefined = await verifier.read(request);
  // @ts-expect-error A name of no key.
  session?.get("counts");
  return session?.get("count");
};

export const client: Client = createClient(handler);
