import type { ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { equal } from "./assert.ts";
import type { Case } from "./cases.ts";
import {
  cookiesOf,
  dataOf,
  type Framework,
  MEGABYTE,
  nodeCase,
  type Page,
  pause,
} from "./middleware_app.ts";

/** The ways to send an answer, each with what came of it at the application. */
const WAYS: Readonly<Record<string, (response: ServerResponse) => unknown>> = {
  "end(text)": (response) => response.end(MEGABYTE),
  "end(text, encoding, callback)": (response) =>
    new Promise<void>((resolve) => response.end(MEGABYTE, "latin1", resolve)),
  "write, and end": (response) => {
    response.write(MEGABYTE.slice(0, 9));
    response.write(MEGABYTE.slice(9, 99), "utf8");
    response.end(MEGABYTE.slice(99));
  },
  "write with callbacks": async (response) => {
    const size = 100_000;
    for (let at = 0; at < MEGABYTE.length; at += size) {
      const part = Buffer.from(MEGABYTE.slice(at, at + size));
      await new Promise<void>((resolve, reject) =>
        response.write(part, (error) => (error ? reject(error) : resolve())),
      );
    }
    response.end();
  },
  "write until it says to wait, then on drain": async (response) => {
    const size = 100_000;
    for (let at = 0; at < MEGABYTE.length; at += size) {
      if (response.write(MEGABYTE.slice(at, at + size))) continue;
      await new Promise((resolve) => response.once("drain", resolve));
    }
    response.end();
  },
  "writeHead, and end": (response) =>
    response.writeHead(200, { "content-length": MEGABYTE.length }).end(MEGABYTE),
  flushHeaders: async (response) => {
    response.flushHeaders();
    await pause(5);
    response.end(MEGABYTE);
  },
  pipe: (response) => {
    Readable.from(MEGABYTE.match(/.{1,65536}/g) ?? [], { objectMode: false }).pipe(response);
  },
  pipeline: (response) => pipeline(Readable.from(MEGABYTE.match(/.{1,65536}/g) ?? []), response),
};

/** Counts the visits, and sets headers that the session's answer does not keep. */
function pageOf(answer: (response: ServerResponse) => unknown): Page {
  return async ({ session, url }, response) => {
    if (url === "/login") session.signIn("ann");
    session.set("count", Number(session.get("count", 0)) + 1);
    response.setHeader("set-cookie", "other=1");
    response.setHeader("vary", "Accept");
    response.setHeader("cache-control", "public, max-age=60");
    response.setHeader("expires", "Thu, 01 Jan 2099 00:00:00 GMT");
    await answer(response);
  };
}

/** Every way to send an answer, whole, with the cookie of what it changed. */
export function sendingCases(name: string, framework: Framework): Case[] {
  return Object.entries(WAYS).flatMap(([way, answer]) =>
    (["ready", "slow"] as const).map((store) => {
      const title = `${way}, with a store that is ${store}`;
      return nodeCase({ name, framework, title }, { page: pageOf(answer) }, async (app) => {
        await app.client.get("/login");
        app.store = store;
        const response = await app.client.get("/");
        equal(response.status, 200);
        equal(cookiesOf(response), ["other=1", "session"]);
        equal(response.headers.get("cache-control"), "no-store");
        equal(response.headers.get("vary"), "Accept, Cookie");
        equal(response.headers.get("expires"), null);
        equal((await response.text()) === MEGABYTE, true);
        equal((await dataOf(app.client))["count"], 2);
      });
    }),
  );
}
