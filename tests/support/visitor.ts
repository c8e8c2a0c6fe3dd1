import { expect } from "bun:test";
import type { Instance } from "./instance.ts";
import { identityOf } from "./page.ts";
import { type Answer, ask, linesOf, loginText, requestText } from "./wire.ts";

export { identityOf } from "./page.ts";

/** A browser's cookie for one server, on sockets of its own. */
export class Visitor {
  /** The `name=value` that it sends; undefined where it has none. */
  cookie: string | undefined;
  readonly port: number;

  constructor(port: number, cookie?: string) {
    this.port = port;
    this.cookie = cookie;
  }

  /** The value of the cookie: the token. */
  get token(): string {
    return this.cookie?.slice(this.cookie.indexOf("=") + 1) ?? "";
  }

  /** The name of the cookie. */
  get name(): string {
    return this.cookie?.slice(0, this.cookie.indexOf("=")) ?? "";
  }

  async get(path: string, headers: readonly string[] = []): Promise<Answer> {
    return this.#send((own) => requestText(`GET ${path}`, [...own, ...headers]));
  }

  async post(path: string, headers: readonly string[] = []): Promise<Answer> {
    return this.#send((own) => requestText(`POST ${path}`, [...own, ...headers], ""));
  }

  async login(username: string, headers: readonly string[] = []): Promise<Answer> {
    return this.#send((own) => loginText(username, [...own, ...headers]));
  }

  async #send(text: (headers: readonly string[]) => string): Promise<Answer> {
    const own = this.cookie === undefined ? [] : [`Cookie: ${this.cookie}`];
    const answer = await ask(this.port, text(own));
    for (const line of linesOf(answer, "set-cookie")) {
      this.cookie = line.includes("Max-Age=0;") ? undefined : line.slice(0, line.indexOf(";"));
    }
    return answer;
  }
}

/** Whom the start page of an instance greets for these header lines. */
export async function whoIs(
  instance: Instance,
  ...headers: readonly string[]
): Promise<string | null> {
  const answer = await ask(instance.port, requestText("GET /", headers));
  expect(answer.status).toBe(200);
  return identityOf(answer.body);
}

/** Who has just logged in. */
export async function loggedIn(instance: Instance, username: string): Promise<Visitor> {
  const visitor = new Visitor(instance.port);
  await visitor.login(username);
  return visitor;
}

/** The lines of an answer that set cookies. */
export function cookiesOf(answer: Answer): string[] {
  return linesOf(answer, "set-cookie");
}

/** The `sid` claim. */
export function sidOf(token: string): string {
  const claims: unknown = JSON.parse(
    Buffer.from(token.split(".")[1] ?? "", "base64url").toString(),
  );
  const hasSid = typeof claims === "object" && claims !== null && "sid" in claims;
  if (!hasSid || typeof claims.sid !== "string") throw new Error("The token has no sid");
  return claims.sid;
}
