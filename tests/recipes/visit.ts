/**
 * What every recipe has to do, over HTTP, as a browser without scripts would do it: it looks for the
 * forms of the page and sends them with their hidden fields.
 *
 * @module
 */
import { createSessions } from "madeleine";
import { type Client, createClient } from "madeleine/testing";
import { equal } from "../runtimes/assert.ts";
import { requestText, Wire } from "../support/wire.ts";
import { type Page, readPage } from "./html.ts";

const EVIL = "https://evil.example";
/** What a page of another site makes a browser say: a new one, and one from before `Sec-Fetch-Site`. */
const OTHER_SITES = [
  { origin: EVIL, "sec-fetch-site": "cross-site" },
  { origin: EVIL, "sec-fetch-site": "" },
];
/** Milliseconds. */
const SILENCE = 1000;
const DAY = 24 * 60 * 60 * 1000;
/** What a page shows that was made for developers. */
const SOURCE = /createSessions|\bat \w+ \(|\.ts\b/;

/** Where a recipe runs, and what is its own. */
export interface Site {
  /** `http://localhost`, with a port. */
  readonly origin: string;
  readonly secretKey: string;
  /** The status of the answer to a form of another site. */
  readonly refusal: number;
  /** Other pages by their paths, and what each says. */
  readonly others: Readonly<Record<string, string>>;
  /** WebSockets by their paths, and the first message of each. */
  readonly sockets: Readonly<Record<string, string>>;
}

/** Sends a request as a browser does that will show the answer. */
async function navigate(request: Request): Promise<Response> {
  request.headers.set("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
  return fetch(request, { redirect: "manual" });
}

/** One browser at the recipe's page. */
class Visitor {
  readonly client: Client;

  constructor(origin: string) {
    this.client = createClient(navigate, { origin });
  }

  /** Loads the page. */
  async page(): Promise<Page> {
    return readPage(await this.client.get("/"));
  }

  /** Fills in a form of the page. The function sends it; the answer may be a redirect. */
  async fill(
    id: string,
    values: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<() => Promise<Response>> {
    const form = (await this.page()).forms.get(id);
    if (form === undefined) throw new Error(`Cannot find the form ${id}`);
    const fields = new Map([...form.fields, ...Object.entries(values)]);
    const body = form.isMultipart ? new FormData() : new URLSearchParams();
    for (const [name, value] of fields) body.set(name, value);
    return () => this.client.post(form.action, body, { headers, redirect: "manual" });
  }

  async submit(...form: Parameters<Visitor["fill"]>): Promise<Response> {
    return (await this.fill(...form))();
  }

  /** Logs in, and takes the greeting. */
  async login(username: string): Promise<void> {
    await this.submit("login", { username });
    equal((await this.page()).user, username);
  }

  /** The session's cookie as a browser sends it; empty where there is none. */
  get cookie(): string {
    const cookie = this.client.cookie("__Host-Http-session");
    return cookie === undefined ? "" : `${cookie.name}=${cookie.value}`;
  }

  /** Puts a cookie in place of all others. */
  use(cookie: string): void {
    this.client.clear();
    this.client.setCookie(`${cookie}; Path=/; Secure; HttpOnly`);
  }
}

const NOBODY = { user: "nobody", bag: [], flashes: [] };

function seen({ user, bag, flashes }: Page): object {
  return { user, bag: [...bag].toSorted(), flashes };
}

type Check = (site: Site) => Promise<void>;

/** Whether any cache but the browser's own may keep the answer. */
function isPrivate(response: Response): boolean {
  return /no-store|private/.test(response.headers.get("cache-control") ?? "");
}

const checks: Readonly<Record<string, Check>> = {
  "A visitor gets no cookie": async ({ origin }) => {
    const visitor = new Visitor(origin);
    equal(seen(await visitor.page()), NOBODY);
    equal(visitor.client.cookies(), []);
  },

  "A login sets its cookie beside another one": async ({ origin }) => {
    const visitor = new Visitor(origin);
    const response = await visitor.submit("login", { username: "admin" });
    const names = response.headers.getSetCookie().map((line) => line.replace(/=.*/, ""));
    equal(names.toSorted(), ["__Host-Http-session", "theme"]);
    equal([response.status, response.headers.get("location")], [303, "/"]);
    equal(visitor.client.cookie("theme")?.value, "dark");
  },

  "No shared cache keeps an answer with a session's cookie": async ({ origin }) => {
    const visitor = new Visitor(origin);
    equal(isPrivate(await visitor.submit("login", { username: "admin" })), true);
    const response = await visitor.client.get("/");
    equal([response.headers.getSetCookie().length, isPrivate(response)], [1, true]);
  },

  "A flash is shown once, and a reload shows the same session": async ({ origin }) => {
    const visitor = new Visitor(origin);
    await visitor.submit("login", { username: "<i>é&\"'" });
    const user = "<i>é&\"'";
    equal(seen(await visitor.page()), { user, bag: [], flashes: [`Welcome, ${user}`] });
    const { cookie } = visitor;
    const reload = await visitor.client.get("/");
    equal(reload.headers.getSetCookie(), []);
    equal(seen(await readPage(reload)), { user, bag: [], flashes: [] });
    equal(visitor.cookie, cookie);
  },

  "Two changes at once are both kept": async ({ origin }) => {
    const visitor = new Visitor(origin);
    await visitor.login("admin");
    const sent = [
      await visitor.fill("add", { item: "tea" }),
      await visitor.fill("add", { item: "milk" }),
    ];
    // Both carry the same cookie: neither waits for the other's answer.
    for (const { status } of await Promise.all(sent.map((send) => send()))) equal(status, 303);
    equal(seen(await visitor.page()), { user: "admin", bag: ["milk", "tea"], flashes: [] });
  },

  "A visitor's changes are kept by the login": async ({ origin }) => {
    const visitor = new Visitor(origin);
    await visitor.submit("add", { item: "tea" });
    equal(seen(await visitor.page()), { ...NOBODY, bag: ["tea"] });
    const { cookie } = visitor;
    await visitor.login("admin");
    equal(seen(await visitor.page()), { user: "admin", bag: ["tea"], flashes: [] });
    visitor.use(cookie);
    equal(seen(await visitor.page()), NOBODY);
  },

  "After the logout an old cookie is a visitor's": async ({ origin }) => {
    const visitor = new Visitor(origin);
    await visitor.login("admin");
    const { cookie } = visitor;
    equal((await visitor.submit("logout")).status, 303);
    equal([seen(await visitor.page()), visitor.cookie], [NOBODY, ""]);
    visitor.use(cookie);
    equal(seen(await visitor.page()), NOBODY);
    visitor.use(cookie);
    await visitor.submit("add", { item: "tea" });
    equal(seen(await visitor.page()), NOBODY);
  },

  "A form of another site is refused": async ({ origin, refusal }) => {
    for (const headers of OTHER_SITES) {
      const visitor = new Visitor(origin);
      const login = await visitor.submit("login", { username: "mallory" }, headers);
      equal([login.status, visitor.client.cookies()], [refusal, []]);
      await visitor.login("admin");
      const again = await visitor.submit("login", { username: "mallory" }, headers);
      const logout = await visitor.submit("logout", {}, headers);
      equal([again.status, logout.status], [refusal, refusal]);
      equal((await visitor.page()).user, "admin");
    }
  },

  "A WebSocket of another site is refused": async ({ origin }) => {
    const handshake = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
    const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    const headers = [...handshake, key, `Origin: ${EVIL}`];
    const wire = await Wire.open(Number(new URL(origin).port));
    wire.write(requestText("GET /", headers));
    // A framework without WebSockets may leave it without an answer.
    const silence = Bun.sleep(SILENCE).then(() => undefined);
    const answer = await Promise.race([wire.answer(), silence]);
    wire.destroy();
    equal(answer?.status ?? 403, 403);
  },

  "A GET changes nothing": async ({ origin }) => {
    const visitor = new Visitor(origin);
    await visitor.login("admin");
    for (const method of ["GET", "HEAD"]) {
      for (const path of ["/logout", "/login?username=mallory", "/?/logout"]) {
        await visitor.client.fetch(path, { method, headers: { "sec-fetch-site": "cross-site" } });
        equal((await visitor.page()).user, "admin");
      }
    }
  },

  "A wrong form signs nobody in, and no answer shows the source": async ({ origin }) => {
    const visitor = new Visitor(origin);
    const empty = await visitor.submit("login", { username: "" });
    equal([visitor.cookie, SOURCE.exec(await empty.text())], ["", null]);
    for (const type of ["application/json", "text/plain", "multipart/form-data"]) {
      const headers = { "content-type": type };
      const answer = await visitor.client.post("/login", '{"username":"mallory"}', { headers });
      equal([answer.status >= 400, visitor.cookie], [true, ""]);
      equal(SOURCE.exec((await readPage(answer)).text), null);
    }
  },

  "Another user's login ends the session before it": async ({ origin }) => {
    const [first, second] = [new Visitor(origin), new Visitor(origin)];
    await first.login("admin");
    second.use(first.cookie);
    await second.login("bob");
    equal([(await first.page()).user, (await second.page()).user], ["nobody", "bob"]);
  },

  "A page renews a session that is half over": async (site) => {
    const visitor = new Visitor(site.origin);
    const cookie = await cookieThatIsDue(site);
    visitor.use(cookie);
    equal((await visitor.page()).user, "admin");
    equal([visitor.cookie === cookie, visitor.cookie === ""], [false, false]);
    equal((await visitor.page()).user, "admin");
  },

  "A change of a session that is half over sends one cookie": async (site) => {
    const visitor = new Visitor(site.origin);
    const send = await visitor.fill("login", { username: "bob" });
    visitor.use(await cookieThatIsDue(site));
    const lines = (await send()).headers.getSetCookie();
    equal(lines.filter((line) => line.startsWith("__Host-Http-session=")).length, 1);
    equal((await visitor.page()).user, "bob");
  },
};

async function readOthers({ origin, others, sockets }: Site): Promise<void> {
  for (const [path, text] of Object.entries(others)) {
    equal(await (await fetch(new URL(path, origin))).text(), text);
  }
  for (const [path, text] of Object.entries(sockets)) {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const socket = new WebSocket(new URL(path, origin.replace("http:", "ws:")));
    socket.addEventListener("message", ({ data }) => resolve(data));
    socket.addEventListener("error", () => reject(new Error(`Cannot connect to ${path}`)));
    equal(await promise, text);
    socket.close();
  }
}

function fourDaysAgo(): number {
  return Date.now() - 4 * DAY;
}

/** The cookie of a session that began four days ago: half of its seven are over. */
async function cookieThatIsDue({ origin, secretKey }: Site): Promise<string> {
  const sessions = createSessions({ secretKey, store: null, now: fourDaysAgo });
  const session = await sessions.open(new Request(origin));
  session.signIn("admin");
  return (await sessions.commitCookie(session))?.line.replace(/;.*/, "") ?? "";
}

/** What the script found: each of its checks, with what went wrong. */
export type Findings = readonly { readonly name: string; readonly error?: string }[];

/** Runs every check, one after the other. */
export async function visit(site: Site): Promise<Findings> {
  const own = { "What else the framework has works as before": readOthers };
  const all = Object.keys(site.others).length === 0 ? checks : { ...checks, ...own };
  const findings: { name: string; error?: string }[] = [];
  for (const [name, check] of Object.entries(all)) {
    try {
      await check(site);
      findings.push({ name });
    } catch (error) {
      findings.push({ name, error: String(error) });
    }
  }
  return findings;
}
