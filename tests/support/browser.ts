import { readPage } from "./page.ts";
import { ask, requestText } from "./wire.ts";

/** Where the tests' application is, as its users see it. */
export const ORIGIN = "http://localhost:3000";

/** Where a browser's requests go. */
export type Network = (request: Request) => Response | Promise<Response>;

/** A form: its fields, or the body to the letter. */
type Form = Readonly<Record<string, string>> | string | Uint8Array<ArrayBuffer>;

/** Sends requests as a browser does, and keeps the cookies by their name. */
export class Browser {
  /** Every `Cookie` header that it could ever have sent, the oldest first. */
  readonly copies: string[] = [];
  readonly #cookies = new Map<string, string>();
  readonly #network: Network;
  readonly #origin: string;

  constructor(network: Network = nowhere, origin: string = ORIGIN) {
    this.#network = network;
    this.#origin = origin;
  }

  /** The values by the names. */
  get cookies(): Map<string, string> {
    return this.#cookies;
  }

  /** The `Cookie` header that it sends; empty where it has no cookie. */
  get cookie(): string {
    return Array.from(this.#cookies, ([name, value]) => `${name}=${value}`).join("; ");
  }

  /** Takes the place of every cookie. */
  set cookie(header: string | undefined) {
    this.#cookies.clear();
    for (const pair of header?.split("; ") ?? []) {
      const [, name = "", value = ""] = /^([^=]*)=(.*)$/.exec(pair) ?? [];
      if (name !== "") this.#cookies.set(name, value);
    }
  }

  /** Another browser with copies of the cookies. */
  copy(): Browser {
    const copy = new Browser(this.#network, this.#origin);
    copy.cookie = this.cookie;
    return copy;
  }

  /** Keeps the cookies of an answer, in the order in which answers arrive. */
  take(response: Response): Response {
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    const { cookie } = this;
    if (cookie !== "" && !this.copies.includes(cookie)) this.copies.push(cookie);
    return response;
  }

  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    const { cookie } = this;
    if (cookie !== "") headers.set("cookie", cookie);
    const request = new Request(this.#origin + path, { redirect: "manual", ...init, headers });
    return this.take(await this.#network(request));
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
    if (/; Max-Age=0(?:;|$)/.test(line)) this.#cookies.delete(name);
    else this.#cookies.set(name, value);
  }
}

function nowhere(): never {
  throw new Error("Cannot send the request: this browser was given no network");
}

function toBody(form: Form): string | Uint8Array<ArrayBuffer> {
  if (typeof form === "string" || form instanceof Uint8Array) return form;
  return new URLSearchParams(Object.entries(form)).toString();
}

/** Sends each request over a socket of its own to a server of this machine. */
export function overSocket(port: number): Network {
  return async (request) => {
    const { pathname, search } = new URL(request.url);
    const headers = Array.from(request.headers, ([name, value]) => `${name}: ${value}`);
    const body = request.body === null ? undefined : await request.text();
    const answer = await ask(
      port,
      requestText(`${request.method} ${pathname}${search}`, headers, body),
    );
    const received = new Headers();
    for (const line of answer.lines) {
      const [name = "", value = ""] = line.split(/:(.*)/s);
      received.append(name, value.trim());
    }
    const isEmpty = [101, 204, 205, 304].includes(answer.status);
    return new Response(isEmpty ? null : answer.body, { status: answer.status, headers: received });
  };
}

/** A browser that has just logged in at a server of this machine. */
export async function loggedIn(port: number, username: string): Promise<Browser> {
  const browser = new Browser(overSocket(port));
  await browser.login(username);
  return browser;
}
