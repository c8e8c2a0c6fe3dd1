/**
 * The session layer without HTTP, by mitata: what is added to calling the handler alone. Run by
 * `main.ts` as a process of its own; alone it prints the same as JSON.
 */
import { measure } from "mitata";
import { createSessions } from "../../session/mod.ts";
import { memoryStore } from "../../session/stores/memory.ts";
import { cookiePair, forgedList, userName } from "./cookies.ts";
import { internalCases } from "./internals.ts";
import { pageResponse, readSecret } from "./servers/page.ts";

export interface ProcessRow {
  readonly name: string;
  readonly nanoseconds: number;
  readonly p99Nanoseconds: number;
}

export type Case = readonly [name: string, run: () => unknown];

type Data = { username: string };

const [coldUsers = 20_000, minimumNanoseconds = 5e8] = process.argv.slice(2).map(Number);
const options = { secretKey: readSecret(), cookie: { secure: false } };
const sessions = createSessions<Data>({ ...options, store: memoryStore() });
const withoutStore = createSessions<Data>({ ...options, store: null });

function request(cookie?: string): Request {
  return new Request("http://127.0.0.1/", cookie === undefined ? {} : { headers: { cookie } });
}

/**
 * A request with the next of the cookies at each call, from one case to the next: no cache has seen
 * it lately. It is a new one, since a session is opened once for each.
 */
function inTurn(cookies: readonly string[]): () => Request {
  let index = 0;
  return () => {
    index = (index + 1) % cookies.length;
    return request(cookies[index]);
  };
}

let names = 0;
const signIn = sessions.handler((_request, session) => {
  const username = userName(names++ % 1_000_000);
  session.signIn(username);
  session.set("username", username);
  return new Response(null, { status: 303, headers: { location: "/" } });
});

async function mint(count: number): Promise<string[]> {
  const cookies: string[] = [];
  for (let index = 0; index < count; index++) {
    const response = await signIn(request());
    cookies.push(response.headers.getSetCookie().map(cookiePair).join("; "));
  }
  return cookies;
}

const alone = (): Response => pageResponse("user000000");
const read = sessions.handler((_request, session) => pageResponse(session.get("username")));
const readWithoutStore = withoutStore.handler((_request, session) =>
  pageResponse(session.get("username")),
);

async function openAndCommit(request: Request): Promise<Response> {
  return sessions.commit(await sessions.open(request), pageResponse("user000000"));
}

async function openChangeAndCommit(request: Request): Promise<Response> {
  const session = await sessions.open(request);
  session.set("username", userName(names++ % 1_000_000));
  return sessions.commit(session, pageResponse("user000000"));
}

const visitor = request();

function ordinaryCases(cookie: string): Case[] {
  const browser = request(cookie);
  const forger = inTurn(forgedList(cookie, 2_000));
  return [
    ["the handler alone", alone],
    ["a new request with a cookie", () => request(cookie)],
    ["handler: a visitor", () => read(visitor)],
    ["handler: a browser, memory store", () => read(browser)],
    ["handler: a browser, no store", () => readWithoutStore(browser)],
    ["handler: each another forgery", () => read(forger())],
    ["handler: a login", () => signIn(visitor)],
    ["open: a visitor", () => sessions.open(visitor)],
    ["open: a browser", () => sessions.open(browser)],
    ["open and commit, unchanged", () => openAndCommit(browser)],
  ];
}

/** More users than the cache of verified tokens holds: each request has to verify. */
async function coldCases(): Promise<Case[]> {
  const cookies = await mint(coldUsers);
  const stranger = inTurn(cookies);
  return [
    ["handler: each another user", () => read(stranger())],
    ["open: each another user", () => sessions.open(stranger())],
    ["open and commit, changed", () => openChangeAndCommit(stranger())],
    ...(await internalCases(cookies)),
  ];
}

async function run(cases: readonly Case[]): Promise<ProcessRow[]> {
  const rows: ProcessRow[] = [];
  for (const [name, call] of cases) {
    // mitata looks at the first answer to know whether there are promises to await. The first of
    // all waits for the keys, so it is not that one.
    await call();
    const { avg, p99 } = await measure(call, { min_cpu_time: minimumNanoseconds });
    rows.push({ name, nanoseconds: avg, p99Nanoseconds: p99 });
  }
  return rows;
}

const [cookie = ""] = await mint(1);
const rows = await run(ordinaryCases(cookie));
// Last, because tens of thousands of cookies in the heap slow every collection.
rows.push(...(await run(await coldCases())));
console.log(`result ${JSON.stringify(rows)}`);
