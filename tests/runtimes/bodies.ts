/**
 * What a browser gets of each kind of body, over a socket: with a session the same as without one.
 *
 * @module
 */
import { createSessions } from "madeleine";
import { type Data, KEY } from "./app.ts";
import { equal } from "./assert.ts";
import type { Case } from "./cases.ts";

/** What Bun has beside Web APIs. */
declare const Bun: { file(path: string): Blob } | undefined;

/** Makes a response. `origin` is where this server is. */
type Make = (origin: string) => Response | Promise<Response>;

const TEXT = "Grüße 日本 🍵";
const DAY = 24 * 60 * 60 * 1000;

const html = { "content-type": "text/html" };

const kinds: Readonly<Record<string, Make>> = {
  "ASCII text": () => new Response("text"),
  "Latin-1 text": () => new Response("Grüße"),
  text: () => new Response(TEXT),
  "text with a header": () => new Response(TEXT, { status: 201, headers: { "x-a": "1" } }),
  "text of an error": () => new Response(TEXT, { status: 404 }),
  "text of a redirect": () => new Response("text", { status: 303, headers: { location: "/" } }),
  HTML: () => new Response(`<p>${TEXT}`, { headers: html }),
  JSON: () => Response.json({ text: TEXT }),
  bytes: () => new Response(bytesOf(TEXT)),
  "typed bytes": () => new Response(bytesOf(TEXT), { headers: { "content-type": "image/png" } }),
  "an ArrayBuffer": () => new Response(bytesOf(TEXT).buffer),
  "a blob": () => new Response(new Blob([TEXT])),
  "a typed blob": () => new Response(new Blob([TEXT], { type: "text/css" })),
  "URL parameters": () => new Response(new URLSearchParams({ text: TEXT })),
  "form data": () => new Response(form()),
  "a stream": () => new Response(stream()),
  "a typed stream": () =>
    new Response(stream(), { headers: { "content-type": "text/event-stream" } }),
  "a blob's stream": () => new Response(new Blob([TEXT]).stream()),
  "an empty text": () => new Response(""),
  "an empty page": () => new Response("", { headers: html }),
  "no bytes": () => new Response(new Uint8Array()),
  "an empty blob": () => new Response(new Blob([])),
  "no body": () => new Response(),
  "no body but a type": () => new Response(null, { headers: html }),
  "no body, unauthorized": () => new Response(null, { status: 401 }),
  "no content": () => new Response(null, { status: 204 }),
  "reset content": () => new Response(null, { status: 205 }),
  "not modified": () => new Response(null, { status: 304 }),
  "a redirect": (origin) => Response.redirect(`${origin}/`, 303),
  "fetched HTML": (origin) => visit(origin, "HTML", "plain"),
  "a fetched stream": (origin) => visit(origin, "a stream", "plain"),
  "a fetched answer without content": (origin) => visit(origin, "no content", "plain"),
  ...fileKinds(),
};

/** Without a body, so that any number of requests may be answered with one of them. */
const constants: Readonly<Record<string, () => Response>> = {
  "a constant": () => new Response(null),
  "a constant with a status": () => new Response(null, { status: 401 }),
  "a constant with a type": () => new Response(null, { headers: html }),
  "a constant without content": () => new Response(null, { status: 204 }),
  "a constant with a location": () =>
    new Response(null, { status: 303, headers: { location: "/" } }),
  "a constant redirect": () => Response.redirect("https://localhost/", 303),
};

/** The constants, made by the first request for each: Workers make no redirect before. */
const made = new Map<string, Response>();

function constantOf(kind: string): Response | undefined {
  const constant = made.get(kind) ?? constants[kind]?.();
  if (constant !== undefined) made.set(kind, constant);
  return constant;
}

function fileKinds(): Readonly<Record<string, Make>> {
  if (typeof Bun === "undefined") return {};
  const bun = Bun;
  const { pathname } = new URL(import.meta.url);
  return {
    "a file": () => new Response(bun.file(pathname)),
    "a typed file": () => new Response(bun.file(pathname), { headers: html }),
  };
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

function form(): FormData {
  const form = new FormData();
  form.set("text", TEXT);
  return form;
}

function stream(): ReadableStream {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytesOf(TEXT));
      controller.enqueue(bytesOf(TEXT));
      controller.close();
    },
  });
}

/** What an origin behind this server may send. Workers compress a body, unless it is `manual`. */
function compressed(): Response {
  const body = new Blob([TEXT]).stream().pipeThrough(new CompressionStream("gzip"));
  const init = { headers: { ...html, "content-encoding": "gzip" }, encodeBody: "manual" };
  return new Response(body, init);
}

type MakeOne = () => Response | Promise<Response>;
type Way = (request: Request, make: MakeOne) => Response | Promise<Response>;

const options = { secretKey: KEY, onEvent: () => {} };
const sessions = createSessions<Data>(options);
/** Five days later, so that every session gets a new cookie for its idle timeout. */
const later = createSessions<Data>({ ...options, now: () => Date.now() + 5 * DAY });

/** The ways of a response through the library. */
const ways: Readonly<Record<string, Way>> = {
  plain: (_request, make) => make(),
  read: sessions.handler((_request, session, make: MakeOne) => {
    session.has("a");
    return make();
  }),
  written: sessions.handler((_request, session, make: MakeOne) => {
    session.set("a", 1);
    return make();
  }),
  refreshed: later.handler((_request, session, make: MakeOne) => {
    session.has("a");
    return make();
  }),
  async committed(request, make) {
    const session = await sessions.open(request);
    session.set("a", 1);
    return sessions.commit(session, await make());
  },
};

/** Answers what `bodyCases` asks for. */
export function answer(request: Request): Response | Promise<Response> {
  const { origin, searchParams } = new URL(request.url);
  const kind = searchParams.get("kind") ?? "";
  const way = ways[searchParams.get("way") ?? ""];
  const shared = constantOf(kind);
  const make = shared === undefined ? kinds[kind] : () => shared;
  if (kind === "compressed") return compressed();
  if (kind === "proxied" && way !== undefined) {
    return way(request, () => visit(origin, "compressed", "plain"));
  }
  if (make === undefined || way === undefined) return new Response(null, { status: 400 });
  return way(request, () => make(origin));
}

function visit(origin: string, kind: string, way: string, cookie = ""): Promise<Response> {
  const query = new URLSearchParams({ kind, way });
  return fetch(`${origin}/bodies?${query}`, { redirect: "manual", headers: { cookie } });
}

/** What a browser shows of a response. A form's boundary is another one each time. */
async function shown(response: Response): Promise<unknown> {
  const { status, headers } = response;
  const type = headers.get("content-type") ?? "";
  const [, boundary = "none"] = /boundary=(.+)/.exec(type) ?? [];
  const text = new TextDecoder("latin1").decode(await response.arrayBuffer());
  const location = headers.get("location");
  return [status, location, type.replace(boundary, ""), text.replaceAll(boundary, "")];
}

/** Cases whose requests go over a socket to `origin`, which serves `answer`. */
export function bodyCases(origin: string): readonly Case[] {
  return [
    ...Object.keys(kinds).map((kind) => ({
      name: `${kind} is sent as without a session`,
      run: () => isSentAsWithoutSession(origin, kind),
    })),
    ...Object.keys(constants).map((kind) => ({
      name: `${kind} carries no cookie from one user to another`,
      run: () => carriesNoCookie(origin, kind),
    })),
    { name: "a page that was fetched compressed can be read", run: () => isReadable(origin) },
  ];
}

async function isSentAsWithoutSession(origin: string, kind: string): Promise<void> {
  const plain = await shown(await visit(origin, kind, "plain"));
  const [line = ""] = (await visit(origin, "text", "written")).headers.getSetCookie();
  const [cookie = ""] = line.split(";");
  for (const [way, cookies] of [
    ["read", 0],
    ["written", 1],
    ["committed", 1],
    ["refreshed", 1],
  ] as const) {
    const response = await visit(origin, kind, way, way === "refreshed" ? cookie : "");
    equal([way, response.headers.getSetCookie().length], [way, cookies]);
    equal([way, response.headers.get("vary")], [way, "Cookie"]);
    equal([way, await shown(response)], [way, plain]);
  }
}

async function carriesNoCookie(origin: string, kind: string): Promise<void> {
  const lines: string[] = [];
  for (const way of ["written", "committed", "written"]) {
    const { headers } = await visit(origin, kind, way);
    equal(headers.getSetCookie().length, 1);
    lines.push(...headers.getSetCookie());
  }
  equal(new Set(lines).size, 3);
  for (const way of ["read", "plain"]) {
    const { headers } = await visit(origin, kind, way);
    equal([headers.getSetCookie(), headers.get("cache-control")], [[], null]);
  }
}

async function isReadable(origin: string): Promise<void> {
  // Bun sends the page with the Content-Encoding that it has no longer, with a session or without.
  if (typeof Bun !== "undefined") return;
  for (const way of ["read", "written"]) {
    equal(await (await visit(origin, "proxied", way)).text(), TEXT);
  }
}
