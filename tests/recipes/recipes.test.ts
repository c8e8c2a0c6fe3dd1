import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Client, createClient, token } from "../../session/testing/mod.ts";
import { KEY } from "../support/app.ts";
import { Program, ROOT } from "../support/program.ts";
import { attack } from "./attacks.ts";

const PRELOAD = join(ROOT, "tests/fixtures/local_preload.ts");

async function blocksOf(document: string): Promise<string[]> {
  const text = await Bun.file(join(ROOT, document)).text();
  return Array.from(text.matchAll(/^```ts\n(.*?)^```$/gms), ([, code = ""]) => code);
}

/** The first block of TypeScript in a document that holds these words. */
async function blockOf(document: string, words: string): Promise<string> {
  const block = (await blocksOf(document)).find((code) => code.includes(words));
  if (block === undefined) throw new Error(`Cannot find a block with ${words} in ${document}`);
  return block;
}

/** Runs a program of the documentation, from the project, so that "madeleine" is the package itself. */
function start(program: string, environment: Readonly<Record<string, string>> = {}): Program {
  const command = [process.execPath, "--preload", PRELOAD, "-e", program];
  return new Program(command, { SECRET_KEY: KEY, ...environment });
}

/** Starts the program again, where it listens already: that has to end, and not to share the port. */
async function expectItsPort(origin: string, program: string): Promise<void> {
  await using second = start(program, { PORT: new URL(origin).port });
  const { code, output, errors } = await second.end();
  expect([code, output]).toEqual([1, []]);
  expect(errors.join("\n")).toContain("EADDRINUSE");
}

describe("is safe as printed", () => {
  test("the README's first example", async () => {
    const text = await blockOf("README.md", "You are not logged in");
    await using program = start(text);
    const origin = await program.origin();
    await attack({ origin, userOf: (page) => /^Logged in as (.*) <form/.exec(page)?.[1] ?? null });
    await expectItsPort(origin, text);
  });

  test("the printed WebSocket, where the store is down", async () => {
    const key = 'secretKey: process.env["SECRET_KEY"]';
    const store = '{ get() { throw new Error("down"); }, replace: () => true }';
    const text = await blockOf("docs/api.md", "server.upgrade");
    await using program = start(text.replace(key, `${key}, store: ${store}`));
    const origin = await program.origin();
    const cookie = `__Host-Http-session=${await token({ data: { room: "a" } }, { secretKey: KEY })}`;
    const down = await fetch(origin, { headers: { cookie, accept: "text/html" } });
    expect([down.status, await down.text()]).toEqual([503, ""]);
    expect((await fetch(origin)).status).toBe(426);
    await expectItsPort(origin, text);
  });
});

test("every printed server of Bun hides its source code, and shares its port with no other", async () => {
  const documents = ["README.md", "docs/api.md", "docs/recipes.md"];
  const blocks = (await Promise.all(documents.map(blocksOf))).flat();
  const servers = blocks.filter((code) => /^Bun\.serve\(|^export default \{$/m.test(code));
  expect(servers).toHaveLength(5);
  for (const option of ["development: false", "reusePort: false"]) {
    expect(servers.filter((code) => !code.includes(option))).toEqual([]);
  }
});

const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&quot;": '"',
  "&#x27;": "'",
  "&lt;": "<",
  "&gt;": ">",
};

function clientOf(origin: string): Client {
  return createClient((request) => fetch(request, { redirect: "manual" }), { origin });
}

/** The only hidden field of a page's form, as the browser sends it. */
async function fieldOf(page: Response): Promise<{ body: string }> {
  const values: string[] = [];
  const rewriter = new HTMLRewriter().on("input[type=hidden]", {
    element: (input) => void values.push(input.getAttribute("value") ?? ""),
  });
  await rewriter.transform(page).text();
  const [value = "", ...others] = values;
  expect(others).toEqual([]);
  return {
    body: value.replaceAll(/&(?:amp|quot|lt|gt|#x27);/g, (name) => ENTITIES[name] ?? name),
  };
}

describe("the recipe for a form from a service", () => {
  const APPLE = { origin: "https://appleid.apple.com", "sec-fetch-site": "cross-site" };

  test("sends what the service sent again, to the session that began, and once", async () => {
    await using program = start(await blockOf("docs/recipes.md", "trustedOrigins"));
    const origin = await program.origin();
    const [client, stranger] = [clientOf(origin), clientOf(origin)];
    const state = await (await client.post("/begin", {})).text();
    const code = `"'><i>&é`;
    // Not as a browser encodes it, so that the page has something to escape.
    const form = `state=${state}&code=${code.replace("&", "%26")}`;
    const type = { "content-type": "application/x-www-form-urlencoded" };
    // A browser sends no SameSite=Lax cookie with it.
    const headers = { ...APPLE, ...type, cookie: "" };
    const others = { ...headers, origin: "https://evil.example" };
    expect((await client.post("/callback", form, { headers: others })).status).toBe(403);
    expect((await client.post("/finish", form, { headers })).status).toBe(403);
    const page = await client.post("/callback", form, { headers });
    expect(page.status).toBe(200);
    const field = await fieldOf(page);
    expect((await stranger.post("/finish", field)).status).toBe(400);
    expect((await stranger.post("/finish", { body: "" })).status).toBe(400);
    const answer = await client.post("/finish", field);
    expect(await answer.text()).toBe(`Now ask the service about ${code}`);
    expect((await client.post("/finish", field)).status).toBe(400);
    await client.post("/begin", {});
    expect((await client.post("/finish", field)).status).toBe(400);
  });
});
