/** The servers and the workloads: what is measured with what. */
import { attackList, attacks, forgedList } from "./cookies.ts";

export interface ServerEntry {
  /** The name of its file in `servers/`, and on the command line. */
  readonly name: string;
  readonly label: string;
  readonly kind: "bare" | "floor" | "ours" | "hand" | "peer";
}

/** What is compared stands side by side: a machine's speed drifts during a round. */
export const serverEntries: readonly ServerEntry[] = [
  { name: "bare", label: "bare page, no session", kind: "bare" },
  { name: "header", label: "the Cookie header read, no more", kind: "floor" },
  { name: "madeleine-memory", label: "Madeleine, memory", kind: "ours" },
  { name: "jose", label: "jose by hand", kind: "hand" },
  { name: "madeleine-null", label: "Madeleine, no store", kind: "ours" },
  { name: "madeleine-sqlite", label: "Madeleine, SQLite", kind: "ours" },
  { name: "madeleine-redis", label: "Madeleine, Redis", kind: "ours" },
  { name: "madeleine-postgres", label: "Madeleine, PostgreSQL", kind: "ours" },
  { name: "iron-session", label: "iron-session", kind: "peer" },
  { name: "react-router", label: "React Router", kind: "peer" },
  { name: "h3", label: "h3", kind: "peer" },
  { name: "hono", label: "Hono signed cookie", kind: "peer" },
  { name: "hono-session", label: "@hono/session", kind: "peer" },
  { name: "elysia", label: "Elysia signed cookie", kind: "peer" },
  { name: "cookie-session", label: "cookie-session, Express", kind: "peer" },
];

/** The cookies that a server gave before its measurement. */
export interface Cookies {
  /** What a browser that has signed in sends. */
  readonly one: string;
  readonly all: readonly string[];
}

export interface Workload {
  readonly name: string;
  readonly label: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: string;
  /** The `Cookie` headers to send in turn; none at all where it is missing. */
  readonly headers?: (cookies: Cookies) => readonly string[];
  /** What the page must hold; an answer of 303 where it is missing. */
  readonly expected?: string;
  /** Reads decide the most: they are measured for longer. */
  readonly isLong?: boolean;
  readonly appliesTo: (server: ServerEntry) => boolean;
}

const signedOut = "You are not logged in";
const signedIn = "Logged in as user";

/** Whose answers to hostile cookies are measured: a store behind the network changes nothing there. */
const hostileServers = ["madeleine-memory", "madeleine-null", "madeleine-sqlite", "jose"];

function isHostileServer({ name }: ServerEntry): boolean {
  return hostileServers.includes(name);
}

/** What the targets compare besides the reads of all: in a quick run nothing else is measured. */
export function isNeeded(workload: Workload, { name }: ServerEntry): boolean {
  return workload.name === "reads" || ["bare", "madeleine-memory", "jose"].includes(name);
}

const ordinary: readonly Workload[] = [
  {
    name: "reads",
    label: "a logged-in browser reads",
    method: "GET",
    path: "/",
    headers: ({ one }) => [one],
    expected: signedIn,
    isLong: true,
    appliesTo: () => true,
  },
  {
    name: "logins",
    label: "logins",
    method: "POST",
    path: "/login",
    body: "username=user000001",
    appliesTo: ({ kind }) => kind !== "floor",
  },
  {
    name: "cold",
    label: "each request another user's cookie",
    method: "GET",
    path: "/",
    headers: ({ all }) => all,
    expected: signedIn,
    appliesTo: ({ kind }) => kind !== "bare" && kind !== "floor",
  },
  {
    name: "visitor",
    label: "a visitor without a cookie",
    method: "GET",
    path: "/",
    expected: signedOut,
    appliesTo: isHostileServer,
  },
  {
    name: "forged",
    label: "a forged signature, each another",
    method: "GET",
    path: "/",
    headers: ({ one, all }) => forgedList(one, Math.min(all.length, 20_000)),
    expected: signedOut,
    appliesTo: isHostileServer,
  },
];

/** As long as fits: Bun refuses header lines over 16 KiB together with 431. */
const longest = 16_000;

const malformedCases: readonly (readonly [keyof typeof attacks, number])[] = [
  ["noise", 100],
  ["noise", 4_000],
  ["noise", longest],
  ["long", 4_000],
  ["long", longest],
  ["many", longest],
  ["dots", longest],
  ["pairs", longest],
];

/** What the bare page makes of the longest header: the share that is not the library's. */
const bareCase = `pairs ${longest}`;

const malformed: readonly Workload[] = malformedCases.map(([attack, length]) => ({
  name: `${attack} ${length}`,
  label: `${attack}, ${length} bytes`,
  method: "GET",
  path: "/",
  headers: ({ one }) => attackList(attacks[attack], one, length),
  appliesTo: ({ name, kind }) =>
    name === "madeleine-memory" || (kind === "bare" && bareCase === `${attack} ${length}`),
  expected: "log",
}));

export const workloads: readonly Workload[] = [...ordinary, ...malformed];

/** Those that are held against the visitor without a cookie of the same server. */
export const hostileNames: readonly string[] = ["forged", ...malformed.map(({ name }) => name)];
