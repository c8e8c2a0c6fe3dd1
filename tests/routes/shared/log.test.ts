import { describe, expect, test } from "bun:test";
import { createLog } from "../../../routes/shared/log.ts";
import { memoryStore, type Store } from "../../../session/mod.ts";
import { Browser, testApp } from "../../support/app.ts";

const LINE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [\w-]+/;

interface JsonLine {
  readonly time: string;
  readonly events: readonly Readonly<Record<string, unknown>>[];
  readonly address?: string;
}

const parseLine: (line: string) => JsonLine = JSON.parse;

/** The lines without their time. */
function texts(lines: readonly string[]): string[] {
  return lines.map((line) => line.slice(line.indexOf(" ") + 1));
}

describe("createLog", () => {
  test("writes what a request noted on one line, with its fields and the time in UTC", async () => {
    const lines: string[] = [];
    const log = createLog("text", (line) => void lines.push(line));
    await log.around(
      async () => {
        log.note("first", { user: "admin" });
        await Bun.sleep(0);
        log.note("second");
        return new Response();
      },
      () => ({ address: "192.0.2.1" }),
    )();
    expect(texts(lines)).toEqual(['first user="admin"; second address="192.0.2.1"']);
    expect(lines[0]).toMatch(LINE);
  });

  test("writes nothing for a request where nothing happened", async () => {
    const lines: string[] = [];
    const log = createLog("text", (line) => void lines.push(line));
    await log.around(
      () => new Response(),
      () => ({}),
    )();
    expect(lines).toEqual([]);
  });

  test("keeps apart the notes of requests that overlap", async () => {
    const lines: string[] = [];
    const log = createLog("text", (line) => void lines.push(line));
    const request = async (name: string): Promise<Response> =>
      log.around(
        async () => {
          log.note("begin", { name });
          await Bun.sleep(0);
          log.note("end", { name });
          return new Response();
        },
        () => ({}),
      )();
    await Promise.all([request("a"), request("b")]);
    expect(texts(lines)).toEqual(['begin name="a"; end name="a"', 'begin name="b"; end name="b"']);
  });

  test("writes what a request noted before it threw", async () => {
    const lines: string[] = [];
    const log = createLog("text", (line) => void lines.push(line));
    const fail = (): never => {
      log.note("first");
      throw new Error("no answer");
    };
    for (const answer of [fail, async () => fail()]) {
      const request = async (): Promise<Response> => log.around(answer, () => ({}))();
      expect(request).toThrow("no answer");
    }
    await Bun.sleep(0);
    expect(texts(lines)).toEqual(["first", "first"]);
  });

  test.each([
    [303, ["tried; did"]],
    [404, ["tried; did"]],
    [500, ["tried"]],
    [503, ["tried"]],
  ])("writes what was done where the answer is %d: %j", async (status, expected) => {
    const lines: string[] = [];
    const log = createLog("text", (line) => void lines.push(line));
    await log.around(
      () => {
        log.note("tried");
        log.note("did", {}, "done");
        return new Response(null, { status });
      },
      () => ({}),
    )();
    expect(texts(lines)).toEqual(expected);
  });

  test("writes what comes after the answer on a line of its own", async () => {
    const lines: string[] = [];
    const log = createLog("text", (line) => void lines.push(line));
    const late = Promise.withResolvers<void>();
    await log.around(
      () => {
        setTimeout(() => {
          log.note("late-write");
          late.resolve();
        });
        log.note("first");
        return new Response();
      },
      () => ({}),
    )();
    await late.promise;
    expect(texts(lines)).toEqual(["first", "late-write"]);
  });

  const hostile = [
    "\n2026-01-01T00:00:00.000Z login",
    "\u2028x",
    "\u0085x",
    "\u009B31m",
    "\u202Ex",
    "\u200Bx",
    "\u00ADx",
    "\u3164x",
    "\u00A0x",
    "\u3000x",
    "\u2800x",
    "\u2D7Fx",
    "\u{1107F}x",
    "\u{13440}x",
    "\u{13441}x",
    "\u{13442}x",
    "\u{16FE4}x",
    "\uFE0Fx",
    "\u{E0061}x",
    "\u{E0100}x",
    "\u{F0000}x",
    "\uFFFEx",
  ];
  test.each(hostile.map((text) => [JSON.stringify(text).slice(1, 9), text] as const))(
    "I: keeps %s in its quotes, in either format",
    (_name, text) => {
      for (const format of ["text", "json"] as const) {
        const lines: string[] = [];
        createLog(format, (line) => void lines.push(line)).note("event", { user: `a"; ${text}` });
        expect(lines).toHaveLength(1);
        expect(lines[0]).toMatch(/^[\x20-\x7E]+$/);
        expect(lines[0]).toContain(format === "text" ? 'user="a\\"; ' : '"user":"a\\"; ');
      }
    },
  );

  test("json: gives the same text back", () => {
    const lines: string[] = [];
    const log = createLog("json", (line) => void lines.push(line));
    const user = hostile.join('"\\é漢');
    log.note("event", { user });
    expect(parseLine(lines[0] ?? "").events).toEqual([{ event: "event", user }]);
  });
});

/** The lines that a flow makes, without the times. */
async function linesOf(flow: (browser: Browser) => Promise<unknown>): Promise<string[]> {
  const { send, lines } = testApp();
  await flow(new Browser(send));
  for (const line of lines) expect(line).toMatch(LINE);
  return texts(lines);
}

function fail(): never {
  throw new Error("no store");
}

describe("I: the application's log", () => {
  test("says who logged in and out, and from where", async () => {
    const lines = await linesOf(async (browser) => {
      await browser.login("admin");
      await browser.get("/");
      await browser.post("/logout");
      await browser.login("admin");
      await browser.post("/logout/everywhere");
    });
    expect(lines).toEqual([
      'login user="admin" address="127.0.0.1"',
      'logout user="admin" address="127.0.0.1"',
      'login user="admin" address="127.0.0.1"',
      'logout-everywhere user="admin" address="127.0.0.1"',
    ]);
  });

  test("says nothing of visitors and readers", async () => {
    const lines = await linesOf(async (browser) => {
      for (const path of ["/", "/login", "/nothing", "/healthz"]) await browser.get(path);
      await browser.login("");
    });
    expect(lines).toEqual([]);
  });

  test("says why a request was refused", async () => {
    const lines = await linesOf(async (browser) => {
      await browser.post("/login", {}, { "sec-fetch-site": "cross-site" });
      await browser.get("/", { cookie: "session=x" });
    });
    expect(lines).toEqual([
      'refused-origin reason="cross-site" address="127.0.0.1"',
      'rejected reason="malformed" address="127.0.0.1"',
    ]);
  });

  test("B8: has one line at most for a request, whatever its cookies", async () => {
    const cookies = ["session=x; session=y; session=a.b.c", "session=; ".repeat(50), "session"];
    for (const cookie of cookies) {
      const lines = await linesOf(async (browser) => browser.get("/", { cookie }));
      expect(lines.length).toBeLessThanOrEqual(1);
    }
  });

  test("has one line for an error, with its reason, its code and whose request it was", async () => {
    const { send, lines } = testApp({
      isReady: () => {
        throw Object.assign(new Error("no\nstore"), { code: "ERR_OF_OURS" });
      },
    });
    expect((await new Browser(send).get("/readyz")).status).toBe(500);
    expect(texts(lines)).toEqual([
      'error error="no\\nstore" code="ERR_OF_OURS" address="127.0.0.1"',
    ]);
  });

  test("does not call a login one that was not committed", async () => {
    const store: Store = { get: fail, replace: fail };
    const { send, lines } = testApp({ store });
    expect((await new Browser(send).login("admin")).status).toBe(503);
    expect(texts(lines)).toEqual(['unavailable address="127.0.0.1"']);
  });

  test.each(["/logout", "/login"])(
    "does not write what POST %s did where the commit failed",
    async (path) => {
      const inner = memoryStore();
      let isDown = false;
      const store: Store = {
        get: (keys) => inner.get(keys),
        replace: (...change) => (isDown ? fail() : inner.replace(...change)),
      };
      const { send, lines } = testApp({ store });
      const browser = new Browser(send);
      await browser.login("admin");
      isDown = true;
      expect((await browser.post(path, { username: "other" })).status).toBe(503);
      expect(texts(lines).slice(1)).toEqual(['unavailable address="127.0.0.1"']);
      isDown = false;
      expect(await browser.words("/")).toContain("Logged in as admin");
    },
  );

  test("says nothing of a server that is not ready", async () => {
    const { send, lines } = testApp({ isReady: () => false });
    expect((await new Browser(send).get("/readyz")).status).toBe(503);
    expect(lines).toEqual([]);
  });

  test("LOG=json: has a line of JSON for a request", async () => {
    const lines: string[] = [];
    const { send } = testApp({ log: createLog("json", (line) => void lines.push(line)) });
    await new Browser(send).login("admin");
    const [line = "", ...others] = lines;
    const { time, ...rest } = parseLine(line);
    expect(others).toEqual([]);
    expect(new Date(time).toISOString()).toBe(time);
    expect(rest).toEqual({ events: [{ event: "login", user: "admin" }], address: "127.0.0.1" });
  });

  test("has no token and no session id, whatever happens", async () => {
    const { send, lines } = testApp();
    const browser = new Browser(send);
    const cookies: string[] = [];
    const keep = (): void => void cookies.push(browser.cookies.get("session") ?? "");
    await browser.login("admin");
    keep();
    const old = browser.copy();
    await browser.login("admin");
    keep();
    await old.get("/"); // superseded
    await old.post("/logout"); // dropped
    const last = browser.copy();
    await browser.post("/logout");
    await last.get("/"); // ended
    // With another session's signature.
    const [first = "", second = ""] = cookies;
    const forged = second.slice(0, second.lastIndexOf(".")) + first.slice(first.lastIndexOf("."));
    await new Browser(send).get("/", { cookie: `session=${forged}` });
    const text = lines.join("\n");
    for (const event of ["superseded", "ended", "rejected"]) expect(text).toContain(event);
    for (const cookie of cookies) {
      const [, claims = ""] = cookie.split(".");
      const secrets = [
        ...cookie.split("."),
        ...(Buffer.from(claims, "base64url")
          .toString()
          .match(/[\w-]{22}/g) ?? []),
      ];
      expect(secrets).toHaveLength(4);
      expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
    }
  });
});
