/** The server over raw sockets: what is no request, what is too long, and what never ends. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { SECURITY_HEADERS } from "../../routes/shared/answers.ts";
import { type Instance, SHORT_TIMES, startInstance } from "../support/instance.ts";
import { loggedIn } from "../support/visitor.ts";
import {
  type Answer,
  ask,
  exchange,
  linesOf,
  loginText,
  requestText,
  sendAndReset,
  Wire,
} from "../support/wire.ts";

// Processes start and stop here, on a machine that may be busy.
setDefaultTimeout(60_000);

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance({ script: SHORT_TIMES });
});
afterAll(async () => instance[Symbol.asyncDispose]());

const ROUTES = [
  "/",
  "/login",
  "/logout",
  "/logout/everywhere",
  "/account",
  "/account/end",
  "/account/end/others",
  "/healthz",
  "/readyz",
  "/nothing",
];
const FORM = "Content-Type: application/x-www-form-urlencoded";

/** A request whose lines are all given; `Connection: close` ends the connection after its answer. */
function lines(...all: readonly string[]): string {
  return [...all, "Connection: close", "", ""].join("\r\n");
}

/** The statuses of all answers on one connection. */
async function statuses(data: string | Uint8Array): Promise<number[]> {
  const received = await exchange(instance.port, data);
  const found = received.matchAll(/^HTTP\/1\.1 (\d{3}) /gm);
  return Array.from(found, ([, status]) => Number(status));
}

function expectHeaders(answer: Answer): void {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) {
    expect([name, ...linesOf(answer, name)]).toEqual([name, value]);
  }
  expect(linesOf(answer, "set-cookie")).toEqual([]);
}

describe("a Host that is none is answered with 400, and every header of ours, on", () => {
  test.each(ROUTES)("%s", async (route) => {
    for (const host of HOSTS) {
      const request = lines(`GET ${route} HTTP/1.1`, ...host);
      const answer = await ask(instance.port, request);
      expect([host, answer.status]).toEqual([host, 400]);
      expectHeaders(answer);
    }
    const old = await ask(instance.port, lines(`GET ${route} HTTP/1.0`));
    expect(old.status).toBe(400);
    expectHeaders(old);
    // Bun answers this one itself, with a bare line.
    expect(await statuses(lines(`GET ${route} HTTP/1.1`))).toEqual([400]);
  });
});

const HOSTS: readonly (readonly string[])[] = [
  ["Host: a", "Host: b"],
  ["Host: localhost", "Host: localhost"],
  ["Host:", "Host: a"],
  ["Host: a", "Host:"],
  ["Host:"],
  ["Host: a,b"],
  ["Host: a b"],
  ["Host: a/b"],
  ["Host: a?b"],
  ["Host: a#b"],
  ["Host: a\\b"],
  ["Host: user@a"],
  ["Host: http://a"],
  ["Host: a:b"],
  ["Host: a:99999"],
  ["Host: a:1:2"],
  ["Host: :80"],
  ["Host: [::1"],
  ["Host: [a]"],
  ["Host: ::1"],
  ["Host: %61"],
  ["Host: \xE4"],
  ["Host: <a>"],
  ["Host: 999.1.1.1"],
];

test.each(["localhost", "LOCALHOST:80", "127.0.0.1:3000", "[::1]:3000", "a_b.example.", "a:"])(
  "Host: %s is one",
  async (host) => {
    const answer = await ask(instance.port, lines("GET /login HTTP/1.1", `Host: \t${host} `));
    expect(answer.status).toBe(200);
  },
);

test("a host that is refused is one line of the log, with its reason", async () => {
  await using other = await startInstance({ script: SHORT_TIMES });
  await ask(other.port, lines("GET / HTTP/1.1", "Host: a", "Host: b"));
  await ask(other.port, lines("GET / HTTP/1.1", "Host: <script>"));
  await ask(other.port, lines("GET / HTTP/1.0"));
  await other.stop();
  const logged = other.lines().map((line) => line.replace(/^\S+ /, ""));
  expect(logged).toEqual([
    'refused-host reason="several-hosts" address="127.0.0.1"',
    'refused-host reason="invalid-host" address="127.0.0.1"',
    'refused-host reason="no-host" address="127.0.0.1"',
  ]);
});

// RFC 9112 §3.2.2. Bun shows the path of such a target alone, and hides its authority.
describe("a target in absolute form", () => {
  test.each([
    ["http://other.example/login", 200],
    ["HTTPS://other.example/login?next=/", 200],
    ["http://other.example", 200],
    ["http://other.example/nothing", 404],
    ["ftp://other.example/login", 400],
  ])("%s is answered by its path with %d", async (target, status) => {
    const request = lines(`GET ${target} HTTP/1.1`, "Host: localhost");
    expect(await statuses(request)).toEqual([status]);
  });

  test("still needs one valid Host", async () => {
    const first = "GET http://localhost/login HTTP/1.1";
    expect(await statuses(lines(first))).toEqual([400]);
    expect(await statuses(lines(first, "Host: a/b"))).toEqual([400]);
    expect(await statuses(lines(first, "Host: a", "Host: a"))).toEqual([400]);
  });

  test("makes nobody's page our own where PUBLIC_ORIGIN says who we are", async () => {
    await using other = await startInstance({
      environment: { PUBLIC_ORIGIN: "https://login.example" },
    });
    async function statusOf(target: string, host: string, origin: string): Promise<number> {
      const text = loginText("alice", [`Origin: ${origin}`])
        .replace("/login HTTP", `${target}/login HTTP`)
        .replace("Host: localhost", `Host: ${host}`);
      return (await ask(other.port, text)).status;
    }
    const [ours, evil] = ["https://login.example", "http://evil.example"];
    expect(await statusOf(evil, "evil.example", ours)).toBe(303);
    expect(await statusOf(ours, "login.example", evil)).toBe(403);
    expect(await statusOf(evil, "login.example", evil)).toBe(403);
    expect(await statusOf(ours, "evil.example", evil)).toBe(403);
    expect(await statusOf(evil, "evil.example", evil)).toBe(403);
  });
});

describe("F5: a method that is not ours", () => {
  test.each(["TRACE", "OPTIONS", "PROPFIND", "PATCH", "DELETE", "PUT"])(
    "%s is answered with 405 on every page",
    async (method) => {
      for (const route of ROUTES.slice(0, -1)) {
        const answer = await ask(instance.port, requestText(`${method} ${route}`));
        expect([route, answer.status]).toEqual([route, 405]);
        expect(linesOf(answer, "allow")).toHaveLength(1);
        expectHeaders(answer);
      }
    },
  );

  test("CONNECT is refused: it names a host, no page", async () => {
    const answer = await ask(instance.port, lines("CONNECT a:80 HTTP/1.1", "Host: a:80"));
    expect(answer.status).toBe(400);
    expectHeaders(answer);
  });

  test("a word that is no method is not answered", async () => {
    expect(await exchange(instance.port, requestText("FOO /"))).toBe("");
    expect(await exchange(instance.port, requestText("get /"))).toBe("");
  });

  test("TRACE gives nothing back of what it was sent", async () => {
    const answer = await ask(instance.port, requestText("TRACE /", ["Cookie: session=abc123"]));
    expect(JSON.stringify(answer)).not.toContain("abc123");
  });
});

describe("what is too long", () => {
  test("a head is refused over 16 KiB, and taken below", async () => {
    const most = requestText("GET /login", [`X: ${"a".repeat(15_000)}`]);
    expect((await ask(instance.port, most)).status).toBe(200);
    const more = requestText("GET /login", [`X: ${"a".repeat(17_000)}`]);
    expect(await statuses(more)).toEqual([431]);
    const many = Array.from({ length: 300 }, (_, index) => `X-${index}: a`);
    expect(await statuses(requestText("GET /login", many))).toEqual([431]);
  });

  test("a URL is refused over 16 KiB", async () => {
    expect(await statuses(requestText(`GET /login?${"a".repeat(17_000)}`))).toEqual([431]);
  });

  test.each([17_000, 100_000])("a body of %d bytes is refused", async (size) => {
    const body = `username=${"a".repeat(size)}`;
    const whole = requestText("POST /login", [FORM], body);
    expect((await ask(instance.port, whole)).status).toBe(413);
    const chunks = (body.match(/.{1,4000}/g) ?? []).map(
      (chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`,
    );
    const head = requestText("POST /login", [FORM, "Transfer-Encoding: chunked"]);
    expect((await ask(instance.port, `${head}${chunks.join("")}0\r\n\r\n`)).status).toBe(413);
  });

  test("a form of 16 kB is read, and refused for its name alone", async () => {
    const answer = await ask(instance.port, loginText("a".repeat(16_000)));
    expect(answer.status).toBe(400);
    expect(answer.body).toContain("at most 100 characters");
    expectHeaders(answer);
  });
});

describe("a body whose length is not clear is refused, and nothing behind it is answered", () => {
  test.each<[string, readonly string[]]>([
    ["a length and chunks", ["Content-Length: 6", "Transfer-Encoding: chunked"]],
    ["chunks and a length", ["Transfer-Encoding: chunked", "Content-Length: 6"]],
    ["two lengths", ["Content-Length: 6", "Content-Length: 0"]],
    ["a list of lengths", ["Content-Length: 6, 6"]],
    ["a signed length", ["Content-Length: +6"]],
    ["a length that is no number", ["Content-Length: 6a"]],
    ["another encoding", ["Transfer-Encoding: gzip"]],
    ["chunks that are not last", ["Transfer-Encoding: chunked, gzip"]],
    ["chunks, misspelled", ["Transfer-Encoding: xchunked"]],
    ["a length before a space", ["Content-Length : 6"]],
  ])("%s", async (_name, headers) => {
    const smuggled = requestText("GET /login");
    const first = requestText("POST /login", [FORM, ...headers]);
    expect(await statuses(`${first}0\r\n\r\n${smuggled}`)).toEqual([400]);
  });

  test.each([
    "GET /login HTTP/1.1\nHost: a\n\n",
    "GET /login HTTP/1.1\r\nHost: a\r\n X: b\r\n\r\n",
  ])("%j is no request", async (text) => {
    const [status = 0, ...others] = await statuses(text);
    expect([400, 505]).toContain(status);
    expect(others).toEqual([]);
  });
});

test("a body that stops, trickles or never comes ends with its connection, as does an idle one", async () => {
  const idle = await Wire.open(instance.port);
  idle.write(requestText("GET /healthz"));
  expect((await idle.answer())?.status).toBe(200);
  const head = requestText("POST /login", [FORM, "Content-Length: 2000"]);
  const chunked = requestText("POST /login", [FORM, "Transfer-Encoding: chunked"]);
  const starts = [head, `${head}username=`, chunked, `${chunked}5\r\nuser`];
  const slow = await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const wire = await Wire.open(instance.port);
      wire.write(starts[index % starts.length] ?? "");
      return wire;
    }),
  );
  const trickle = setInterval(() => slow.forEach((wire) => wire.write("1\r\na\r\n")), 500);
  expect((await ask(instance.port, requestText("GET /"))).status).toBe(200);
  expect((await ask(instance.port, loginText("alice"))).status).toBe(303);
  await Promise.all([idle, ...slow].map(async (wire) => wire.closed));
  clearInterval(trickle);
  expect(slow.filter((wire) => /^HTTP\/1\.1 [23]/.test(wire.received))).toEqual([]);
  expect((await ask(instance.port, requestText("GET /"))).status).toBe(200);
});

describe("a connection that its client resets", () => {
  test("E10: counts for its address or for none, never for an address that it invented", async () => {
    const environment = { LOGIN_RATE: "2", TRUSTED_PROXIES: "127.0.0.1" };
    await using other = await startInstance({ script: SHORT_TIMES, environment });
    for (let client = 1; client <= 40; client++) {
      const text = loginText("alice", [`X-Forwarded-For: 198.51.100.${client}`]);
      await sendAndReset(other.port, text);
    }
    await other.stop();
    const addresses = other.lines().map((line) => /address="([^"]+)"$/.exec(line)?.[1] ?? "");
    expect(addresses.length).toBeGreaterThan(0);
    expect(addresses.filter((address) => !/^(?:127\.0\.0\.2|unknown)$/.test(address))).toEqual([]);
    const logins = other.lines().filter((line) => line.includes(" login "));
    expect(logins.length).toBeLessThanOrEqual(4);
  });

  test("while it sends a form is no error of ours", async () => {
    await using other = await startInstance({ script: SHORT_TIMES });
    const head = requestText("POST /login", [FORM, "Content-Length: 20"]);
    for (let count = 0; count < 10; count++) {
      const wire = await Wire.open(other.port);
      wire.write(`${head}username=`);
      expect((await ask(other.port, requestText("GET /healthz"))).status).toBe(200);
      wire.destroy();
      await wire.closed;
    }
    await other.stop();
    expect(other.lines()).toEqual([]);
  });
});

test("requests that came at once are answered in their order, or not at all", async () => {
  const alice = await loggedIn(instance, "alice");
  const mallory = await loggedIn(instance, "mallory");
  const visitors = [alice, mallory, mallory, alice, mallory, alice, alice, mallory];
  for (const count of visitors.keys()) {
    const wire = await Wire.open(instance.port);
    const sent = visitors.slice(count).map(({ cookie }) => `Cookie: ${cookie}`);
    wire.write(sent.map((cookie) => requestText("GET /", [cookie])).join(""));
    wire.end();
    await wire.closed;
    const greeted = Array.from(wire.received.matchAll(/Logged in as (\w+)/g), ([, name]) => name);
    const expected = visitors.slice(count).map((one) => (one === alice ? "alice" : "mallory"));
    expect(greeted).toEqual(expected.slice(0, greeted.length));
  }
});
