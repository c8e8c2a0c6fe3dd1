/**
 * An instance of an app whose store is on several machines: `bun instance.ts CONFIG`. It has two kinds
 * of sessions, with the data in the cookie and with the data in the store.
 *
 * @module
 */
import { SQL } from "bun";
import { createSessions } from "../../session/mod.ts";
import { postgresStore } from "../../session/stores/postgres.ts";
import { redisStore } from "../../session/stores/redis.ts";
import type { Store } from "../../session/stores/store.ts";
import { KEY } from "../support/instance.ts";
import { type Address, loadIoredis, replicated } from "./ioredis.ts";

/** Whose answers wait for a replica: nobody's, those of `replace`, or all. */
export type Wait = "nothing" | "writes" | "everything";

export type InstanceConfig =
  | {
      readonly kind: "redis";
      readonly nodes: readonly Address[];
      readonly natMap: Readonly<Record<string, Address>>;
      readonly wait: Wait;
    }
  | { readonly kind: "postgres"; readonly url: string };

export const PLACES = ["cookie", "store"] as const;
/** Where a session's data is. */
export type Place = (typeof PLACES)[number];

/** What an instance says of a session. */
export interface Seen {
  readonly user: string | null;
  readonly count: number | null;
}

async function openStore(config: InstanceConfig): Promise<Store> {
  if (config.kind === "postgres") {
    return postgresStore(new SQL(config.url, { connectionTimeout: 1 }));
  }
  const { nodes, natMap, wait } = config;
  const cluster = new (loadIoredis().Cluster)(nodes, {
    natMap,
    lazyConnect: true,
    // Not `enableOfflineQueue: false`: then a pipeline that finds no connection can leave one of its
    // commands in the queue of another connection, whose answers are then one off for ever.
    // A pipeline does not follow a redirection. Without it nobody would look for the new master.
    slotsRefreshInterval: 1000,
    redisOptions: { connectTimeout: 1000, commandTimeout: 1000 },
  });
  cluster.on("error", () => {});
  await cluster.connect();
  const plain = redisStore({ send: (command, args) => cluster.call(command, ...args) });
  const safe = redisStore(replicated(cluster));
  const reader = wait === "everything" ? safe : plain;
  const writer = wait === "nothing" ? plain : safe;
  return {
    get: (keys) => reader.get(keys),
    replace: (...change) => writer.replace(...change),
  };
}

function createApp(
  store: Store,
  dataIn: Place,
): (request: Request) => Response | Promise<Response> {
  const sessions = createSessions<{ count: number }>({
    secretKey: KEY,
    store,
    dataIn,
    cookie: { name: dataIn },
    origin: false,
    onEvent: () => {},
  });
  return sessions.handler((request, session) => {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname.endsWith("/login")) {
      session.signIn(searchParams.get("user") ?? "");
      session.set("count", 0);
      return new Response(null, { status: 303, headers: { location: "/" } });
    }
    if (pathname.endsWith("/change")) {
      if (session.subject === undefined) return new Response("Sign in", { status: 401 });
      session.set("count", Number(searchParams.get("count")));
      return new Response("Changed");
    }
    if (pathname.endsWith("/logout")) {
      session.destroy();
      return new Response(null, { status: 303, headers: { location: "/" } });
    }
    const seen: Seen = { user: session.subject ?? null, count: session.get("count") ?? null };
    return Response.json(seen);
  });
}

if (import.meta.main) {
  const parse: (text: string) => InstanceConfig = JSON.parse;
  const store = await openStore(parse(process.argv[2] ?? ""));
  const apps = { cookie: createApp(store, "cookie"), store: createApp(store, "store") };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) =>
      new URL(request.url).pathname.startsWith("/store/")
        ? apps.store(request)
        : apps.cookie(request),
  });
  console.log(`Listening on ${server.url.origin}`);
}
