import { Readable } from "node:stream";
import { session as sessionMiddleware } from "madeleine/node";
import { NAME } from "./app.ts";
import { equal } from "./assert.ts";
import type { Case } from "./cases.ts";
import {
  abort,
  codeOf,
  cookiesOf,
  dataOf,
  type Framework,
  headOf,
  MEGABYTE,
  nodeCase,
  type NodeAppOptions,
  type Page,
  pause,
  serveNode,
  type TestCase,
} from "./middleware_app.ts";

const EVIL = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };

/** Signs in at `/login`, and leaves the rest to the page. */
function behindLogin(page: Page): Page {
  return (request, response, next) => {
    if (request.url !== "/login") return page(request, response, next);
    request.session.signIn("ann");
    request.session.set("username", "ann");
    return response.end("Welcome");
  };
}

/** What holds of the middleware in every framework. */
export function middlewareCases(name: string, framework: Framework): Case[] {
  const testCase: TestCase = (title, given, run) =>
    nodeCase({ name, framework, title }, given, run);

  /** What the last page saw. */
  let seen: unknown[] = [];

  return [
    testCase(
      "a session that is only read delays nothing",
      {
        page({ session, url }, response) {
          if (url === "/read") response.setHeader("x-user", String(session.subject));
          response.end("Hello");
          seen = [Object.hasOwn(response, "headersSent"), response.headersSent];
          seen.push(response.writableEnded);
        },
      },
      async ({ client }) => {
        for (const [path, vary] of [
          ["/", null],
          ["/read", "Cookie"],
        ] as const) {
          const response = await client.get(path);
          equal([await response.text(), response.headers.get("vary")], ["Hello", vary]);
          equal(cookiesOf(response), []);
          equal(response.headers.get("cache-control"), null);
          equal(seen, [false, true, true]);
        }
      },
    ),
    testCase(
      "headers and status of writeHead, in each of its forms",
      {
        page({ session, url }, response) {
          if (url !== "/read") session.set("a", 1);
          const cookies = ["Set-Cookie", "a=1", "Set-Cookie", "b=2", "X-Name", "c"];
          if (url === "/reason") response.writeHead(201, "Fine", { "x-name": "c" });
          else if (url === "/list") response.writeHead(201, cookies);
          else response.writeHead(201, { "Set-Cookie": ["a=1", "b=2"], "x-name": "c" });
          response.end();
        },
      },
      async ({ visitor }) => {
        const reason = await visitor().get("/reason");
        equal([reason.status, reason.statusText], [201, "Fine"]);
        equal([reason.headers.get("x-name"), cookiesOf(reason)], ["c", ["session"]]);
        for (const path of ["/list", "/object"]) {
          const response = await visitor().get(path);
          equal([response.status, response.headers.get("x-name")], [201, "c"]);
          equal(cookiesOf(response), ["a=1", "b=2", "session"]);
        }
        equal(cookiesOf(await visitor().get("/read")), ["a=1", "b=2"]);
      },
    ),
    testCase(
      "what comes after the answer is no second one",
      {
        page({ session, url }, response) {
          session.set(String(url), 1);
          if (url === "/head") response.writeHead(201, { "x-name": "first" });
          else response.setHeader("x-name", "first");
          const result = url === "/head" ? undefined : response.end("First");
          seen = [response.headersSent, response.writableEnded, result === response];
          response.statusCode = 500;
          for (const change of [
            () => response.setHeader("x-name", "second"),
            () => response.appendHeader("x-name", "second"),
            () => response.removeHeader("x-name"),
            () => response.writeHead(500, { "x-name": "second" }),
          ]) {
            try {
              change();
              seen.push("changed");
            } catch (error) {
              seen.push(codeOf(error));
            }
          }
          // What older versions of `compression` call as long as no header is made.
          const makeHeader: unknown = Reflect.get(response, "_implicitHeader");
          if (typeof makeHeader === "function") Reflect.apply(makeHeader, response, []);
          if (url === "/head") response.end("First");
          response.end();
        },
      },
      async ({ client }) => {
        const refused = Array.from({ length: 4 }, () => "ERR_HTTP_HEADERS_SENT");
        const whole = await client.get("/");
        equal([whole.status, await whole.text()], [200, "First"]);
        equal([whole.headers.get("x-name"), cookiesOf(whole)], ["first", ["session"]]);
        equal(seen, [true, true, true, ...refused]);
        const begun = await client.get("/head");
        equal([begun.status, await begun.text()], [201, "First"]);
        equal(begun.headers.get("x-name"), "first");
        equal(seen, [true, false, false, ...refused]);
      },
    ),
    testCase(
      "signed in, changed by two requests at once, signed out",
      {
        page: behindLogin(async ({ session, url = "" }, response) => {
          if (url === "/logout") session.destroy();
          const key = new URL(url, "http://localhost").searchParams.get("set");
          if (key !== null) session.set(key, true);
          await pause(key === null ? 0 : 10);
          response.end(JSON.stringify({ user: session.subject, ...session.toJSON() }));
        }),
      },
      async ({ client, visitor, origin }) => {
        equal(cookiesOf(await client.get("/login")), ["session"]);
        const copy = client.cookie(NAME)?.value;
        await Promise.all([client.get("/?set=a"), client.get("/?set=b")]);
        const text = await (await client.get("/")).text();
        equal(JSON.parse(text), { user: "ann", username: "ann", a: true, b: true });
        equal(cookiesOf(await client.get("/")), []);
        await client.get("/logout");
        equal(client.cookies(), []);
        const other = visitor();
        other.setCookie(`${NAME}=${copy}; Path=/; HttpOnly; Secure`, origin);
        equal(await (await other.get("/")).text(), "{}");
      },
    ),
    testCase(
      "a client that follows a redirect at once is signed in, 200 times",
      {
        page({ session, url }, response) {
          if (url !== "/login") {
            response.end(String(session.get("username")));
            return;
          }
          session.signIn("ann");
          session.set("username", String(Number(session.get("username", "0")) + 1));
          response.writeHead(303, { location: "/" }).end("See /");
        },
      },
      async ({ port }) => {
        let cookie = "";
        for (let time = 1; time <= 200; time += 1) {
          const head = await headOf(port, "/login", cookie);
          cookie = /set-cookie: ([^;]+)/i.exec(head)?.[1] ?? "none";
          equal(/^HTTP\/1.1 303/.test(head), true);
          const answer = await headOf(port, "/", cookie, "close");
          equal(answer.slice(answer.indexOf("\r\n\r\n") + 4).includes(String(time)), true);
        }
      },
    ),
    testCase(
      "after the commit the session is sealed",
      {
        async page({ session }, response) {
          session.set("a", 1);
          response.write("a");
          await pause(20);
          try {
            session.set("b", 2);
            response.end("changed");
          } catch (error) {
            response.end(codeOf(error));
          }
        },
      },
      async ({ client }) => {
        equal(await (await client.get("/")).text(), "aERR_SESSION_COMMITTED");
        equal(await dataOf(client), { a: 1 });
      },
    ),
    testCase(
      "a store that is down is a 503 before the page",
      { page: behindLogin((_request, response) => response.end("Never")) },
      async (app) => {
        await app.client.get("/login");
        app.store = "down";
        const response = await app.client.get("/");
        equal([response.status, response.headers.get("retry-after")], [503, "2"]);
        equal(await response.text(), "The service is busy. Please try again in a moment.\n");
      },
    ),
    testCase(
      "a store that fails the commit is a 503, and nothing of the answer is sent",
      {
        page: behindLogin(async ({ session }, response) => {
          session.set("a", 1);
          response.setHeader("content-length", "5");
          response.setHeader("content-encoding", "identity");
          response.setHeader("content-security-policy", "default-src 'self'");
          response.setHeader("etag", '"1"');
          response.setHeader("location", "/away");
          const error = await new Promise((resolve) => response.write("Never", resolve));
          seen = [codeOf(error)];
          response.write("Never");
          response.end("Never");
        }),
      },
      async (app) => {
        await app.client.get("/login");
        app.store = "down for writes";
        const response = await app.client.get("/");
        equal([response.status, response.headers.get("retry-after")], [503, "2"]);
        equal(await response.text(), "The service is busy. Please try again in a moment.\n");
        for (const header of ["etag", "location", "content-encoding"]) {
          equal([header, response.headers.get(header)], [header, null]);
        }
        equal(response.headers.get("content-security-policy"), "default-src 'self'");
        equal([cookiesOf(response), seen], [[], ["ERR_SESSION_STORE"]]);
        app.store = "ready";
        equal(await dataOf(app.client), { username: "ann" });
      },
    ),
    testCase(
      "a commit that fails otherwise goes to the error page, whatever the page sends after it",
      {
        page({ session, url }, response) {
          const value: unknown[] = [];
          session.set("list", value);
          if (url === "/large")
            value.push(...Array.from({ length: 200 }, () => crypto.randomUUID()));
          else value.push(() => {});
          response.setHeader("etag", '"1"');
          response.setHeader("content-length", "10");
          response.write("Never");
          response.write("Never");
          response.end();
          setTimeout(() => response.write("Never"), 20);
        },
      },
      async ({ client }) => {
        for (const [path, code] of [
          ["/large", "ERR_SESSION_TOO_LARGE"],
          ["/function", "ERR_SESSION_VALUE"],
        ]) {
          const response = await client.get(path ?? "");
          equal([response.status, await response.text()], [500, `Failed: ${code}`]);
          equal([cookiesOf(response), response.headers.get("etag")], [[], null]);
          await pause(30);
        }
      },
    ),
    testCase(
      "an error page commits, whether its error was thrown or passed on",
      {
        page({ session, url }, _response, next) {
          session.set("url", String(url));
          const error = new Error("wrong");
          if (url === "/thrown") throw error;
          next(error);
        },
      },
      async ({ client }) => {
        for (const path of ["/thrown", "/passed"]) {
          const response = await client.get(path);
          equal([response.status, await response.text()], [500, "Failed: wrong"]);
          equal([cookiesOf(response), await dataOf(client)], [["session"], { url: path }]);
        }
      },
    ),
    testCase(
      "a change from a page of another site is refused before the page",
      { page: (_request, response) => response.end("Never") },
      async ({ client, events }) => {
        const response = await client.post("/", { a: "1" }, { headers: EVIL });
        equal(response.status, 403);
        equal(
          await response.text(),
          "Cannot take this request: it came from a page of another site\n",
        );
        equal(response.headers.get("cache-control"), "no-store");
        equal(events, [{ type: "refused-origin", reason: "cross-site" }]);
        const handshake = await client.get("/", { headers: { ...EVIL, upgrade: "websocket" } });
        equal(handshake.status, 403);
      },
    ),
    testCase(
      "a change from a page of our own, or of a trusted site, is not",
      {
        page: (_request, response) => response.end("Done"),
        options: { origin: { trustedOrigins: ["https://pay.example"] } },
      },
      async ({ client, origin }) => {
        for (const own of [origin, "https://pay.example"]) {
          equal(
            (await client.post("/", {}, { headers: { origin: own, "sec-fetch-site": "" } })).status,
            200,
          );
        }
        const { status } = await client.post("/", {}, { headers: EVIL });
        equal(status, 403);
      },
    ),
    testCase(
      "without the check every origin passes",
      { page: (_request, response) => response.end("Done"), origin: false },
      async ({ client, events }) => {
        equal((await client.post("/", {}, { headers: EVIL })).status, 200);
        equal(events, []);
      },
    ),
    testCase(
      "HEAD has the cookie, and no body",
      {
        page({ session }, response) {
          session.set("a", 1);
          response.setHeader("content-length", "5");
          response.end("Hello");
        },
      },
      async ({ client }) => {
        const response = await client.fetch("/", { method: "HEAD" });
        equal([response.status, await response.text()], [200, ""]);
        equal([response.headers.get("content-length"), cookiesOf(response)], ["5", ["session"]]);
      },
    ),
    testCase(
      "a client that goes away during the commit breaks nothing, and its change holds",
      {
        page: behindLogin(({ session, url }, response) => {
          if (url === "/") {
            response.end(String(session.get("gone")));
            return;
          }
          session.set("gone", true);
          response.on("error", (error) => (seen = [error]));
          Readable.from(MEGABYTE.match(/.{1,65536}/g) ?? []).pipe(response);
        }),
      },
      async (app) => {
        seen = [];
        await app.client.get("/login");
        const cookie = `${NAME}=${app.client.cookie(NAME)?.value}`;
        app.store = "slow";
        await abort(app.port, "/gone", cookie, 25);
        await pause(60);
        equal(await (await app.client.get("/")).text(), "true");
        equal(seen, []);
      },
    ),
    testCase(
      "a client that goes away before the answer breaks nothing",
      {
        async page({ session, url }, response) {
          session.set("a", 1);
          await pause(url === "/gone" ? 30 : 0);
          response.write("Hello");
          response.end();
        },
      },
      async (app) => {
        await abort(app.port, "/gone", "a=1", 10);
        await pause(40);
        equal((await app.client.get("/")).status, 200);
      },
    ),
    {
      name: `${name}: the middleware used twice commits once`,
      async run() {
        const after: NodeAppOptions["after"] = [
          (request, response, next) => second(request, response, next),
        ];
        await using app = await serveNode({
          framework,
          after,
          page({ session }, response) {
            session.set("a", 1);
            response.end();
          },
        });
        const second = sessionMiddleware(app.sessions);
        equal(cookiesOf(await app.client.get("/")), ["session"]);
      },
    },
  ];
}
