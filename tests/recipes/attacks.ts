import { type Client, createClient } from "madeleine/testing";
import { equal } from "../runtimes/assert.ts";
import { ask, requestText } from "../support/wire.ts";

/** A page that says who is signed in. */
export interface LoginPage {
  /** `http://localhost`, with a port. */
  readonly origin: string;
  /** Who a page says is signed in: `null` for nobody. */
  readonly userOf: (page: string) => string | null;
}

const EVIL = { origin: "https://evil.example", "sec-fetch-site": "cross-site" };
/** What a page shows that was made for developers. */
const SOURCE = /createSessions|\bat \w+ \(|\.ts\b/;

/** Sends a login page what other sites and wrong programs send. Throws where it is not safe. */
export async function attack({ origin, userOf }: LoginPage): Promise<void> {
  const visitor = (): Client =>
    createClient((request) => fetch(request, { redirect: "manual" }), { origin });
  const userIn = async (client: Client): Promise<string | null> =>
    userOf(await (await client.get("/")).text());

  async function signedIn(username: string): Promise<Client> {
    const client = visitor();
    await client.post("/login", { username });
    equal(await userIn(client), username);
    return client;
  }

  async function refusesOtherSites(): Promise<void> {
    const client = visitor();
    const login = await client.post("/login", { username: "mallory" }, { headers: EVIL });
    equal([login.status, client.cookies()], [403, []]);
    const user = await signedIn("admin");
    const other = await user.post("/login", { username: "mallory" }, { headers: EVIL });
    equal([other.status, await userIn(user)], [403, "admin"]);
    await user.post("/logout", {}, { headers: EVIL });
    equal(await userIn(user), "admin");
  }

  async function changesNothingByGet(): Promise<void> {
    const user = await signedIn("admin");
    for (const method of ["GET", "HEAD"]) {
      for (const path of ["/logout", "/login?username=mallory"]) {
        await user.fetch(path, { method, headers: { "sec-fetch-site": "cross-site" } });
        equal(await userIn(user), "admin");
      }
    }
  }

  async function refusesHandshakes(): Promise<void> {
    const handshake = ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"];
    const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    const headers = [...handshake, key, `Origin: ${EVIL.origin}`];
    const answer = await ask(Number(new URL(origin).port), requestText("GET /", headers));
    equal(answer.status, 403);
  }

  async function refusesOtherForms(): Promise<void> {
    const client = visitor();
    for (const form of [{ user: "mallory" }, { username: "" }, {}]) {
      equal([(await client.post("/login", form)).status, client.cookies()], [400, []]);
    }
    const json = JSON.stringify({ username: "mallory" });
    for (const type of ["application/json", "text/plain", "multipart/form-data"]) {
      const answer = await client.post("/login", json, { headers: { "content-type": type } });
      equal([answer.status >= 400, client.cookies()], [true, []]);
      equal(SOURCE.exec(await answer.text()), null);
    }
  }

  async function keepsUsersApart(): Promise<void> {
    const first = await signedIn("admin");
    const second = visitor();
    for (const { name, value } of first.cookies())
      second.setCookie(`${name}=${value}; Path=/; Secure; HttpOnly`);
    await second.post("/login", { username: "bob" });
    equal([await userIn(second), await userIn(first)], ["bob", null]);
  }

  await refusesOtherSites();
  await changesNothingByGet();
  await refusesHandshakes();
  await refusesOtherForms();
  await keepsUsersApart();
}
