import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync } from "node:fs";
import { join } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { Browser, KEY } from "../support/app.ts";
import { Program, ROOT, temporaryDirectory } from "../support/program.ts";

const build = temporaryDirectory();
const binary = join(build.path, "madeleine");

async function run(...words: string[]): ReturnType<Program["end"]> {
  await using program = new Program([binary, ...words]);
  return await program.end();
}

describe("the binary", () => {
  beforeAll(async () => {
    // The script's own words, with another place to put it.
    const command = manifest.scripts.build.replace("--outfile dist/madeleine", "");
    const words = command.split(" ").filter((word) => word !== "" && word !== "bun");
    await using bun = new Program([process.execPath, ...words, "--outfile", binary], {}, ROOT);
    expect(await bun.end()).toMatchObject({ code: 0 });
  });

  afterAll(() => build[Symbol.dispose]());

  test("runs alone, and ignores a bunfig.toml and a .env where it is started", async () => {
    using directory = temporaryDirectory();
    const alone = join(directory.path, "renamed");
    copyFileSync(binary, alone);
    chmodSync(alone, 0o755);
    const write = async (name: string, text: string): Promise<number> =>
      Bun.write(join(directory.path, name), text);
    await write("bunfig.toml", 'preload = ["./preload.ts"]\n[serve]\nport = 1\n');
    await write("preload.ts", 'console.log("preloaded"); process.exit(7);\n');
    await write(".env", `SECRET_KEY=${KEY}\nLOG=nonsense\nPORT=nonsense\n`);
    await using program = new Program([alone], { PORT: "0" }, directory.path);
    expect(await program.line()).toMatch(
      /^Listening on http:\S+ with the key in data\/secret\.key$/,
    );
  });

  test("serves the flow, and makes its data directory", async () => {
    using directory = temporaryDirectory();
    await using program = new Program([binary], { PORT: "0", SECRET_KEY: KEY }, directory.path);
    const browser = new Browser(async (request) => fetch(request), await program.origin());
    expect(await browser.words("/")).toBe("You are not logged in click here to log in");
    expect((await browser.login("admin")).status).toBe(303);
    expect(await browser.words("/")).toStartWith("Logged in as admin ");
    expect(await browser.words("/account")).toStartWith("Where you are logged in ");
    expect((await browser.get("/readyz")).status).toBe(200);
    expect((await browser.post("/logout")).status).toBe(303);
    expect(await browser.words("/")).toStartWith("You are not logged in");
    expect((await browser.get("/nothing")).status).toBe(404);
    expect(await Bun.file(join(directory.path, "data/madeleine.sqlite")).exists()).toBe(true);
    program.signal("SIGTERM");
    expect(await program.exited).toBe(0);
  });

  test("signs with ES256, and publishes the key", async () => {
    using directory = temporaryDirectory();
    const variables = { PORT: "0", SECRET_KEY: KEY, SESSION_ALGORITHM: "ES256" };
    await using program = new Program([binary], variables, directory.path);
    const browser = new Browser(async (request) => fetch(request), await program.origin());
    await browser.login("admin");
    expect(await browser.words("/")).toStartWith("Logged in as admin ");
    const [header = ""] = (browser.cookies.get("session") ?? "").split(".");
    const published = await (await browser.get("/.well-known/jwks.json")).text();
    const kid = /"kid":"([^"]+)"/.exec(published)?.[1] ?? "";
    expect(atob(header)).toBe(`{"alg":"ES256","typ":"session+jwt","kid":"${kid}"}`);
  });

  test("keygen, --version, --help and wrong words are the same as from source", async () => {
    const { code, output } = await run("keygen");
    expect([code, output]).toEqual([0, [expect.stringMatching(/^[\w-]{43}$/)]]);
    expect(await run("--version")).toEqual({ code: 0, output: [manifest.version], errors: [] });
    expect((await run("--help")).output[0]).toStartWith("madeleine: ");
    const message = 'Cannot run "--nonsense": see --help';
    expect(await run("--nonsense")).toEqual({ code: 1, output: [], errors: [message] });
  });

  test("G6: tells nobody who built it, and where", async () => {
    const text = Buffer.from(await Bun.file(binary).bytes());
    expect(text.includes(ROOT)).toBe(false);
  });
});
