/** The security checklist, D to F: see `security.test.ts` for the points that are elsewhere. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createSessions } from "../../session/mod.ts";
import { type Instance, startInstance } from "../support/instance.ts";
import { cookiesOf, identityOf, loggedIn, sidOf, Visitor, whoIs } from "../support/visitor.ts";
import { ask, exchange, linesOf, loginText, requestText } from "../support/wire.ts";

// Processes start and stop here, on a machine that may be busy.
setDefaultTimeout(60_000);

const SECRET = "kq2V-3xJ9_wTz7LmPbY4cRhN8sGdF6uA";
const NAME = "__Host-Http-session";

let secure: Instance;
beforeAll(async () => {
  secure = await startInstance({ environment: { PUBLIC_ORIGIN: "https://login.example" } });
});
afterAll(async () => {
  await secure[Symbol.asyncDispose]();
});

describe("D the life of a session", () => {
  test("D1: ids are 16 random bytes: 100,000 are unique, and each bit is as often 0 as 1", async () => {
    const sessions = createSessions({ secretKey: SECRET, store: null });
    const count = 100_000;
    const ids = new Set<string>();
    const found = new Map<number, number>(); // How often each place has each byte.
    for (let index = 0; index < count; index++) {
      const { id } = await sessions.open(new Request("http://localhost/"));
      ids.add(id);
      const bytes = Buffer.from(id, "base64url");
      if (bytes.length !== 16) throw new Error(`The id ${id} has ${bytes.length} bytes`);
      for (const [place, byte] of bytes.entries()) {
        const at = place * 256 + byte;
        found.set(at, (found.get(at) ?? 0) + 1);
      }
    }
    expect(ids.size).toBe(count);
    const ones = Array.from({ length: 128 }, (_, bit) => {
      const set = [...found].filter(([at]) => at >> 8 === bit >> 3 && (at >> (bit & 7)) & 1);
      return set.reduce((sum, [, times]) => sum + times, 0);
    });
    // Seven standard deviations: chance alone is that far off once in three billion runs.
    const furthest = Math.max(...ones.map((times) => Math.abs(times - count / 2)));
    expect(furthest).toBeLessThan(7 * Math.sqrt(count / 4));
  });

  test("D2: a login gives a new token, and ends the old one", async () => {
    const visitor = await loggedIn(secure, "alice");
    const { cookie, token } = visitor;
    await visitor.login("alice");
    expect(sidOf(visitor.token)).not.toBe(sidOf(token));
    expect(await whoIs(secure, `Cookie: ${cookie}`)).toBeNull();
    expect(await whoIs(secure, `Cookie: ${visitor.cookie}`)).toBe("alice");
  });

  test("D3: an id that the visitor chose is never taken", async () => {
    const id = "AAAAAAAAAAAAAAAAAAAAAA";
    for (const value of [id, `${id}.`, btoa(JSON.stringify({ sid: id, username: "alice" }))]) {
      const visitor = new Visitor(secure.port, `${NAME}=${value}`);
      expect(identityOf((await visitor.get("/")).body)).toBeNull();
      await visitor.login("alice");
      expect(sidOf(visitor.token)).not.toBe(id);
    }
  });

  test("D4: a login with somebody else's cookie takes nothing of theirs along", async () => {
    const mallory = await loggedIn(secure, "mallory");
    const victim = new Visitor(secure.port, mallory.cookie);
    await victim.login("alice");
    const page = await victim.get("/");
    expect(identityOf(page.body)).toBe("alice");
    expect(page.body).not.toContain("mallory");
  });

  test("D5: after a logout no spelling of the token is a login", async () => {
    const visitor = await loggedIn(secure, "alice");
    const { token } = visitor;
    await visitor.post("/logout");
    const spellings = [token, `${token}=`, ` ${token}`, token.replaceAll("-", "+"), `"${token}"`];
    for (const last of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") {
      spellings.push(token.slice(0, -1) + last);
    }
    for (const spelling of spellings) {
      expect(await whoIs(secure, `Cookie: ${NAME}=${spelling}`)).toBeNull();
    }
  });

  test("D10: a forged cookie that names somebody's session ends nothing of it", async () => {
    const bob = await loggedIn(secure, "bob");
    const forged = `${bob.token.slice(0, bob.token.lastIndexOf("."))}.${"A".repeat(43)}`;
    for (const path of ["/logout", "/logout/everywhere", "/account/end/others", "/login"]) {
      await new Visitor(secure.port, `${NAME}=${forged}`).post(path);
    }
    expect(await whoIs(secure, `Cookie: ${bob.cookie}`)).toBe("bob");
  });
});

describe("E what other sites can make a browser send", () => {
  const FOREIGN = ["Sec-Fetch-Site: cross-site", "Origin: https://evil.example"];

  test.each(["/login", "/logout", "/logout/everywhere", "/account/end", "/account/end/others"])(
    "E2, E3: POST %s is refused whatever its type, and changes nothing",
    async (path) => {
      const alice = await loggedIn(secure, "alice");
      const types = [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=a",
        "text/plain",
        "application/json",
        "APPLICATION/X-WWW-FORM-URLENCODED",
        "text/plain;a=b",
        "",
        "*/*",
      ];
      for (const type of types) {
        for (const own of [[], [`Cookie: ${alice.cookie}`]]) {
          const headers = [...own, ...FOREIGN, `Content-Type: ${type}`];
          const text = requestText(`POST ${path}`, headers, "username=mallory");
          const answer = await ask(secure.port, text);
          expect([type, answer.status, cookiesOf(answer)]).toEqual([type, 403, []]);
        }
      }
      expect(await whoIs(secure, `Cookie: ${alice.cookie}`)).toBe("alice");
    },
  );

  test("E4, F8: no other method logs anybody out, nor does a page of another site", async () => {
    const { cookie } = await loggedIn(secure, "alice");
    const own = `Cookie: ${cookie}`;
    for (const path of ["/logout", "/logout/everywhere", "/account/end", "/login", "/"]) {
      for (const method of ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE"]) {
        const text = requestText(`${method} ${path}`, [own, "Connection: close"]);
        const received = await exchange(secure.port, text);
        expect(received).not.toMatch(/^set-cookie:/im);
        if (method === "HEAD") expect(received).toEndWith("\r\n\r\n");
      }
      const foreign = await ask(secure.port, requestText(`GET ${path}`, [own, ...FOREIGN]));
      expect([200, 405]).toContain(foreign.status);
    }
    expect(await whoIs(secure, own)).toBe("alice");
  });

  test("E5: a method in a header, the query or the form is no method", async () => {
    const { cookie } = await loggedIn(secure, "alice");
    const override = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"];
    const headers = [`Cookie: ${cookie}`, ...override.map((name) => `${name}: POST`), ...FOREIGN];
    const answer = await ask(secure.port, requestText("GET /logout?_method=POST", headers));
    expect(answer.status).toBe(200);
    expect(await whoIs(secure, `Cookie: ${cookie}`)).toBe("alice");
  });

  test.each(["multipart/form-data; boundary=a", "application/json", "text/plain", "x"])(
    "E6: a login of type %s is 415",
    async (type) => {
      const text = requestText("POST /login", [`Content-Type: ${type}`], '{"username":"alice"}');
      const answer = await ask(secure.port, text);
      expect([answer.status, cookiesOf(answer)]).toEqual([415, []]);
    },
  );

  test.each(["", "\0", "a\r\nb", "\u202Ea", "a".repeat(101), " ", "a\u2028b", "\x7F"])(
    "E6: a login as %j is 400",
    async (username) => {
      const answer = await ask(secure.port, loginText(username));
      expect([answer.status, cookiesOf(answer)]).toEqual([400, []]);
    },
  );

  test("E9: a login is followed by a GET of a path, whatever Host it came for", async () => {
    const text = loginText("alice").replace("Host: localhost", "Host: evil.example");
    const answer = await ask(secure.port, text);
    expect([answer.status, linesOf(answer, "location")]).toEqual([303, ["/"]]);
    expect(answer.body).toBe("");
  });
});

describe("F the answers", () => {
  test("F4: no other site may read one", async () => {
    for (const origin of ["https://evil.example", "null", "https://login.example", "*", "a"]) {
      const { lines } = await ask(secure.port, requestText("GET /", [`Origin: ${origin}`]));
      expect(lines.filter((line) => /^access-control/i.test(line))).toEqual([]);
    }
  });

  test.each(["a%0D%0ASet-Cookie:b=c", "%C4%8D%C4%8A", "%0AX:1"])(
    "F7: a line break from %s is in no header",
    async (text) => {
      const visitor = await loggedIn(secure, "alice");
      const answers = [
        await visitor.get(`/?next=${text}`),
        await visitor.get(`/${text}`),
        await ask(secure.port, requestText("GET /login", [`Cookie: ${NAME}=${text}`])),
        await ask(
          secure.port,
          requestText(
            "POST /login",
            ["Content-Type: application/x-www-form-urlencoded"],
            `username=${text}`,
          ),
        ),
      ];
      for (const { status, lines } of answers) {
        expect(status).toBeLessThan(500);
        expect(lines.filter((line) => /^(?:set-cookie:b|x:)/i.test(line))).toEqual([]);
      }
    },
  );
});
