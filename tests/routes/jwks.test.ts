import { describe, expect, test } from "bun:test";
import { memoryStore, type Store } from "../../session/mod.ts";
import { createVerifier, type KeySet } from "../../session/verify.ts";
import { Browser, KEY, testApp } from "../support/app.ts";
import { OTHER_SECRET } from "../support/secrets.ts";

const PATH = "/.well-known/jwks.json";
const parseKeys: (text: string) => KeySet = JSON.parse;
const BROKEN_STORE: Store = {
  get: () => Promise.reject(new Error("down")),
  replace: () => Promise.reject(new Error("down")),
};

function browserOf(options: Parameters<typeof testApp>[0] = {}): Browser {
  return new Browser(testApp({ algorithm: "ES256", ...options }).send);
}

async function textOf(browser: Browser): Promise<string> {
  return (await browser.get(PATH)).text();
}

describe("/.well-known/jwks.json", () => {
  test("has the public keys, the current one first, for caches and pages of other sites", async () => {
    const response = await browserOf({ secretKeyFallbacks: [OTHER_SECRET] }).get(PATH);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/jwk-set+json");
    expect(response.headers.get("cache-control")).toBe("public, max-age=300");
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.get("etag")).toMatch(/^"[\w-]{43}"$/);
    const { keys } = parseKeys(await response.text());
    expect(keys).toHaveLength(2);
    for (const key of keys) {
      expect(Object.keys(key)).toEqual(["kty", "crv", "x", "y", "kid", "alg", "use"]);
    }
  });

  test("verifies a session of the server", async () => {
    const browser = browserOf();
    await browser.login("admin");
    const keys = parseKeys(await (await browser.get(PATH)).text());
    const verifier = createVerifier({ keys, cookie: { secure: false } });
    const session = await verifier.read({ headers: { cookie: browser.cookie } });
    expect(session?.get("username")).toBe("admin");
  });

  test("reads and sets no cookie, also where there is one, and while the store is down", async () => {
    const known = browserOf();
    await known.login("admin");
    const browser = browserOf({ store: BROKEN_STORE });
    const responses = [
      await browser.get(PATH),
      await browser.get(PATH, { cookie: known.cookie }),
      await browser.get(PATH, { cookie: "session=junk", "sec-fetch-site": "cross-site" }),
    ];
    for (const response of responses) {
      expect(response.status).toBe(200);
      expect(response.headers.has("set-cookie")).toBe(false);
      expect(response.headers.has("vary")).toBe(false);
    }
  });

  test("is not sent again to who has it", async () => {
    const browser = browserOf();
    const etag = (await browser.get(PATH)).headers.get("etag") ?? "";
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const response = await browser.get(PATH, { "if-none-match": known });
      expect([response.status, await response.text()]).toEqual([304, ""]);
      expect(response.headers.get("etag")).toBe(etag);
      expect(response.headers.get("cache-control")).toBe("public, max-age=300");
    }
    expect((await browser.get(PATH, { "if-none-match": '"other"' })).status).toBe(200);
  });

  test("is the same of every instance with the secret, and another one of another", async () => {
    const text = await textOf(browserOf());
    expect(await textOf(browserOf({ store: memoryStore() }))).toBe(text);
    const rolled = browserOf({ secretKey: OTHER_SECRET, secretKeyFallbacks: [KEY] });
    expect(await textOf(rolled)).not.toBe(text);
  });

  test("takes GET and HEAD alone", async () => {
    const head = await browserOf().send(PATH, { method: "HEAD" });
    expect([head.status, head.headers.get("content-type")]).toEqual([
      200,
      "application/jwk-set+json",
    ]);
    const post = await browserOf().send(PATH, { method: "POST" });
    expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });

  test.each([undefined, "HS256"] as const)("is no page with %p", async (algorithm) => {
    expect((await browserOf({ algorithm }).get(PATH)).status).toBe(404);
  });
});
