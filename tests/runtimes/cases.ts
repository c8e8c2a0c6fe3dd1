import { type Store } from "madeleine";
import { readFlaskCookie } from "madeleine/flask";
import { checkOrigin, protect } from "madeleine/origin";
import { memoryStore } from "madeleine/stores/memory";
import { createClient, token } from "madeleine/testing";
import {
  claimsOf,
  type Data,
  give,
  KEY,
  loginPage,
  NAME,
  OTHER_KEY,
  readsAs,
  setUp,
  signIn,
  textOf,
  tokenOf,
} from "./app.ts";
import { equal, throwsCode } from "./assert.ts";

/** One thing that holds on every runtime. `run` throws where it does not. */
export interface Case {
  readonly name: string;
  readonly run: () => void | Promise<void>;
}

/** What came of a case: `error` is missing where it passed. */
export interface Result {
  readonly name: string;
  readonly error?: string;
}

/** Runs the cases, one after the other. */
export async function runCases(all: readonly Case[] = cases): Promise<Result[]> {
  const results: Result[] = [];
  for (const { name, run } of all) {
    try {
      await run();
      results.push({ name });
    } catch (error) {
      const cause =
        error instanceof Error && error.cause instanceof Error ? ` (${String(error.cause)})` : "";
      results.push({ name, error: `${String(error)}${cause}` });
    }
  }
  return results;
}

const typedValues: Data = {
  date: new Date(86_400_000),
  bytes: Uint8Array.of(0, 127, 255),
  map: new Map<unknown, unknown>([["a", new Set([1, "b"])]]),
  bigint: 2n ** 80n,
  url: new URL("https://example.org/?q=é"),
  numbers: [-0, 1.5, Infinity],
  text: "naïve \u2028 🍵",
  nested: { list: [null, { $date: "not a tag" }], __proto__key: true },
};

function aMinuteLater(): number {
  return Date.now() + 61_000;
}

/** A promise that is none of the runtime's: it has a `then`, and nothing else. */
function later<T>(value: T | Promise<T>): Promise<T>;
function later(value: unknown): unknown {
  // oxlint-disable-next-line unicorn/no-thenable
  return { then: (resolve: (value: unknown) => void) => queueMicrotask(() => resolve(value)) };
}

export const cases: readonly Case[] = [
  {
    name: "a visitor who reads gets no cookie",
    async run() {
      const { sessions } = setUp();
      const response = await loginPage(sessions)(new Request("https://localhost/"));
      equal(await response.text(), "You are nobody");
      equal(response.headers.getSetCookie(), []);
      equal(response.headers.get("vary"), "Cookie");
    },
  },
  {
    name: "signed in, read, signed out",
    async run() {
      const { client } = setUp();
      const copy = await signIn(client);
      equal(await textOf(client.get("/")), "You are admin");
      equal(await textOf(client.get("/logout")), "You are nobody");
      equal(client.cookies(), []);
      await readsAs(client, copy, "You are nobody");
    },
  },
  {
    name: "a Set-Cookie line and its headers, whole",
    async run() {
      const { sessions } = setUp();
      const body = new URLSearchParams({ username: "admin" });
      const request = new Request("https://localhost/login", { method: "POST", body });
      const { headers } = await loginPage(sessions)(request);
      const [line = "", ...others] = headers.getSetCookie();
      const attributes = line.slice(line.indexOf(";"));
      equal(line.startsWith(`${NAME}=eyJ`), true);
      equal(attributes, "; Path=/; HttpOnly; Secure; SameSite=Lax");
      equal([others, headers.get("cache-control")], [[], "no-store"]);
    },
  },
  {
    name: "first requests at once share the keys that the first one makes",
    async run() {
      const { sessions } = setUp();
      const clients = Array.from({ length: 8 }, () => createClient(loginPage(sessions)));
      await Promise.all(clients.map(signIn));
      equal(new Set(clients.map(tokenOf)).size, 8);
    },
  },
  {
    name: "a rotated key still verifies, and is replaced after a minute",
    async run() {
      const store = memoryStore();
      const old = setUp({ store });
      const copy = await signIn(old.client);
      const keys = { secretKey: OTHER_KEY, secretKeyFallbacks: KEY };
      const { client, events } = setUp({ store, now: aMinuteLater, ...keys });
      await readsAs(client, copy, "You are admin");
      equal(
        events.map(({ type }) => type),
        ["rotated"],
      );
      const rotated = setUp({ store, now: aMinuteLater, secretKey: OTHER_KEY });
      await readsAs(rotated.client, tokenOf(client), "You are admin");
      await readsAs(rotated.client, copy, "You are nobody");
      equal(rotated.events, [{ type: "rejected", reason: "unknown-key" }]);
    },
  },
  {
    name: "typed values come back as they went",
    async run() {
      const { client } = setUp();
      await client.session((session) => session.update(typedValues));
      // Other sessions, so that the values come from the token and not from a cache.
      const other = setUp();
      give(other.client, tokenOf(client));
      equal(await other.client.session((session) => session.toJSON()), typedValues);
      await throwsCode(
        () => client.session((session) => session.set("f", () => 1)),
        "ERR_SESSION_VALUE",
      );
    },
  },
  {
    name: "a change deep inside a value is a change",
    async run() {
      const { client } = setUp();
      await client.session((session) => session.set("cart", { items: ["tea"] }));
      await client.session((session) => {
        const cart: unknown = session.get("cart");
        if (typeof cart === "object" && cart !== null && "items" in cart) cart.items = ["tea", 2];
      });
      const cart = await client.session((session) => session.get("cart"));
      equal(cart, { items: ["tea", 2] });
    },
  },
  {
    name: "long values are deflated, and too long ones refused",
    async run() {
      const { client } = setUp();
      const text = "a madeleine dipped in lime-blossom tea; ".repeat(200);
      await client.session((session) => session.set("text", text));
      const { data } = Object.assign({ data: undefined }, claimsOf(tokenOf(client)));
      equal(typeof data, "string");
      equal(tokenOf(client).length < 1000, true);
      const other = setUp();
      give(other.client, tokenOf(client));
      equal(await other.client.session((session) => session.get("text")), text);
      const noise = crypto.getRandomValues(new Uint8Array(4096));
      await throwsCode(
        () => client.session((session) => session.set("noise", noise)),
        "ERR_SESSION_TOO_LARGE",
      );
    },
  },
  {
    name: "what ended stays ended for every copy of its cookie",
    async run() {
      const { client, events } = setUp();
      const copy = await signIn(client);
      await client.session((session) => session.destroy());
      await readsAs(client, copy, "You are nobody");
      client.clear();
      const first = await signIn(client);
      await client.session((session) => session.regenerate());
      const second = tokenOf(client);
      await readsAs(client, first, "You are nobody");
      await readsAs(client, second, "You are admin");
      equal(
        events.map(({ type }) => type),
        ["ended", "superseded"],
      );
    },
  },
  {
    name: "endAll ends every session of a subject",
    async run() {
      const { sessions, client } = setUp();
      const copy = await signIn(client);
      await sessions.endAll("admin");
      await readsAs(client, copy, "You are nobody");
    },
  },
  {
    name: "endOthers ends every session of a subject but one",
    async run() {
      const { sessions, client } = setUp();
      const copy = await signIn(client);
      client.clear();
      await signIn(client);
      await client.session((session) => sessions.endOthers(session));
      const own = tokenOf(client);
      await readsAs(client, copy, "You are nobody");
      await readsAs(client, own, "You are admin");
    },
  },
  {
    name: "no forged token is taken, and none throws",
    async run() {
      const { client, events } = setUp();
      const copy = await signIn(client);
      const [header = "", payload = "", signature = ""] = copy.split(".");
      const flipped = (signature.startsWith("A") ? "B" : "A") + signature.slice(1);
      const none = btoa('{"alg":"none"}').replaceAll("=", "");
      for (const token of [
        `${header}.${payload}.${flipped}`,
        `${header}.${payload}.`,
        `${none}.${payload}.`,
        `${header}.${payload}.${signature}=`,
        `${header}.${payload}`,
        "",
        ".".repeat(4000),
        "é",
      ]) {
        const request = new Request("https://localhost/");
        // A header's text is Latin-1: what comes from the net may be any of it.
        request.headers.set("cookie", `${NAME}=${token}`);
        equal(
          await textOf(Promise.resolve(loginPage(setUp().sessions)(request))),
          "You are nobody",
        );
      }
      await readsAs(client, `${header}.${payload}.${flipped}`, "You are nobody");
      equal(events, [{ type: "rejected", reason: "forged" }]);
      for (const kind of [
        "expired",
        "early",
        "forged",
        "unknown-key",
        "wrong-purpose",
        "malformed",
      ] as const) {
        const { client, events } = setUp();
        const options = { secretKey: KEY, kind };
        await readsAs(
          client,
          await token({ data: { username: "admin" } }, options),
          "You are nobody",
        );
        equal(events, [{ type: "rejected", reason: kind }]);
      }
    },
  },
  {
    name: "overlapping requests that change different keys both take effect",
    async run() {
      const { sessions, client } = setUp({ store: memoryStore() });
      await client.session((session) => session.update({ kept: 1, removed: 2 }));
      const open = async () =>
        sessions.open(
          new Request("https://localhost/", { headers: { cookie: `${NAME}=${tokenOf(client)}` } }),
        );
      const [one, other, third] = await Promise.all([open(), open(), open()]);
      one.set("a", 1);
      other.set("b", 2);
      third.delete("removed");
      const responses = await Promise.all(
        [one, other, third].map(async (session) => sessions.commit(session, new Response())),
      );
      for (const { headers } of responses) {
        client.setCookie(headers.getSetCookie()[0] ?? "");
        const values = await client.session((session) => session.toJSON());
        equal(values, { kept: 1, a: 1, b: 2 });
      }
    },
  },
  {
    name: "responses that are immutable, shared or streamed get a cookie",
    async run() {
      const shared = new Response(null, { status: 204 });
      for (const make of [
        () => shared,
        () => new Response(new Blob(["streamed"]).stream()),
        () => Response.redirect("https://localhost/next", 302),
        () => new Response("text"),
      ]) {
        const { sessions } = setUp();
        const handler = sessions.handler((_request, session) => {
          session.set("a", 1);
          return make();
        });
        const response = await handler(new Request("https://localhost/"));
        const plain = make();
        equal(response.headers.getSetCookie().length, 1);
        equal(response.status, plain.status);
        equal(response.headers.get("location"), plain.headers.get("location"));
        equal(response.headers.get("content-type"), plain.headers.get("content-type"));
        equal(await response.text(), await plain.text());
      }
      equal([...shared.headers], []);
    },
  },
  {
    name: "what only has a then is waited for, from a handler and from a store",
    async run() {
      const memory = memoryStore();
      const store: Store = {
        get: (keys) => later(memory.get(keys)),
        replace: (...change) => later(memory.replace(...change)),
      };
      const { sessions, client } = setUp({ store });
      await signIn(client);
      const page = sessions.handler((_request, session) => {
        session.set("seen", true);
        return later(new Response("text"));
      });
      const cookie = `${NAME}=${tokenOf(client)}`;
      const request = new Request("https://localhost/", { headers: { cookie } });
      equal((await page(request)).headers.getSetCookie().length, 1);
      equal(await client.session((session) => session.get("seen")), true);
    },
  },
  {
    name: "after the commit a change throws",
    async run() {
      const { sessions } = setUp();
      const session = await sessions.open(new Request("https://localhost/"));
      await sessions.commit(session, new Response());
      await throwsCode(() => session.set("a", 1), "ERR_SESSION_COMMITTED");
    },
  },
  {
    name: "a store that is silent or fails is a 503",
    async run() {
      const silent: Store = { get: () => new Promise(() => {}), replace: () => false };
      const failing: Store = {
        get: () => Promise.reject(new Error("down")),
        replace: () => Promise.reject(new Error("down")),
      };
      const { client } = setUp();
      const copy = await signIn(client);
      for (const store of [silent, failing]) {
        const broken = setUp({ store });
        give(broken.client, copy);
        const response = await broken.client.get("/");
        equal([response.status, response.headers.get("retry-after")], [503, "2"]);
      }
    },
  },
  {
    name: "with the data in the store the cookie holds the id alone",
    async run() {
      const { client } = setUp({ dataIn: "store" });
      const text = "a".repeat(100_000);
      await client.session((session) => session.set("text", text));
      equal(tokenOf(client).length < 400, true);
      equal(await client.session((session) => session.get("text")), text);
    },
  },
  {
    name: "requests of other sites' pages are refused",
    async run() {
      const { sessions } = setUp();
      const url = "https://localhost/login";
      const post = (headers: HeadersInit) => new Request(url, { method: "POST", headers });
      equal(checkOrigin(post({ "sec-fetch-site": "cross-site" })), "cross-site");
      equal(checkOrigin(post({ origin: "https://evil.example" })), "other-origin");
      equal(checkOrigin(post({ origin: "https://localhost" })), null);
      const handler = protect(loginPage(sessions), { trustedOrigins: ["https://example.org"] });
      equal((await handler(post({ origin: "https://evil.example" }))).status, 403);
      const wrong = { trustedOrigins: ["https://example.org/"] };
      await throwsCode(() => protect(loginPage(sessions), wrong), "ERR_SESSION_OPTIONS");
    },
  },
  {
    name: "a cookie of Flask is read, a compressed one too",
    async run() {
      const options = { secretKey: "flask-fixture-key", now: () => 1_767_607_200_000 };
      const plain = "eyJ1c2VybmFtZSI6ImFkbWluIn0.aVuLoA.5ZU6CbbhVShn_upc4h6RV-TaPvE";
      const compressed = ".eJyrVkpUslKqGAUjDijVAgArV-x8.aVuLoA.ZVDGkPzjwvTQ1mRh1-zc0aZ69tI";
      equal(await readFlaskCookie(plain, options), { username: "admin" });
      equal(await readFlaskCookie(compressed, options), { a: "x".repeat(500) });
      equal(await readFlaskCookie(plain.replace("5", "6"), options), undefined);
    },
  },
];
