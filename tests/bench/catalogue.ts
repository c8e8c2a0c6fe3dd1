/** The servers and the workloads: what is measured with what. */
import { attackList, attacks, forgedList, userName } from "./cookies.ts";

export interface ServerEntry {
  /** The name of its file in `servers/`, and on the command line. */
  readonly name: string;
  readonly label: string;
  /** A page without a session, the library, the program that comes with it, or somebody else's. */
  readonly kind: "bare" | "floor" | "ours" | "program" | "hand" | "peer";
  /** Nothing else of it is measured: another store changes only what a look-up costs. */
  readonly readsOnly?: true;
  /** The format of the cookies of many users that it is sent. `"HS256"` by default. */
  readonly format?: Format;
}

/** Cookies of ours that are minted, or those of a server that its own logins gave. */
export type Format = "HS256" | "ES256" | "A256GCM" | "own";

/** What is compared stands side by side: a machine's speed drifts during a round. */
export const serverEntries: readonly ServerEntry[] = [
  { name: "bare", label: "bare page, no session", kind: "bare" },
  { name: "header", label: "the Cookie header read, no more", kind: "floor" },
  { name: "madeleine-memory", label: "Madeleine, memory", kind: "ours" },
  { name: "jose", label: "jose by hand", kind: "hand" },
  { name: "madeleine-sqlite", label: "Madeleine, SQLite", kind: "ours" },
  { name: "server-bare", label: "the program's page, no session", kind: "bare" },
  { name: "server-memory", label: "the program, memory", kind: "program" },
  { name: "server-sqlite", label: "the program, SQLite", kind: "program" },
  { name: "madeleine-null", label: "Madeleine, no store", kind: "ours", readsOnly: true },
  {
    name: "madeleine-es256",
    label: "Madeleine, ES256",
    kind: "ours",
    readsOnly: true,
    format: "ES256",
  },
  {
    name: "madeleine-encrypted",
    label: "Madeleine, encrypted",
    kind: "ours",
    readsOnly: true,
    format: "A256GCM",
  },
  { name: "madeleine-redis", label: "Madeleine, Redis", kind: "ours", readsOnly: true },
  { name: "madeleine-postgres", label: "Madeleine, PostgreSQL", kind: "ours", readsOnly: true },
  { name: "iron-session", label: "iron-session", kind: "peer", format: "own" },
  { name: "authjs", label: "Auth.js' JWE", kind: "peer", format: "own" },
  { name: "remix-session", label: "@remix-run/session", kind: "peer" },
  { name: "react-router", label: "React Router", kind: "peer" },
  { name: "h3", label: "h3", kind: "peer" },
  { name: "hono", label: "Hono signed cookie", kind: "peer" },
  { name: "hono-session", label: "@hono/session", kind: "peer", format: "own" },
  { name: "elysia", label: "Elysia signed cookie", kind: "peer" },
  { name: "cookie-session", label: "cookie-session, Express", kind: "peer" },
  { name: "better-auth", label: "better-auth, cookie cache", kind: "peer" },
];

/** The page that a server's figures are held against: the one of the same bytes. */
export function bareOf({ kind }: ServerEntry): string {
  return kind === "program" ? "server-bare" : "bare";
}

/** The cookies that a server gave before its measurement. */
export interface Cookies {
  /** What a browser that has signed in sends. */
  readonly one: string;
  /** What one sends that has logged out since. */
  readonly stale: string;
  /** Different users', in the format of the server. */
  readonly minted: readonly string[];
}

export interface Workload {
  readonly name: string;
  readonly label: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** The forms to send in turn. */
  readonly bodies?: (users: number) => readonly string[];
  /** The `Cookie` headers to send in turn; none at all where it is missing. */
  readonly headers?: (cookies: Cookies) => readonly string[];
  /** What the page must hold; an answer of 303 where it is missing. */
  readonly expected?: string;
  readonly appliesTo: (server: ServerEntry) => boolean;
}

const signedOut = "You are not logged in";
const signedIn = "Logged in as user";

/** What the targets compare besides the reads of all: in a quick run nothing else is measured. */
export function isNeeded(workload: Workload, { name, kind }: ServerEntry): boolean {
  const isOurs = kind === "program" || name === "madeleine-memory";
  return workload.name === "reads" || isOurs || kind === "hand";
}

const ordinary: readonly Workload[] = [
  {
    name: "reads",
    label: "a logged-in browser reads",
    method: "GET",
    path: "/",
    headers: ({ one }) => [one],
    expected: signedIn,
    appliesTo: () => true,
  },
  {
    name: "logins",
    label: "logins",
    method: "POST",
    path: "/login",
    // Of many users, because the program keeps a list of each one's sessions.
    bodies: (users) => Array.from({ length: users }, (_, user) => `username=${userName(user)}`),
    appliesTo: ({ name, kind, readsOnly }) =>
      kind !== "floor" && name !== "server-bare" && readsOnly !== true,
  },
  {
    name: "cold",
    label: "each request another user's cookie",
    method: "GET",
    path: "/",
    headers: ({ minted }) => minted,
    expected: signedIn,
    appliesTo: ({ name, format }) => isLookedAtClosely(name) || format !== undefined,
  },
  {
    name: "health",
    label: "the program's /healthz",
    method: "GET",
    path: "/healthz",
    expected: "ok",
    appliesTo: ({ name }) => name === "server-memory",
  },
  {
    name: "visitor",
    label: "a visitor without a cookie",
    method: "GET",
    path: "/",
    expected: signedOut,
    appliesTo: ({ kind, readsOnly }) => kind !== "bare" && kind !== "floor" && readsOnly !== true,
  },
  {
    name: "forged",
    label: "a forged signature, each another",
    method: "GET",
    path: "/",
    headers: ({ one }) => forgedList(one, 20_000),
    expected: signedOut,
    appliesTo: ({ name }) => isLookedAtClosely(name),
  },
  {
    name: "stale",
    label: "the cookie of a session that has ended",
    method: "GET",
    path: "/",
    headers: ({ stale }) => [stale],
    expected: signedOut,
    appliesTo: ({ name }) => name === "madeleine-memory" || name === "server-memory",
  },
];

/** Those that the same token is sent to: the claims are the same, and so is the secret. */
function isLookedAtClosely(name: string): boolean {
  return name === "madeleine-memory" || name === "jose";
}

/** As long as fits: Bun refuses header lines over 16 KiB together with 431. */
const longest = 16_000;

const malformedCases: readonly (readonly [keyof typeof attacks, number])[] = [
  ["noise", 100],
  ["long", 4_000],
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
  appliesTo: ({ name }) =>
    name === "madeleine-memory" || (name === "bare" && bareCase === `${attack} ${length}`),
  expected: "log",
}));

export const workloads: readonly Workload[] = [...ordinary, ...malformed];

/** Those that are held against the visitor without a cookie of the same server. */
export const hostileNames: readonly string[] = [
  "forged",
  "stale",
  ...malformed.map(({ name }) => name),
];
