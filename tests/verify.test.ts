import { afterEach, describe, expect, setSystemTime, test } from "bun:test";
import {
  createSessions,
  type Rejection,
  type SessionEvent,
  SessionOptionsError,
} from "../session/mod.ts";
import { deriveKeyPair, type PublicKey } from "../session/token/es256.ts";
import { token, type TokenOptions } from "../session/testing/mod.ts";
import { createVerifier, type KeySet, type Verifier } from "../session/verify.ts";
import { DAY, START } from "./support/clock.ts";
import { errorOf, untyped } from "./support/errors.ts";
import { OTHER_SECRET, SECRET } from "./support/secrets.ts";
import { AUDIENCE } from "./support/tokens.ts";

type Data = { username: string };

const URL_OF_KEYS = new URL("https://app.example/.well-known/jwks.json");

const app = { secretKey: SECRET, algorithm: "ES256", now: () => START } as const;
const claims = { data: { username: "admin" }, subject: "user-1" };

async function keyOf(secret: string): Promise<PublicKey> {
  return (await deriveKeyPair(new TextEncoder().encode(secret), "ES256 session")).publicKey;
}

function requestWith(...values: readonly string[]): Request {
  const cookie = values.map((value) => `${AUDIENCE}=${value}`).join("; ");
  return new Request("https://api.example/", { headers: { cookie } });
}

/** A verifier of the app, and the reasons that it gave. */
function watch(
  keys: URL | KeySet,
  now: () => number = () => START,
): { readonly verifier: Verifier<Data>; readonly events: readonly SessionEvent[] } {
  const events: SessionEvent[] = [];
  const onEvent = (event: SessionEvent): void => void events.push(event);
  return { verifier: createVerifier<Data>({ keys, now, onEvent }), events };
}

/** A JWK set at an address, which counts its readers, and can go away and change. */
class Published implements Disposable {
  keys: readonly PublicKey[];
  status = 200;
  fetches = 0;
  readonly url: URL;
  #server: Bun.Server<undefined>;

  constructor(...keys: readonly PublicKey[]) {
    this.keys = keys;
    this.#server = this.#serve(0);
    this.url = new URL("/.well-known/jwks.json", this.#server.url);
  }

  goAway(): Promise<void> {
    return this.#server.stop(true);
  }

  comeBack(): void {
    this.#server = this.#serve(Number(this.url.port));
  }

  [Symbol.dispose](): void {
    void this.#server.stop(true);
  }

  #serve(port: number): Bun.Server<undefined> {
    return Bun.serve({
      hostname: "127.0.0.1",
      port,
      fetch: () => {
        this.fetches++;
        return Response.json({ keys: this.keys }, { status: this.status });
      },
    });
  }
}

afterEach(() => {
  setSystemTime();
});

describe("a verifier with a JWK set", () => {
  test("reads a session of the app, and can't change it", async () => {
    const { verifier, events } = watch(await createSessions(app).publicKeys());
    const session = await verifier.read(requestWith(await token(claims, app)));
    expect(session?.get("username")).toBe("admin");
    expect(session?.subject).toBe("user-1");
    expect(session?.expiresAt).toEqual(new Date(START + 7 * DAY * 1000));
    expect(session).not.toHaveProperty("set");
    expect(events).toEqual([]);
  });

  test("gives nothing for a request without a cookie", async () => {
    const { verifier, events } = watch({ keys: [await keyOf(SECRET)] });
    expect(await verifier.read(new Request("https://api.example/"))).toBeUndefined();
    expect(await verifier.read({ headers: { cookie: "other=1" } })).toBeUndefined();
    expect(events).toEqual([]);
  });

  test("has no data where that is only in the store", async () => {
    const sessions = createSessions<Data>({ ...app, dataIn: "store" });
    const session = await sessions.open(requestWith());
    session.signIn("user-1");
    session.set("username", "admin");
    const sent = await sessions.commitCookie(session);
    const { verifier } = watch(await sessions.publicKeys());
    const read = await verifier.verify(sent?.value ?? "");
    expect([read?.subject, read?.size, read?.id]).toEqual(["user-1", 0, session.id]);
  });

  const kinds: readonly (readonly [Rejection, Partial<TokenOptions>])[] = [
    ["expired", { kind: "expired" }],
    ["early", { kind: "early" }],
    ["forged", { kind: "forged" }],
    ["unknown-key", { kind: "unknown-key" }],
    ["unknown-key", { secretKey: OTHER_SECRET }],
    ["wrong-purpose", { kind: "wrong-purpose" }],
    ["wrong-purpose", { cookie: { name: "other" } }],
    ["wrong-purpose", { algorithm: "HS256" }],
    ["malformed", { kind: "malformed" }],
  ];

  test.each(kinds)("refuses what is %s: %j", async (reason, change) => {
    const { verifier, events } = watch({ keys: [await keyOf(SECRET)] });
    const text = await token(claims, { ...app, ...change });
    expect(await verifier.verify(text)).toBeUndefined();
    expect(await verifier.read(requestWith(text))).toBeUndefined();
    expect(events).toEqual([
      { type: "rejected", reason },
      { type: "rejected", reason },
    ]);
  });

  test("accepts a header to the letter alone", async () => {
    const { verifier, events } = watch({ keys: [await keyOf(SECRET)] });
    const [header = "", ...rest] = (await token(claims, app)).split(".");
    const [alg, typ, { kid }] = ["ES256", "session+jwt", await keyOf(SECRET)];
    expect(JSON.parse(atob(header))).toEqual({ alg, typ, kid });
    const others = [
      { kid, alg, typ },
      { alg, typ, kid, jwk: await keyOf(SECRET) },
      { alg, typ },
    ];
    for (const other of others) {
      const text = [btoa(JSON.stringify(other)).replaceAll("=", ""), ...rest].join(".");
      expect(await verifier.verify(text)).toBeUndefined();
    }
    expect(new Set(events.map((event) => JSON.stringify(event)))).toEqual(
      new Set(['{"type":"rejected","reason":"wrong-purpose"}']),
    );
  });

  test("takes no side between cookies of two sessions", async () => {
    const { verifier, events } = watch({ keys: [await keyOf(SECRET)] });
    const [one, other] = [await token(claims, app), await token(claims, app)];
    expect(await verifier.read(requestWith(one, other))).toBeUndefined();
    expect((await verifier.read(requestWith(one, "junk")))?.subject).toBe("user-1");
    expect(events).toEqual([{ type: "ambiguous" }]);
  });
});

describe("a verifier with a URL", () => {
  test("fetches the keys once, for many requests", async () => {
    using published = new Published(await keyOf(SECRET));
    const { verifier } = watch(published.url);
    const request = requestWith(await token(claims, app));
    for (let count = 0; count < 20; count++) {
      expect((await verifier.read(request))?.get("username")).toBe("admin");
    }
    expect(published.fetches).toBe(1);
  });

  test("fetches them again for an unknown kid, at most once in 30 s", async () => {
    setSystemTime(new Date(START));
    using published = new Published(await keyOf(SECRET));
    const { verifier } = watch(published.url);
    const known = await token(claims, app);
    const unknown = await token(claims, { ...app, secretKey: OTHER_SECRET });
    await verifier.verify(known);
    for (let count = 0; count < 50; count++) {
      expect(await verifier.verify(unknown)).toBeUndefined();
    }
    expect(published.fetches).toBe(1);
    published.keys = [await keyOf(SECRET), await keyOf(OTHER_SECRET)];
    setSystemTime(new Date(START + 30_000));
    expect((await verifier.verify(unknown))?.subject).toBe("user-1");
    expect(published.fetches).toBe(2);
  });

  test("refuses a key that was withdrawn, after ten minutes", async () => {
    setSystemTime(new Date(START));
    using published = new Published(await keyOf(SECRET), await keyOf(OTHER_SECRET));
    const { verifier, events } = watch(published.url);
    const text = await token(claims, { ...app, secretKey: OTHER_SECRET });
    expect((await verifier.verify(text))?.subject).toBe("user-1");
    published.keys = [await keyOf(SECRET)];
    setSystemTime(new Date(START + 600_000));
    expect(await verifier.verify(text)).toBeUndefined();
    expect(events).toEqual([{ type: "rejected", reason: "unknown-key" }]);
  });

  test("goes on while the URL can't be reached, and does not ask for each request", async () => {
    setSystemTime(new Date(START));
    using published = new Published(await keyOf(SECRET));
    const { verifier, events } = watch(published.url);
    const known = await token(claims, app);
    const unknown = await token(claims, { ...app, secretKey: OTHER_SECRET });
    await verifier.verify(known);
    await published.goAway();
    setSystemTime(new Date(START + 600_000));
    expect((await verifier.verify(known))?.subject).toBe("user-1");
    published.comeBack();
    published.keys = [await keyOf(SECRET), await keyOf(OTHER_SECRET)];
    expect((await verifier.verify(known))?.subject).toBe("user-1");
    expect(await verifier.verify(unknown)).toBeUndefined();
    expect(published.fetches).toBe(1);
    setSystemTime(new Date(START + 630_000));
    expect((await verifier.verify(unknown))?.subject).toBe("user-1");
    expect(published.fetches).toBe(2);
    expect(events).toEqual([{ type: "rejected", reason: "unknown-key" }]);
  });

  test("uses what it has for a day at most, so a key that was withdrawn is over then", async () => {
    setSystemTime(new Date(START));
    using published = new Published(await keyOf(SECRET));
    const { verifier } = watch(published.url);
    const text = await token(claims, app);
    await verifier.verify(text);
    published.status = 404;
    setSystemTime(new Date(START + DAY * 1000 - 1));
    expect((await verifier.verify(text))?.subject).toBe("user-1");
    setSystemTime(new Date(START + DAY * 1000));
    expect(await errorOf(() => verifier.verify(text))).toMatchObject({ code: "ERR_SESSION_KEYS" });
  });

  test("fails where it never had the keys, and asks for them again after 30 s", async () => {
    setSystemTime(new Date(START));
    using published = new Published(await keyOf(SECRET));
    published.status = 500;
    const { verifier } = watch(published.url);
    const request = requestWith(await token(claims, app));
    const failure = { code: "ERR_SESSION_KEYS" };
    expect(await errorOf(() => verifier.read(request))).toMatchObject(failure);
    expect(await errorOf(() => verifier.read(request))).toMatchObject(failure);
    expect(published.fetches).toBe(1);
    published.status = 200;
    setSystemTime(new Date(START + 30_000));
    expect((await verifier.read(request))?.subject).toBe("user-1");
  });

  test("asks no other address that a token names", async () => {
    using published = new Published(await keyOf(SECRET));
    using other = new Published(await keyOf(OTHER_SECRET));
    const { verifier } = watch(published.url);
    const header = { alg: "ES256", typ: "session+jwt", kid: "AAAAAAAA", jku: other.url.href };
    const text = `${Buffer.from(JSON.stringify(header)).toString("base64url")}.e30.${"A".repeat(86)}`;
    expect(await verifier.verify(text)).toBeUndefined();
    expect(other.fetches).toBe(0);
  });
});

describe("a wrong option throws at once", () => {
  test.each<[string, unknown]>([
    ["no options", undefined],
    ["no keys", {}],
    ["a string as keys", { keys: "https://app.example/.well-known/jwks.json" }],
    ["a file as keys", { keys: new URL("file:///jwks.json") }],
    ["a list as keys", { keys: [] }],
    ["a key as keys", { keys: { kty: "EC" } }],
    ["a set without a key", { keys: { keys: [] } }],
    ["a key without a kid", { keys: { keys: [{ kty: "EC" }] } }],
    ["a private key", { keys: { keys: [{ kty: "EC", kid: "AAAAAAAA", d: "AA" }] } }],
    ["a misspelt option", { keys: URL_OF_KEYS, cookies: {} }],
    ["a wrong cookie", { keys: URL_OF_KEYS, cookie: { name: "a b" } }],
    ["a number as its clock", { keys: URL_OF_KEYS, now: 5 }],
    ["a string as its listener", { keys: URL_OF_KEYS, onEvent: "log" }],
  ])("%s", (_, options) => {
    expect(() => createVerifier(untyped(options))).toThrow(SessionOptionsError);
  });
});
