/** `madeleine/node` as a hook of real Fastify, in every way in which Fastify answers. */

import { Readable } from "node:stream";
import { fastify, type FastifyReply } from "fastify";
import type { WithSession } from "madeleine/node";
import { type Data, NAME } from "./app.ts";
import { equal } from "./assert.ts";
import type { Case } from "./cases.ts";
import { type Framework, type NodeApp, serveNode } from "./middleware_app.ts";

declare module "fastify" {
  interface FastifyRequest extends WithSession<Data> {}
}

/** Each answer, with its text and its type. */
const WAYS: Readonly<Record<string, [(reply: FastifyReply) => unknown, string, string]>> = {
  "send(text)": [(reply) => reply.send("é"), "é", "text/plain; charset=utf-8"],
  "send(bytes)": [(reply) => reply.send(Buffer.from("é")), "é", "application/octet-stream"],
  "send(stream)": [
    (reply) => reply.type("text/plain").send(Readable.from(["a", "b"])),
    "ab",
    "text/plain",
  ],
  "an object": [async () => ({ a: "é" }), '{"a":"é"}', "application/json; charset=utf-8"],
  "raw, after hijack": [
    (reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { "content-type": "text/plain" }).end("raw");
    },
    "raw",
    "text/plain",
  ],
};

/** Fastify with the middleware as its hook, as the recipe has it, and with these routes. */
function fastifyWith(answer: (reply: FastifyReply) => unknown): Framework {
  return ([middleware]) => {
    const app = fastify();
    app.addHook("onRequest", (request, reply, done) => {
      const next = (error: unknown): unknown => (error === undefined ? done() : reply.send(error));
      if (middleware !== undefined)
        Reflect.apply(middleware, undefined, [request, reply.raw, next]);
    });
    app.get("/login", ({ session }, reply) => {
      session.signIn("ann");
      return reply.send("Welcome");
    });
    app.get("/large", async ({ session }) => {
      session.set(
        "list",
        Array.from({ length: 200 }, () => crypto.randomUUID()),
      );
      return "Fine";
    });
    app.get("/", ({ session }, reply) => {
      session.set("count", Number(session.get("count", 0)) + 1);
      return answer(reply.header("vary", "Accept").header("cache-control", "max-age=60"));
    });
    return async (request, response) => {
      await app.ready();
      app.routing(request, response);
    };
  };
}

function serve(answer: (reply: FastifyReply) => unknown): Promise<NodeApp> {
  return serveNode({ framework: fastifyWith(answer), page: () => {} });
}

function sessionLines(response: Response): number {
  return response.headers.getSetCookie().filter((line) => line.startsWith(NAME)).length;
}

const sending = Object.entries(WAYS).flatMap(([way, [answer, text, type]]) =>
  (["ready", "slow", "down for writes"] as const).map((store) => ({
    name: `Fastify: ${way}, with a store that is ${store}`,
    async run() {
      await using app = await serve(answer);
      await app.client.get("/login");
      app.store = store;
      const response = await app.client.get("/");
      if (store === "down for writes") {
        equal([response.status, sessionLines(response)], [503, 0]);
        equal(await response.text(), "The service is busy. Please try again in a moment.\n");
        return;
      }
      equal([response.status, sessionLines(response)], [200, 1]);
      equal(response.headers.get("content-type"), type);
      equal(response.headers.get("vary"), way.startsWith("raw") ? "Cookie" : "Accept, Cookie");
      equal(response.headers.get("cache-control"), "no-store");
      equal(await response.text(), text);
      equal(await app.client.session((session) => session.get("count")), 1);
    },
  })),
);

const failing = (["ready", "slow"] as const).map((store) => ({
  name: `Fastify: a commit that fails is its error, with a store that is ${store}`,
  async run() {
    await using app = await serve((reply) => reply.send("Fine"));
    await app.client.get("/login");
    app.store = store;
    const response = await app.client.get("/large");
    equal([response.status, sessionLines(response)], [500, 0]);
    equal((await response.text()).includes("ERR_SESSION_TOO_LARGE"), true);
    equal(await (await app.client.get("/")).text(), "Fine");
  },
}));

const refused: Case = {
  name: "Fastify: another site's form is refused before its body is read",
  async run() {
    await using app = await serve((reply) => reply.send("Fine"));
    const headers = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
    equal((await app.client.post("/", { a: "1" }, { headers })).status, 403);
  },
};

export const fastifyCases: readonly Case[] = [...sending, ...failing, refused];
