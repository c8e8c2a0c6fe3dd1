import { describe, expect, test } from "bun:test";
import {
  checkKey,
  isLoopback,
  type KeySource,
  readConfiguration,
} from "../../../routes/shared/configuration.ts";
import { KEY } from "../../support/app.ts";

const DAY = 86_400;
const OWN: KeySource = { from: "SECRET_KEY", secretKey: KEY };
const KEPT: KeySource = { from: "DATA_FOLDER", file: "data/secret.key" };

describe("readConfiguration", () => {
  test("an empty environment is a server for this machine, with a key that it keeps", () => {
    const { trustedProxies, ...rest } = readConfiguration({});
    expect(rest).toEqual({
      key: KEPT,
      secretKeyFallbacks: [],
      algorithm: undefined,
      host: "127.0.0.1",
      port: 3000,
      publicOrigin: undefined,
      isSecure: false,
      cookieName: undefined,
      storeUrl: "sqlite:data/madeleine.sqlite",
      lifetime: 30 * DAY,
      idleTimeout: 7 * DAY,
      loginRate: 10,
      log: "text",
    });
    expect(trustedProxies.check("127.0.0.1")).toBe(false);
  });

  const good: readonly (readonly [Record<string, string>, object])[] = [
    [{ SECRET_KEY: KEY }, { key: OWN }],
    [{ SECRET_KEY: `${KEY}\n` }, { key: OWN }],
    [{ SECRET_KEY: `\uFEFF \t${KEY}\r\n` }, { key: OWN }],
    [
      { SECRET_KEY: " \n", HOST: "localhost" },
      { key: KEPT, host: "localhost" },
    ],
    [{ SECRET_KEY_FILE: "/run/key\n" }, { key: { from: "SECRET_KEY_FILE", file: "/run/key" } }],
    [{ SECRET_KEY: KEY, SECRET_KEY_FILE: " " }, { key: OWN }],
    [
      { SECRET_KEY: "", SECRET_KEY_FILE: "key", HOST: "0.0.0.0" },
      { key: { from: "SECRET_KEY_FILE", file: "key" } },
    ],
    [{ HOST: "::1" }, { key: KEPT, host: "::1" }],
    [{ HOST: " 127.8.8.8\n" }, { key: KEPT, host: "127.8.8.8" }],
    [
      { HOST: "0.0.0.0", SECRET_KEY: KEY },
      { key: OWN, host: "0.0.0.0" },
    ],
    [{ SECRET_KEY_FALLBACKS: `${KEY}\r\n` }, { secretKeyFallbacks: [KEY] }],
    [{ SECRET_KEY_FALLBACKS: " one  two\n" }, { secretKeyFallbacks: ["one", "two"] }],
    [{ SESSION_ALGORITHM: " ES256\n" }, { algorithm: "ES256" }],
    [{ SESSION_ALGORITHM: "HS256" }, { algorithm: "HS256" }],
    [{ PORT: "0" }, { port: 0 }],
    [{ PORT: "65535" }, { port: 65_535 }],
    [{ PORT: "80\r\n" }, { port: 80 }],
    [{ COOKIE_NAME: " shop " }, { cookieName: "shop" }],
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
    [{ LOG: "json " }, { log: "json" }],
  ];
  test.each(good)("%j", (environment, part) => {
    expect(readConfiguration(environment)).toMatchObject(part);
  });

  const variables = [
    "SECRET_KEY",
    "SECRET_KEY_FILE",
    "SECRET_KEY_FALLBACKS",
    "SESSION_ALGORITHM",
    "HOST",
    "PORT",
    "PUBLIC_ORIGIN",
    "COOKIE_NAME",
    "STORE_URL",
    "SESSION_LIFETIME",
    "SESSION_IDLE_TIMEOUT",
    "LOGIN_RATE",
    "TRUSTED_PROXIES",
    "LOG",
  ];
  test.each(variables)("an empty %s is one that is not set", (name) => {
    const { trustedProxies: _, ...unset } = readConfiguration({});
    for (const value of ["", " ", "\r\n"]) {
      const { trustedProxies, ...rest } = readConfiguration({ [name]: value });
      expect(rest).toEqual(unset);
      expect(trustedProxies.check("127.0.0.1")).toBe(false);
    }
  });

  test("TRUSTED_PROXIES are addresses and networks", () => {
    const { trustedProxies } = readConfiguration({ TRUSTED_PROXIES: "192.0.2.1, 10.0.0.0/8" });
    expect(trustedProxies.check("10.1.2.3")).toBe(true);
    expect(trustedProxies.check("192.0.2.2")).toBe(false);
  });

  const bad: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ HOST: "0.0.0.0" }, /^Cannot listen on 0\.0\.0\.0: SECRET_KEY is missing/],
    [{ HOST: "::", SECRET_KEY: "" }, /^Cannot listen on ::: SECRET_KEY is missing/],
    [{ HOST: "0.0.0.0", SECRET_KEY: " " }, /^Cannot listen on 0\.0\.0\.0: SECRET_KEY is missing/],
    [
      { SECRET_KEY: KEY, SECRET_KEY_FILE: "key" },
      /^Cannot use SECRET_KEY_FILE: SECRET_KEY is set too/,
    ],
    [{ SECRET_KEY: `${KEY} ${KEY}` }, /^Cannot use SECRET_KEY: it has white space inside/],
    [{ SECRET_KEY: `${KEY}\n${KEY}` }, /^Cannot use SECRET_KEY: it has white space inside/],
    [{ SECRET_KEY: `${KEY}\uFFFD` }, /^Cannot use SECRET_KEY: it must be text in UTF-8$/],
    [
      { SECRET_KEY_FALLBACKS: `${KEY} ${KEY}\0` },
      /^Cannot use SECRET_KEY_FALLBACKS: it must be text in UTF-8$/,
    ],
    [{ HOST: "127.0.0.256" }, /^Cannot listen on .*: SECRET_KEY is missing/],
    [{ HOST: "127.00.0.1" }, /^Cannot listen on .*: SECRET_KEY is missing/],
    [{ HOST: "127.0.0.1.example.org" }, /^Cannot listen on .*: SECRET_KEY is missing/],
    [
      { SESSION_ALGORITHM: "es256" },
      /^Cannot use SESSION_ALGORITHM "es256": it must be HS256 or ES256$/,
    ],
    [{ PORT: "65536" }, /^Cannot use PORT "65536": it must be a whole number from 0 to 65535$/],
    [{ PORT: "-1" }, /^Cannot use PORT/],
    [{ PORT: "3e3" }, /^Cannot use PORT/],
    [{ PORT: "8 0" }, /^Cannot use PORT "8 0"/],
    [
      { PUBLIC_ORIGIN: "example.org" },
      /^Cannot use PUBLIC_ORIGIN "example\.org": it must be an origin such as/,
    ],
    [
      { PUBLIC_ORIGIN: "https://user:hunter2@example.org" },
      /^Cannot use PUBLIC_ORIGIN "https:…@example\.org"/,
    ],
    [{ LOG: "redis://:hunter2@host" }, /^Cannot use LOG "redis:…@host"/],
    [{ PUBLIC_ORIGIN: "ftp://example.org" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "https://example.org/app" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "https://a@example.org" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "https://*.example.org" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "https://example.org//" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "https://example.org/?" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "null" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "https://Example.org" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ PUBLIC_ORIGIN: "https://example.org:443" }, /^Cannot use PUBLIC_ORIGIN/],
    [{ SESSION_LIFETIME: "0" }, /^Cannot use SESSION_LIFETIME "0"/],
    [{ SESSION_LIFETIME: "30d" }, /^Cannot use SESSION_LIFETIME/],
    [{ SESSION_LIFETIME: `${401 * DAY}` }, /^Cannot use SESSION_LIFETIME/],
    [{ SESSION_IDLE_TIMEOUT: "0.5" }, /^Cannot use SESSION_IDLE_TIMEOUT/],
    [{ LOGIN_RATE: "-1" }, /^Cannot use LOGIN_RATE/],
    [{ TRUSTED_PROXIES: "proxy" }, /^Cannot use TRUSTED_PROXIES: "proxy"/],
    [{ TRUSTED_PROXIES: "0.0.0.0/0" }, /^Cannot use TRUSTED_PROXIES/],
    [{ LOG: "JSON" }, /^Cannot use LOG "JSON": it must be text or json$/],
  ];
  test.each(bad)("%j is refused in one line", (environment, message) => {
    const read = (): unknown => readConfiguration(environment);
    expect(read).toThrow(message);
    expect(read).not.toThrow(/\n|hunter2/);
    expect(read).not.toThrow(KEY);
  });
});

test("checkKey takes the white space around a key away, and refuses what is none", () => {
  expect(checkKey(`\r\n ${KEY}\n`, "key")).toBe(KEY);
  expect(() => checkKey(" \n", "data/secret.key")).toThrow(
    "Cannot use data/secret.key: it is empty",
  );
  expect(() => checkKey(`${KEY}\n${KEY}`, "key")).toThrow("Cannot use key: it has white space");
});

test.each(["\uFFFD", "\0", "\x1B", "\x7F", "\x9F"])(
  "checkKey refuses what is no text: %j",
  (text) => {
    for (const key of [`${KEY}${text}`, `${text}${KEY}`]) {
      expect(() => checkKey(key, "key")).toThrow(/^Cannot use key: it must be text in UTF-8$/);
    }
  },
);

test.each(["ключ".repeat(9), "🔑".repeat(9), "Ａ".repeat(36)])("checkKey takes text: %p", (key) => {
  expect(checkKey(key, "key")).toBe(key);
});

test.each([
  ["127.0.0.1", true],
  ["127.255.0.9", true],
  ["localhost", true],
  ["::1", true],
  ["0.0.0.0", false],
  ["::", false],
  ["192.0.2.1", false],
  ["localhost.example.org", false],
])("isLoopback of %s is %p", (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});
