import { describe, expect, test } from "bun:test";
import type { SessionEvent } from "../../session/mod.ts";
import {
  type App,
  createApp,
  Jar,
  OTHER_SECRET,
  requestWith,
  SECRET,
  show,
  START,
  untyped,
} from "../support/helpers.ts";
import { forge, KID, signText } from "../support/jws.ts";

const NAME = "__Host-Http-session";

describe("a cookie of no use is ignored and left alone", () => {
  const session = { sid: "AAECAwQFBgcICQoLDA0ODw", iat: START / 1000, ver: START };
  const claims = { aud: NAME, ...session, exp: START / 1000 + 60, data: { username: "eve" } };
  const header = { alg: "HS256", typ: "session+jwt", kid: KID };
  const text = forge({ header, payload: claims });

  test.each<[string, string, string]>([
    ["malformed", "", ""],
    ["malformed", "alice", ""],
    ["malformed", `"${signText(text, SECRET)}"`, ""],
    ["forged", signText(text, OTHER_SECRET), ""],
    [
      "unknown-key",
      signText(forge({ header: { ...header, kid: "AAAAAAAA" }, payload: claims }), SECRET),
      "",
    ],
    ["wrong-purpose", signText(forge({ header, payload: { ...claims, aud: "x" } }), SECRET), ""],
    ["expired", signText(forge({ header, payload: { ...claims, exp: 1 } }), SECRET), ""],
  ])("C13 %s: %p", async (reason, token) => {
    const { sessions, events } = createApp();
    const page = sessions.handler(show);
    const response = await page(requestWith(`${NAME}=${token}`));
    const visitor = await page(requestWith());
    expect(await response.text()).toBe(await visitor.text());
    expect([...response.headers]).toEqual([...visitor.headers]);
    expect(response.status).toBe(200);
    expect(events).toEqual(untyped([{ type: "rejected", reason }]));
    const end = sessions.handler((request, session) => {
      session.destroy();
      return show(request, session);
    });
    const ended = await end(requestWith(`${NAME}=${token}`));
    expect(ended.headers.getSetCookie()).toEqual([]);
  });

  test("D3 a write beside it begins a session with an id of its own", async () => {
    const { visit, look, sessions } = createApp();
    const jar = Object.assign(new Jar(), { cookie: `${NAME}=${signText(text, OTHER_SECRET)}` });
    await visit(jar, (session) => session.set("count", 1));
    expect(await look(jar.cookie)).toEqual({ count: 1 });
    expect((await sessions.open(requestWith(jar.cookie))).id).not.toBe(claims.sid);
  });

  test("B9 a token that comes in another way is nothing", async () => {
    const { visit, sessions } = createApp();
    const jar = new Jar();
    await visit(jar, (session) => session.set("username", "ann"));
    const [, token = ""] = jar.cookie?.split("=") ?? [];
    const request = new Request(`http://localhost/?${NAME}=${token}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, [NAME]: token, "x-session": token },
      body: new URLSearchParams({ [NAME]: token }),
    });
    expect((await sessions.open(request)).isNew).toBe(true);
  });
});

/** Two cookies of one session, the older one first, and one of another session. */
async function three(): Promise<{ app: App; cookies: string[] }> {
  const app = createApp();
  const jar = new Jar();
  const cookies: string[] = [];
  await app.visit(jar, (session) => session.set("count", 1));
  cookies.push(jar.cookie ?? "");
  await app.visit(jar, (session) => session.set("count", 2));
  cookies.push(jar.cookie ?? "");
  const mallory = new Jar();
  await app.visit(mallory, (session) => session.set("count", 9));
  app.events.length = 0;
  return { app, cookies: [...cookies, mallory.cookie ?? ""] };
}

describe("B2 two cookies of our name", () => {
  test.each<[string, (string | number)[], unknown, SessionEvent["type"][]]>([
    ["one that is no token, and ours", [`${NAME}=x`, 1], 2, []],
    ["ours, and one that is no token", [1, `${NAME}=a.b.c`], 2, []],
    ["the older and the newer one", [0, 1], 2, []],
    ["the newer and the older one", [1, 0], 2, []],
    ["the same one twice", [1, 1], 2, []],
    ["two sessions", [1, 2], undefined, ["ambiguous"]],
    ["two sessions, the other first", [2, 1], undefined, ["ambiguous"]],
    ["two sessions and an old one", [0, 2, 1], undefined, ["ambiguous"]],
    ["two that are no tokens", [`${NAME}=x`, `${NAME}=y`], undefined, ["rejected"]],
  ])("%s", async (_, picked, count, types) => {
    const { app, cookies } = await three();
    const header = picked.map((one) => (typeof one === "string" ? one : cookies[one])).join("; ");
    const session = await app.sessions.open(requestWith(header));
    expect(session.get("count")).toEqual(count);
    expect(app.events.map(({ type }) => type)).toEqual(types);
    const response = await app.sessions.commit(session, new Response());
    expect(response.headers.getSetCookie()).toEqual([]);
  });

  test("B5 in two header fields are two", async () => {
    const { app, cookies } = await three();
    using server = Bun.serve({ port: 0, fetch: app.sessions.handler(show) });
    const { promise, resolve } = Promise.withResolvers<string>();
    let received = "";
    const lines = ["GET / HTTP/1.1", "Host: a", "Connection: close"];
    const fields = [`Cookie: ${NAME}=x`, `Cookie: ${cookies[1]}`];
    await Bun.connect({
      hostname: server.hostname ?? "localhost",
      port: server.port ?? 0,
      socket: {
        open: (socket) => void socket.write([...lines, ...fields, "", ""].join("\r\n")),
        data: (_, data) => void (received += data.toString()),
        close: () => resolve(received),
      },
    });
    expect(await promise).toEndWith(`{"count":2}`);
  });
});
