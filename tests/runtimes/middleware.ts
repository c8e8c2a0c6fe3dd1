/** `madeleine/node` in real Express 4 and 5, Connect, Polka and Fastify, and beside their usual middlewares. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import bodyParser from "body-parser";
import compression from "compression";
import connect from "connect";
import express4 from "express-4";
import express5 from "express-5";
import { createSessions } from "madeleine";
import { session, type WithSession } from "madeleine/node";
import polka from "polka";
import { type Data, KEY, NAME } from "./app.ts";
import { equal } from "./assert.ts";
import { type Case, runCases } from "./cases.ts";
import {
  errorPage,
  type Framework,
  type Middleware,
  type NodeApp,
  type Page,
  plain,
  serveNode,
} from "./middleware_app.ts";
import { fastifyCases } from "./middleware_fastify.ts";
import { middlewareCases } from "./middleware_cases.ts";
import { sendingCases } from "./middleware_ways.ts";

declare global {
  namespace Express {
    interface Request extends WithSession<Data> {}
  }
}

const frameworks: Readonly<Record<string, Framework>> = {
  "node:http": plain,
  "Express 4": (middlewares) => {
    const app = express4();
    for (const middleware of middlewares) app.use(middleware);
    const answerError: express4.ErrorRequestHandler = (error, request, response, next) =>
      response.headersSent ? next(error) : errorPage(error, request, response);
    return app.use(answerError);
  },
  "Express 5": (middlewares) => {
    const app = express5();
    for (const middleware of middlewares) app.use(middleware);
    const answerError: express5.ErrorRequestHandler = (error, request, response, next) =>
      response.headersSent ? next(error) : errorPage(error, request, response);
    return app.use(answerError);
  },
  Connect: (middlewares) => {
    const app = connect();
    for (const middleware of middlewares) app.use(middleware);
    const answerError: connect.ErrorHandleFunction = (error, request, response, next) =>
      response.headersSent ? next(error) : errorPage(error, request, response);
    return app.use(answerError);
  },
  Polka: (middlewares) => {
    const app = polka({ onError: errorPage });
    for (const middleware of middlewares) app.use(middleware);
    // Its types want a request as Polka has made it.
    return (request, response) => void Reflect.apply(app.handler, app, [request, response]);
  },
};

const WORDS = "All work and no play makes Jack a dull boy. ".repeat(20_000);
const folder = process.cwd();
const file = join(folder, "words.txt");
writeFileSync(file, WORDS);

function sessionLines(response: Response): string[] {
  return response.headers
    .getSetCookie()
    .map((line) => line.split("=", 1)[0] ?? "")
    .map((name) => (name === NAME ? "session" : name));
}

/** Beside body parsers and `compression`, in front of ours and behind it. */
function besides(name: string, framework: Framework): Case[] {
  const compress = compression();
  const zip: Middleware = (...args) => void Reflect.apply(compress, undefined, args);
  const parse: Middleware = bodyParser.urlencoded({ extended: false });
  const page: Page = (request, response) => {
    const body: unknown = Reflect.get(request, "body");
    const username: unknown =
      typeof body === "object" && body !== null && Reflect.get(body, "username");
    request.session.signIn(String(username));
    request.session.set("username", String(username));
    response.setHeader("content-type", "text/plain");
    if (request.url === "/end") response.end(WORDS);
    else if (request.url === "/write") {
      response.write(WORDS.slice(0, 9));
      response.write(WORDS.slice(9, 99));
      response.end(WORDS.slice(99));
    } else {
      // Smaller than what a stream holds before it says to wait.
      Readable.from(WORDS.match(/.{1,1000}/g) ?? []).pipe(response);
    }
  };

  async function visit(app: NodeApp, encoding: string): Promise<void> {
    await using _app = app;
    for (const store of ["ready", "slow"] as const) {
      app.store = store;
      for (const path of ["/end", "/write", "/pipe"]) {
        const headers = { "accept-encoding": encoding };
        const response = await app.client.post(path, { username: "ann" }, { headers });
        equal([response.status, sessionLines(response)], [200, ["session"]]);
        equal(response.headers.get("content-encoding"), encoding === "gzip" ? "gzip" : null);
        const unzip = new DecompressionStream("gzip");
        const body = encoding === "gzip" ? response.body?.pipeThrough(unzip) : response.body;
        equal((await new Response(body ?? null).text()) === WORDS, true);
        equal(await app.client.session((session) => session.toJSON()), { username: "ann" });
      }
    }
  }

  return ["gzip", "identity"].flatMap((encoding) => [
    {
      name: `${name}: body parser and compression before, ${encoding}`,
      run: async () => visit(await serveNode({ framework, page, before: [zip, parse] }), encoding),
    },
    {
      name: `${name}: body parser and compression after, ${encoding}`,
      run: async () => visit(await serveNode({ framework, page, after: [zip, parse] }), encoding),
    },
  ]);
}

/** Every way in which Express answers. */
function expressCases(name: string, createApp: () => express5.Express): Case[] {
  const WAYS: Readonly<Record<string, [express5.RequestHandler, string, string]>> = {
    send: [(_request, response) => void response.send("<p>é"), "<p>é", "text/html; charset=utf-8"],
    "send(bytes)": [
      (_request, response) => void response.send(Buffer.from("é")),
      "é",
      "application/octet-stream",
    ],
    json: [
      (_request, response) => void response.json({ a: "é" }),
      '{"a":"é"}',
      "application/json; charset=utf-8",
    ],
    sendStatus: [
      (_request, response) => void response.sendStatus(201),
      "Created",
      "text/plain; charset=utf-8",
    ],
    render: [
      (_request, response) => response.render("words.txt", { name: "Ann" }),
      "Hello Ann",
      "text/html; charset=utf-8",
    ],
    sendFile: [
      (_request, response) => response.sendFile("words.txt", { root: folder }),
      WORDS,
      "text/plain; charset=utf-8",
    ],
    download: [(_request, response) => response.download(file), WORDS, "text/plain; charset=utf-8"],
    redirect: [
      (_request, response) => response.redirect(303, "/login"),
      "See Other. Redirecting to /login",
      "text/plain; charset=utf-8",
    ],
    stream: [
      (_request, response) => void Readable.from(["a", "b"]).pipe(response.type("txt")),
      "ab",
      "text/plain; charset=utf-8",
    ],
  };

  return Object.entries(WAYS).flatMap(([way, [answer, text, type]]) =>
    (["ready", "slow", "down for writes"] as const).map((store) => ({
      name: `${name}: ${way}, with a store that is ${store}`,
      async run() {
        const framework: Framework = (middlewares) => {
          const app = createApp();
          app.set("view engine", "txt").set("views", folder);
          app.engine("txt", (_path: string, options: object, callback) =>
            callback(null, `Hello ${String(Reflect.get(options, "name"))}`),
          );
          for (const middleware of middlewares) app.use(middleware);
          app.get("/login", (request, response) => {
            request.session.signIn("ann");
            response.send("Welcome");
          });
          app.get("/", (request, response, next) => {
            request.session.set("count", Number(request.session.get("count", 0)) + 1);
            response.cookie("other", "1").vary("Accept");
            return answer(request, response, next);
          });
          return app;
        };
        const page: Page = (_request, _response, next) => next();
        await using app = await serveNode({ framework, page });
        await app.client.get("/login");
        app.store = store;
        const init: RequestInit = { redirect: "manual", headers: { accept: "text/plain" } };
        if (store === "down for writes") {
          const response = await app.client.get("/", init);
          equal([response.status, response.headers.get("retry-after")], [503, "2"]);
          equal(await response.text(), "The service is busy. Please try again in a moment.\n");
          return;
        }
        for (const method of ["GET", "HEAD"]) {
          const response = await app.client.fetch("/", { ...init, method });
          equal(response.headers.get("content-type")?.toLowerCase(), type);
          equal(sessionLines(response), ["other", "session"]);
          equal(response.headers.get("vary")?.startsWith("Accept, Cookie"), true);
          equal(response.headers.get("cache-control"), "no-store");
          equal((await response.text()) === (method === "GET" ? text : ""), true);
        }
        equal(await app.client.session((session) => session.get("count")), 2);
      },
    })),
  );
}

/** Polka's own error page throws for an error whose code is a word, and its `next` what a page throws. */
const polkaCases: Case[] = (["ready", "slow"] as const).map((store) => ({
  name: `Polka: its own error page, with a store that is ${store}`,
  async run() {
    const framework: Framework = (middlewares) => {
      const app = polka();
      for (const middleware of middlewares) app.use(middleware);
      return (request, response) => void Reflect.apply(app.handler, app, [request, response]);
    };
    const page: Page = ({ session, url }, response) => {
      if (url === "/login") session.signIn("ann");
      if (url === "/thrown") throw new Error("wrong");
      if (url === "/code") throw Object.assign(new Error("wrong"), { code: "ERR_WRONG" });
      if (url === "/commit") session.set("list", [() => {}]);
      response.end("Fine");
    };
    await using app = await serveNode({ framework, page });
    await app.client.get("/login");
    app.store = store;
    for (const path of ["/thrown", "/code", "/commit"]) {
      equal([path, (await app.client.get(path)).status], [path, 500]);
    }
    equal(await (await app.client.get("/")).text(), "Fine");
  },
}));

/** Express 4, where it is like Express 5. */
function likeExpress5(): express5.Express;
function likeExpress5(): unknown {
  return express4();
}

/** The types of a user's app: these lines compile without a cast. */
export function typed(): void {
  const sessions = createSessions<Data>({ secretKey: KEY });
  const middleware = session(sessions);
  express4().use(middleware).use("/admin", middleware);
  express5()
    .use(middleware)
    .get("/", middleware, (request, response) => {
      response.send(`You are ${request.session.subject ?? "nobody"}`);
    });
  connect().use(middleware);
  polka().use(middleware);
}

const all = Object.entries(frameworks).flatMap(([name, framework]) => [
  ...sendingCases(name, framework),
  ...middlewareCases(name, framework),
  ...besides(name, framework),
]);
const cases = [
  ...all,
  ...polkaCases,
  ...fastifyCases,
  ...expressCases("Express 4", likeExpress5),
  ...expressCases("Express 5", express5),
];
const words = process.argv.slice(2);
const chosen = cases.filter(({ name }) => words.every((word) => name.includes(word)));
console.log(JSON.stringify(await runCases(chosen)));
