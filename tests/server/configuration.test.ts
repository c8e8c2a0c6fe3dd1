import { describe, expect, test } from "bun:test";
import { generateKey, openStore, readConfiguration } from "../../server.ts";
import { KEY } from "../support/app.ts";

const DAY = 86_400;

describe("readConfiguration", () => {
  test("an empty environment is a server for this machine, with a key for this run", () => {
    const { trustedProxies, secretKey, ...rest } = readConfiguration({});
    expect(rest).toEqual({
      keySource: "random",
      secretKeyFallbacks: [],
      host: "127.0.0.1",
      port: 3000,
      publicOrigin: undefined,
      isSecure: false,
      storeUrl: "sqlite:data/madeleine.sqlite",
      lifetime: 30 * DAY,
      idleTimeout: 7 * DAY,
      loginRate: 10,
      log: "text",
    });
    expect(secretKey).toMatch(/^[\w-]{43}$/);
    expect(readConfiguration({}).secretKey).not.toBe(secretKey);
    expect(trustedProxies.check("127.0.0.1")).toBe(false);
  });

  const good: readonly (readonly [Record<string, string>, object])[] = [
    [{ SECRET_KEY: KEY }, { secretKey: KEY, keySource: "SECRET_KEY" }],
    [{ SECRET_KEY: "" }, { keySource: "random" }],
    [
      { SECRET_KEY: "", HOST: "localhost" },
      { keySource: "random", host: "localhost" },
    ],
    [{ HOST: "::1" }, { keySource: "random", host: "::1" }],
    [{ HOST: "127.8.8.8" }, { keySource: "random", host: "127.8.8.8" }],
    [
      { HOST: "0.0.0.0", SECRET_KEY: KEY },
      { keySource: "SECRET_KEY", host: "0.0.0.0" },
    ],
    [{ SECRET_KEY_FALLBACKS: "" }, { secretKeyFallbacks: [] }],
    [{ SECRET_KEY_FALLBACKS: " one  two\n" }, { secretKeyFallbacks: ["one", "two"] }],
    [{ PORT: "0" }, { port: 0 }],
    [{ PORT: "65535" }, { port: 65_535 }],
    [
      { PUBLIC_ORIGIN: "https://example.org" },
      { publicOrigin: "https://example.org", isSecure: true },
    ],
    [
      { PUBLIC_ORIGIN: "https://example.org:8443/" },
      { publicOrigin: "https://example.org:8443", isSecure: true },
    ],
    [
      { PUBLIC_ORIGIN: "http://localhost:3000" },
      { publicOrigin: "http://localhost:3000", isSecure: false },
    ],
    [{ STORE_URL: "memory:" }, { storeUrl: "memory:" }],
    [{ SESSION_LIFETIME: "3600" }, { lifetime: 3600, idleTimeout: 3600 }],
    [{ SESSION_LIFETIME: `${8 * DAY}` }, { lifetime: 8 * DAY, idleTimeout: 7 * DAY }],
    [{ SESSION_IDLE_TIMEOUT: "60" }, { lifetime: 30 * DAY, idleTimeout: 60 }],
    [{ LOGIN_RATE: "0" }, { loginRate: 0 }],
    [{ LOG: "json" }, { log: "json" }],
  ];
  test.each(good)("%j", (environment, part) => {
    expect(readConfiguration(environment)).toMatchObject(part);
  });

  test("TRUSTED_PROXIES are addresses and networks", () => {
    const { trustedProxies } = readConfiguration({ TRUSTED_PROXIES: "192.0.2.1, 10.0.0.0/8" });
    expect(trustedProxies.check("10.1.2.3")).toBe(true);
    expect(trustedProxies.check("192.0.2.2")).toBe(false);
  });

  const bad: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ HOST: "0.0.0.0" }, /^Cannot listen on 0\.0\.0\.0: SECRET_KEY is missing/],
    [{ HOST: "::", SECRET_KEY: "" }, /^Cannot listen on ::: SECRET_KEY is missing/],
    [{ HOST: "127.0.0.256" }, /^Cannot listen on .*: SECRET_KEY is missing/],
    [{ HOST: "127.00.0.1" }, /^Cannot listen on .*: SECRET_KEY is missing/],
    [{ HOST: "127.0.0.1.example.org" }, /^Cannot listen on .*: SECRET_KEY is missing/],
    [{ HOST: "", SECRET_KEY: KEY }, /^Cannot use HOST "": it is empty$/],
    [{ PORT: "" }, /^Cannot use PORT "": it is no whole number from 0 to 65535$/],
    [{ PORT: "65536" }, /^Cannot use PORT "65536"/],
    [{ PORT: "-1" }, /^Cannot use PORT/],
    [{ PORT: "3e3" }, /^Cannot use PORT/],
    [{ PORT: "80\n" }, /^Cannot use PORT "80\\n"/],
    [{ PUBLIC_ORIGIN: "" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "example.org" }, /^Cannot use PUBLIC_ORIGIN "example\.org": it is no origin/],
    [{ PUBLIC_ORIGIN: "ftp://example.org" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "https://example.org/app" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "https://a@example.org" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "https://Example.org" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "https://example.org:443" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ SESSION_LIFETIME: "0" }, /^Cannot use SESSION_LIFETIME "0"/],
    [{ SESSION_LIFETIME: "30d" }, /^Cannot use SESSION_LIFETIME/],
    [{ SESSION_LIFETIME: `${401 * DAY}` }, /^Cannot use SESSION_LIFETIME/],
    [{ SESSION_IDLE_TIMEOUT: "0.5" }, /^Cannot use SESSION_IDLE_TIMEOUT/],
    [{ LOGIN_RATE: "-1" }, /^Cannot use LOGIN_RATE/],
    [{ TRUSTED_PROXIES: "proxy" }, /^Cannot use TRUSTED_PROXIES: "proxy"/],
    [{ TRUSTED_PROXIES: "0.0.0.0/0" }, /^Cannot use TRUSTED_PROXIES/],
    [{ LOG: "" }, /^Cannot use LOG/],
    [{ LOG: "JSON" }, /^Cannot use LOG "JSON": it is neither text nor json$/],
  ];
  test.each(bad)("%j is refused in one line", (environment, message) => {
    const read = (): unknown => readConfiguration(environment);
    expect(read).toThrow(message);
    expect(read).not.toThrow(/\n/);
  });
});

describe("openStore", () => {
  test("opens memory and SQLite", () => {
    for (const url of ["memory:", "sqlite::memory:"]) {
      expect(openStore(url).get(["a"])).toEqual([undefined]);
    }
  });

  test.each([
    ["", /^Cannot use STORE_URL ":…": it is none of/],
    ["data/madeleine.sqlite", /^Cannot use STORE_URL ":…": it is none of/],
    ["sqlite:", /^Cannot use STORE_URL "sqlite:…"/],
    ["memory:x", /^Cannot use STORE_URL "memory:…"/],
    ["mysql://user:password@host/", /^Cannot use STORE_URL "mysql:…"/],
    [
      "sqlite:/dev/null/file",
      /^Cannot use STORE_URL "sqlite:\/dev\/null\/file": .*(?:EEXIST|ENOTDIR)/,
    ],
    ["sqlite:tests", /^Cannot use STORE_URL "sqlite:tests": unable to open database file$/],
    [
      "sqlite:package.json",
      /^Cannot use STORE_URL "sqlite:package\.json": file is not a database$/,
    ],
    ["redis://user:password@host:port", /^Cannot use STORE_URL "redis:…": Invalid URL/],
    ["postgres://user:password@host:port", /^Cannot use STORE_URL "postgres:…": Invalid URL/],
  ])("refuses %j in one line, without a password", (url, message) => {
    const open = (): unknown => openStore(url);
    expect(open).toThrow(message);
    expect(open).not.toThrow(/\n|password/);
  });
});

test("generateKey gives 32 random bytes, which are a key", () => {
  const keys = Array.from({ length: 100 }, generateKey);
  expect(new Set(keys).size).toBe(100);
  for (const key of keys) {
    expect(Buffer.from(key, "base64url")).toHaveLength(32);
    expect(readConfiguration({ SECRET_KEY: key, HOST: "0.0.0.0" }).secretKey).toBe(key);
  }
});
