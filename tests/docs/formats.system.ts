/**
 * The programs of docs/tokens.md for tokens of ES256 and for encrypted ones: each takes and refuses what
 * the library does.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHmac, createPublicKey } from "node:crypto";
import { join } from "node:path";
import { createSessions } from "../../session/mod.ts";
import { createVerifier } from "../../session/verify.ts";
import type { Format } from "../../session/token/format.ts";
import { createTokens } from "../../session/token/token.ts";
import type { TokenOptions } from "../../session/testing/mod.ts";
import { forge } from "../support/jws.ts";
import { freePort, temporaryFolder } from "../support/instance.ts";
import { ROOT } from "../support/program.ts";
import { stateOf } from "../support/tokens.ts";
import {
  ENCRYPTED_LANGUAGES,
  ES256_LANGUAGES,
  type Language,
  missingFor,
  runProgram,
  type Verdict,
} from "./programs.ts";

const page = await Bun.file(join(ROOT, "docs/tokens.md")).text();
const [, es256Page = "", encryptedPage = ""] = page.split(
  /^## (?:Verifying ES256|Encrypted tokens)$/m,
);

const SECRET_KEY = "Xd8_rT3kLw0ZpV6nQyB1hMsJ7cGfA-5é";
const OTHER_KEY = "q8Zb1nK0vWc5xY7rT2mL9dP4sH6jF3aGeU-oI_hXyBk";
const AUDIENCE = "__Host-Http-session";
const ORDER = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
const now = Math.floor(Date.now() / 1000);
const GOOD = {
  aud: AUDIENCE,
  sid: "2hSkKYdzHeQGDlRPJYc3iA",
  iat: now,
  exp: now + 3600,
  max: now + 7200,
  ver: now * 1000,
  sub: "user-1",
  auth_time: now,
  data: { username: "admin", at: { $date: 0 } },
};

/** The part's block of that language. */
function blockOf(part: string, language: string): string {
  return new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "ms").exec(part)?.[1] ?? "";
}

/** A token of good claims with these, made with the secret. */
function make(format: Format, claims: object = {}, secret = SECRET_KEY): Promise<string> {
  const keys = [new TextEncoder().encode(secret)];
  const tokens = createTokens({ secrets: () => keys, format, audience: AUDIENCE, now: Date.now });
  return tokens.sign(JSON.stringify({ ...GOOD, ...claims }), stateOf(), true);
}

/** The token with one bit changed, in the byte at that place of one of its parts. */
function flipped(text: string, part: number, at: number): string {
  const parts = text.split(".");
  const bytes = Buffer.from(parts[part] ?? "", "base64url");
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return parts.with(part, bytes.toString("base64url")).join(".");
}

function withHighS(text: string): string {
  const start = text.lastIndexOf(".") + 1;
  const hex = Buffer.from(text.slice(start), "base64url").toString("hex");
  const s = (ORDER - BigInt(`0x${hex.slice(64)}`)).toString(16).padStart(64, "0");
  return text.slice(0, start) + Buffer.from(hex.slice(0, 64) + s, "hex").toString("base64url");
}

const publicKeys = await createSessions({ secretKey: SECRET_KEY, algorithm: "ES256" }).publicKeys();
const [publicKey] = publicKeys.keys;
if (publicKey === undefined) throw new Error("There is no key");
const { kty, crv, x, y, kid } = publicKey;
const pem = createPublicKey({ key: { kty, crv, x, y }, format: "jwk" }).export({
  format: "pem",
  type: "spki",
});

/** A token that is signed with the public key, as if that were an HMAC secret. */
function confused(alg: string): string {
  const text = forge({ header: { alg, typ: "session+jwt", kid }, payload: GOOD });
  return `${text}.${createHmac("sha256", pem).update(text).digest("base64url")}`;
}

/** The token with another one's header. */
function withHeaderOf(text: string, other: string): string {
  return other.slice(0, other.indexOf(".")) + text.slice(text.indexOf("."));
}

type Row = readonly [what: string, text: string];

const [es256, encrypted] = [await make("ES256"), await make("A256GCM")];

/** What every verifier of ES256 refuses. */
const es256Refused: readonly Row[] = [
  ["has a flipped bit in its header", flipped(es256, 0, 9)],
  ["has a flipped bit in its payload", flipped(es256, 1, 40)],
  ["has a flipped bit in r", flipped(es256, 2, 5)],
  ["has a flipped bit in s", flipped(es256, 2, 60)],
  ["is for another aud", await make("ES256", { aud: "session" })],
  ["has its aud in a list", await make("ES256", { aud: [AUDIENCE] })],
  ["is signed with another key", await make("ES256", {}, OTHER_KEY)],
  ["names our key, and another signed it", withHeaderOf(await make("ES256", {}, OTHER_KEY), es256)],
  ["is expired", await make("ES256", { iat: now - 7200, exp: now - 1 })],
  ["is early", await make("ES256", { iat: now + 300 })],
  ["has no exp", await make("ES256", { exp: undefined })],
  ["is signed with the public key by HS256", confused("HS256")],
  ["is signed with the public key, and says ES256", confused("ES256")],
  ["has no signature", es256.slice(0, es256.lastIndexOf(".") + 1)],
  ["is of HS256", await make("HS256")],
  ["is no token", "alice"],
];

/** What a program refuses besides. */
const es256FurtherRefused: readonly Row[] = [
  ["has a high s", withHighS(es256)],
  ["is padded", `${es256}=`],
  [
    "has spare bits in its signature",
    es256.slice(0, -1) +
      (es256.endsWith("A") ? "B" : es256.endsWith("Q") ? "R" : es256.endsWith("g") ? "h" : "x"),
  ],
  ["ends now by its max", await make("ES256", { max: now })],
  ["has no sid", await make("ES256", { sid: undefined })],
  ["has no ver", await make("ES256", { ver: undefined })],
  ["has a number as its sub", await make("ES256", { sub: 1 })],
  ["has a list as its data", await make("ES256", { data: [] })],
];

const encryptedRefused: readonly Row[] = [
  ...(
    [
      ["header", 0, 9],
      ["IV", 2, 3],
      ["ciphertext", 3, 40],
      ["tag", 4, 9],
    ] as const
  ).map(([part, index, at]): Row => [
    `has a flipped bit in its ${part}`,
    flipped(encrypted, index, at),
  ]),
  ["is for another aud", await make("A256GCM", { aud: "session" })],
  ["is encrypted with another key", await make("A256GCM", {}, OTHER_KEY)],
  [
    "names our key, and another encrypted it",
    withHeaderOf(await make("A256GCM", {}, OTHER_KEY), encrypted),
  ],
  ["is expired", await make("A256GCM", { iat: now - 7200, exp: now - 1 })],
  ["ends now by its max", await make("A256GCM", { max: now })],
  ["is early", await make("A256GCM", { iat: now + 300 })],
  ["has no sid", await make("A256GCM", { sid: undefined })],
  ["has a list as its data", await make("A256GCM", { data: [] })],
  ["is only signed", await make("HS256")],
];

const accepted: readonly (readonly [what: string, claims: object])[] = [
  ["is a user's", {}],
  ["is a visitor's", { sub: undefined, auth_time: undefined }],
  ["leaves its data to the store", { data: undefined }],
  ["comes from a clock that is 30 s ahead", { iat: now + 30 }],
  ["has a claim of a later version", { amr: ["pwd"] }],
];

const missingForHaproxy = ["haproxy", "openssl", "jq"].filter((need) => Bun.which(need) === null);
if (missingForHaproxy.length > 0) {
  console.log(`Skipped: HAProxy in docs/tokens.md: ${missingForHaproxy.join()} is not installed`);
}

interface Proxy {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** HAProxy with the page's configuration, before a service that says who it was told is signed in. */
async function startProxy(): Promise<Proxy> {
  const folder = await temporaryFolder();
  const service = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request) => new Response(request.headers.get("x-user") ?? ""),
  });
  const { PATH = "" } = process.env;
  const made = Bun.spawnSync(["sh", "-c", blockOf(es256Page, "sh")], {
    cwd: folder.path,
    env: { PATH, JWKS: JSON.stringify(publicKeys) },
  });
  const file = join(folder.path, "haproxy.cfg");
  await Bun.write(file, blockOf(es256Page, "haproxy"));
  const port = await freePort();
  const child = Bun.spawn(["haproxy", "-f", file], {
    cwd: folder.path,
    env: {
      PATH,
      PORT: String(port),
      SERVICE_PORT: String(service.port),
      HEADER: made.stdout.toString().trim(),
      PUBLIC_KEY: join(folder.path, "session.pem"),
    },
    stdout: "ignore",
    stderr: "pipe",
  });
  const url = `http://127.0.0.1:${port}/`;
  const isUp = (): Promise<boolean> =>
    fetch(url).then(
      () => true,
      () => false,
    );
  while (child.exitCode === null && !(await isUp()));
  if (child.exitCode !== null) throw new Error(await new Response(child.stderr).text());
  return {
    url,
    async stop() {
      child.kill();
      await child.exited;
      await service.stop(true);
      await folder[Symbol.asyncDispose]();
    },
  };
}

function describePrograms(
  what: string,
  part: string,
  languages: readonly Language[],
  {
    format,
    environment,
    refused,
  }: {
    readonly format: Format;
    readonly environment: Readonly<Record<string, string>>;
    readonly refused: readonly Row[];
  },
): void {
  for (const language of languages) {
    const { name } = language;
    const missing = missingFor(language);
    if (missing.length > 0) {
      console.log(
        `Skipped: the program of docs/tokens.md for ${what} in ${name}: ${missing.join()}`,
      );
    }
    describe.skipIf(missing.length > 0)(`docs/tokens.md: ${what} in ${name}`, () => {
      const verdicts: Verdict[] = [];
      const texts: string[] = [];
      // To sign and to compile takes its time.
      beforeAll(async () => {
        for (const [, claims] of accepted) texts.push(await make(format, claims));
        texts.push(...refused.map(([, text]) => text));
        verdicts.push(...(await runProgram(language, blockOf(part, name), environment, texts)));
      }, 120_000);

      test.each(accepted.map(([row], index) => [row, index] as const))(
        "takes a token that %s, and prints its claims",
        (_, index) => {
          const verdict = verdicts[index];
          expect(verdict?.isTaken).toBe(true);
          const [, claims = {}] = accepted[index] ?? [];
          const expected: unknown = JSON.parse(JSON.stringify({ ...GOOD, ...claims }));
          const printed: unknown = JSON.parse(verdict?.output ?? "");
          expect(printed).toEqual(expected);
        },
      );

      test.each(refused.map(([row], index) => [row, index + accepted.length] as const))(
        "refuses a token that %s",
        (_, index) => {
          expect(verdicts[index]).toEqual({ isTaken: false, output: "" });
        },
      );
    });
  }
}

describePrograms("ES256", es256Page, ES256_LANGUAGES, {
  format: "ES256",
  environment: { JWKS: JSON.stringify(publicKeys) },
  refused: [...es256Refused, ...es256FurtherRefused],
});
describePrograms("encrypted tokens", encryptedPage, ENCRYPTED_LANGUAGES, {
  format: "A256GCM",
  environment: { SECRET_KEY },
  refused: encryptedRefused,
});

async function isTaken(text: string, options: Partial<TokenOptions>): Promise<boolean> {
  const sessions = createSessions({ secretKey: SECRET_KEY, onEvent: () => {}, ...options });
  return !(await sessions.open({ headers: { cookie: `${AUDIENCE}=${text}` } })).isNew;
}

describe("the library", () => {
  test.each([...es256Refused, ...es256FurtherRefused])(
    "refuses a token of ES256 that %s, and so does a verifier",
    async (_, text) => {
      expect(await isTaken(text, { algorithm: "ES256" })).toBe(false);
      expect(await createVerifier({ keys: publicKeys }).verify(text)).toBeUndefined();
    },
  );

  test.each(encryptedRefused.slice(0, -1))(
    "refuses an encrypted token that %s",
    async (_, text) => {
      expect(await isTaken(text, { encrypt: true })).toBe(false);
    },
  );

  test.each(accepted)("takes tokens of both formats of which each %s", async (_, claims) => {
    const [signed, encrypted] = [await make("ES256", claims), await make("A256GCM", claims)];
    const verifier = createVerifier({ keys: publicKeys });
    expect((await verifier.verify(signed))?.id).toBe(GOOD.sid);
    // Without a record the data that is only in the store has gone.
    const hasData = !("data" in claims);
    expect(await isTaken(signed, { algorithm: "ES256" })).toBe(hasData);
    expect(await isTaken(encrypted, { encrypt: true })).toBe(hasData);
  });
});

describe.skipIf(missingForHaproxy.length > 0)("docs/tokens.md: ES256 in HAProxy", () => {
  let proxy: Proxy;
  beforeAll(async () => {
    proxy = await startProxy();
  });
  afterAll(() => proxy.stop());

  async function ask(text: string): Promise<readonly [status: number, user: string]> {
    const headers = { cookie: `other=1; ${AUDIENCE}=${text}`, "x-user": "root" };
    const response = await fetch(proxy.url, { headers });
    return [response.status, response.status === 200 ? await response.text() : ""];
  }

  test("lets a user's request pass, and says whose it is", async () => {
    expect(await ask(es256)).toEqual([200, "user-1"]);
  });

  test("lets a visitor's request pass, who is nobody", async () => {
    expect(await ask(await make("ES256", { sub: undefined }))).toEqual([200, ""]);
  });

  test.each(es256Refused)("refuses a token that %s", async (_, text) => {
    expect(await ask(text)).toEqual([401, ""]);
  });
});
