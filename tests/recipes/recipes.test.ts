import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type Client, createClient } from "../../session/testing/mod.ts";
import { KEY } from "../support/app.ts";
import { Program, ROOT } from "../support/program.ts";
import { attack, userOfRecipe } from "./attacks.ts";

const PRELOAD = join(ROOT, "tests/fixtures/local_preload.ts");

/** The first block of TypeScript in a document that holds these words. */
async function blockOf(document: string, words: string): Promise<string> {
  const text = await Bun.file(join(ROOT, document)).text();
  const blocks = Array.from(text.matchAll(/^```ts\n(.*?)^```$/gms), ([, code = ""]) => code);
  const block = blocks.find((code) => code.includes(words));
  if (block === undefined) throw new Error(`Cannot find a block with ${words} in ${document}`);
  return block;
}

/** Runs a program of the documentation, from the project, so that "madeleine" is the package itself. */
function start(program: string): Program {
  const command = [process.execPath, "--preload", PRELOAD, "-e", program];
  return new Program(command, { SECRET_KEY: KEY });
}

describe("is safe as printed", () => {
  test("the README's first example", async () => {
    await using program = start(await blockOf("README.md", "You are not logged in"));
    const origin = await program.origin();
    await attack({ origin, userOf: (page) => /^Logged in as (.*)$/.exec(page)?.[1] ?? null });
  });

  test("the recipe for Bun", async () => {
    await using program = start(await Bun.file(join(import.meta.dirname, "apps/bun.ts")).text());
    const origin = await program.origin();
    await attack({ origin, userOf: userOfRecipe });
  });
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
