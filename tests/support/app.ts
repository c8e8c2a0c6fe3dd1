import { type AppOptions, createApp, type Peers } from "../../routes/mod.ts";
import { parseTrustedProxies } from "../../routes/shared/address.ts";
import { createLog } from "../../routes/shared/log.ts";
import { memoryStore } from "../../session/mod.ts";

/** Where the tests' application is, as its users see it. */
export const ORIGIN = "http://localhost:3000";

/** A key as `keygen` prints them. */
export const KEY = "q8Zb1nK0vWc5xY7rT2mL9dP4sH6jF3aGeU-oI_hXyBk";

/** The application, with what it logged. */
export interface TestApp {
  readonly lines: string[];
  readonly send: (request: Request, peers?: Peers) => Promise<Response>;
}

/** An application with a store of its own and no limit of attempts. */
export function testApp(options: Partial<AppOptions> = {}): TestApp {
  const lines: string[] = [];
  const app = createApp({
    secretKey: KEY,
    secretKeyFallbacks: [],
    store: memoryStore(),
    lifetime: 2_592_000,
    idleTimeout: 604_800,
    isSecure: false,
    publicOrigin: undefined,
    loginRate: 0,
    trustedProxies: parseTrustedProxies(""),
    log: createLog("text", (line) => void lines.push(line)),
    isReady: () => true,
    ...options,
  });
  // As Bun's server does with `fetch` and `error`.
  return { lines, send: async (request, peers) => app.fetch(request, peers).catch(app.error) };
}

/** A form: its fields, or the body to the letter. */
type Form = Readonly<Record<string, string>> | string | Uint8Array<ArrayBuffer>;

/** Sends requests as a browser does, and keeps the cookies. */
export class Browser {
  readonly cookies: Map<string, string> = new Map();
  readonly #send: (request: Request) => Promise<Response>;
  readonly #origin: string;

  constructor(send: (request: Request) => Promise<Response>, origin: string = ORIGIN) {
    this.#send = send;
    this.#origin = origin;
  }

  /** The `Cookie` header that it sends. */
  get cookie(): string {
    return Array.from(this.cookies, ([name, value]) => `${name}=${value}`).join("; ");
  }

  /** Another browser with copies of the cookies. */
  copy(): Browser {
    const copy = new Browser(this.#send, this.#origin);
    for (const [name, value] of this.cookies) copy.cookies.set(name, value);
    return copy;
  }

  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.cookies.size > 0) headers.set("cookie", this.cookie);
    const request = new Request(this.#origin + path, { redirect: "manual", ...init, headers });
    const response = await this.#send(request);
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    return response;
  }

  /** Goes to a page. */
  async get(path: string, headers: HeadersInit = {}): Promise<Response> {
    return this.send(path, { headers });
  }

  /** Sends a form of our own page. */
  async post(
    path: string,
    form: Form = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    return this.send(path, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "sec-fetch-site": "same-origin",
        origin: this.#origin,
        ...headers,
      },
      body: toBody(form),
    });
  }

  async login(username: string): Promise<Response> {
    return this.post("/login", { username });
  }

  /** The words of a page, after those that it was sent on to. */
  async words(path: string): Promise<string> {
    const response = await this.get(path);
    const location = response.headers.get("location");
    return location === null ? (await readPage(response)).words : this.words(location);
  }

  #keep(line: string): void {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (/; Max-Age=0(?:;|$)/.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

function toBody(form: Form): string | Uint8Array<ArrayBuffer> {
  if (typeof form === "string" || form instanceof Uint8Array) return form;
  return new URLSearchParams(Object.entries(form)).toString();
}

/** A page as an HTML parser sees it. */
export interface Page {
  readonly title: string;
  /** The words of the body, with single spaces. */
  readonly words: string;
  /** The names of all elements, in their order. */
  readonly elements: readonly string[];
  /** Where links and forms lead: `GET /login`, `POST /logout`. */
  readonly targets: readonly string[];
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#39;": "'",
};

/** Reads the page that a response brings. */
export async function readPage(response: Response): Promise<Page> {
  const elements: string[] = [];
  const targets: string[] = [];
  let title = "";
  let words = "";
  const rewriter = new HTMLRewriter()
    .on("*", { element: ({ tagName }) => void elements.push(tagName) })
    .on("a", { element: (link) => void targets.push(`GET ${link.getAttribute("href")}`) })
    .on("form", { element: (form) => void targets.push(targetOf(form)) })
    .on("title", { text: ({ text }) => void (title += text) })
    .on("main", { text: ({ text }) => void (words += text) });
  await rewriter.transform(response).text();
  return { title: decode(title), words: decode(words).trim(), elements, targets };
}

function targetOf(form: HTMLRewriterTypes.Element): string {
  return `${form.getAttribute("method")?.toUpperCase()} ${form.getAttribute("action")}`;
}

function decode(text: string): string {
  const plain = text.replaceAll(/&[#\w]+;/g, (entity) => ENTITIES[entity] ?? entity);
  return plain.replaceAll(/\s+/g, " ");
}
