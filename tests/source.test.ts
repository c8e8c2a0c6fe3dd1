import { describe, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { CookieAttributes, CookieJar, Session } from "../session/mod.ts";
import type { Source } from "../session/source.ts";
import { createApp } from "./support/app.ts";
import { errorOf, untyped } from "./support/errors.ts";
import { flaskHeir, flaskUser } from "./support/flask.ts";
import { signedIn } from "./promises/support.ts";

const SOURCES: readonly (readonly [string, (cookie: string) => Source])[] = [
  ["a Request", (cookie) => new Request("http://localhost/", { headers: { cookie } })],
  ["Headers", (cookie) => new Headers({ cookie })],
  ["an object with Headers", (cookie) => ({ headers: new Headers({ cookie }) })],
  ["Node's headers", (cookie) => ({ headers: { cookie, accept: "*/*" } })],
  ["a request of Express'", (cookie) => new ExpressRequest(cookie)],
];

/** It has a method of `Headers` as well. */
class ExpressRequest {
  readonly headers: { readonly cookie: string };

  constructor(cookie: string) {
    this.headers = { cookie };
  }

  get(): undefined {}
}

describe.each(SOURCES)("%s", (_, from) => {
  test("gives one session, however often it is opened", async () => {
    const { sessions } = createApp();
    const browser = await signedIn(createApp(), "ann");
    const source = from(browser.cookie);
    const session = await sessions.open(source);
    expect([session.subject, session.get("username")]).toEqual(["ann", "ann"]);
    expect(await sessions.open(source)).toBe(session);
    expect(await sessions.open(from(browser.cookie))).not.toBe(session);
  });

  test("without a cookie is a visitor", async () => {
    const { sessions, events } = createApp();
    expect((await sessions.open(from(""))).isNew).toBe(true);
    expect(events).toEqual([]);
  });

  test("may bring another system's session", async () => {
    const app = flaskHeir();
    expect((await app.sessions.open(from(flaskUser().cookie))).subject).toBe("admin");
  });
});

/** A framework's cookies: `get` is not as that of `Headers`, and values are decoded. */
class Jar implements CookieJar {
  readonly #cookies = new Map<string, string>();

  get(name: string): object | undefined {
    return this.#cookies.has(name) ? { name } : undefined;
  }

  getAll(): { name: string; value: string }[] {
    return Array.from(this.#cookies, ([name, value]) => ({ name, value }));
  }

  set(name: string, value: string, { maxAge }: Partial<CookieAttributes> = {}): void {
    if (maxAge === 0) this.#cookies.delete(name);
    else this.#cookies.set(name, value);
  }
}

describe("a framework's cookies", () => {
  test("take the session's, and give the session as they are now", async () => {
    const { sessions } = createApp();
    const jar = new Jar();
    const first = await sessions.open(jar);
    first.signIn("ann");
    const cookie = await sessions.commitCookie(first, jar);
    expect(jar.getAll()).toEqual([{ name: cookie?.name ?? "", value: cookie?.value ?? "" }]);
    expect((await sessions.read(jar)).subject).toBe("ann");
    const second = await sessions.open(jar);
    expect(await sessions.commitCookie(second, jar)).toBeUndefined();
    const third = await sessions.open(jar);
    third.destroy();
    await sessions.commitCookie(third, jar);
    expect(jar.getAll()).toEqual([]);
    expect((await sessions.read(jar)).subject).toBeUndefined();
  });

  test("hold no second cookie in a decoded value", async () => {
    const { sessions, events } = createApp();
    const { cookie } = await signedIn(createApp(), "ann");
    const jar = new Jar();
    jar.set("theme", `dark; ${cookie}`);
    expect((await sessions.open(jar)).isNew).toBe(true);
    expect(events).toEqual([]);
  });

  test("may bring another system's session, and lose its cookie", async () => {
    const { sessions } = flaskHeir();
    const jar = new Jar();
    const [name = "", value = ""] = flaskUser().cookie.split(/=(.*)/);
    jar.set(name, value);
    const session = await sessions.open(jar);
    expect(session.subject).toBe("admin");
    await sessions.commitCookie(session, jar);
    expect(jar.getAll().map((cookie) => cookie.name)).toEqual(["__Host-Http-session"]);
  });
});

test("Headers with a getAll, as those of Workers, are Headers", async () => {
  const { cookie } = await signedIn(createApp(), "ann");
  const headers = Object.assign(new Headers({ cookie }), { getAll: () => [] });
  expect((await createApp().sessions.open(headers)).subject).toBe("ann");
});

test("Headers and their Request are one source", async () => {
  const { sessions } = createApp();
  const request = new Request("http://localhost/");
  expect(await sessions.open(request.headers)).toBe(await sessions.open(request));
});

test("a request of Node's is one, though it has several Cookie lines", async () => {
  const { sessions } = createApp();
  const { cookie } = await signedIn(createApp(), "ann");
  const { promise, resolve } = Promise.withResolvers<Session>();
  const server = createServer((request, response) => {
    response.end();
    resolve(Promise.resolve(sessions.open(request)));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  await fetch(`http://127.0.0.1:${port}/`, {
    headers: [
      ["cookie", "a=1"],
      ["cookie", cookie],
    ],
  });
  expect((await promise).subject).toBe("ann");
  server.close();
});

test.each([[null], [undefined], ["cookie"], [{}], [{ headers: null }], [{ headers: "a" }]])(
  "%p is an error of the application",
  async (source) => {
    const { sessions } = createApp();
    const error = await errorOf(() => sessions.open(untyped(source)));
    expect(error).toBeInstanceOf(TypeError);
  },
);
