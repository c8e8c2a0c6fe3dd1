import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { token, type TokenKind } from "../../session/testing/mod.ts";

const SECRET_KEY = "q2mZ7WfLk0VtXc9sRgB4nYhE1uPaJd83é";
/** Seconds. */
const MONTH = 31 * 24 * 60 * 60;
const root = join(import.meta.dir, "../..");
const document = await Bun.file(join(root, "docs/tokens.md")).text();
const data = { username: "admin", at: new Date(0) };
const shown = '"username":"admin","at":{"$date":0}';

/** The programs of the document by the language of their block, and what runs each. */
const programs = [
  { language: "js", command: [process.execPath, "-e"] },
  { language: "python", command: ["python3", "-c"] },
  { language: "sh", command: ["sh", "-c"], needs: "openssl" },
];

function programOf(language: string): string {
  return new RegExp(`\`\`\`${language}\\n(.*?)\`\`\``, "s").exec(document)?.[1] ?? "";
}

for (const { language, command, needs = command[0] ?? "" } of programs) {
  const isThere = Bun.which(needs) !== null;
  if (!isThere) console.log(`Skipped: the program of docs/tokens.md in ${language}, for ${needs}`);

  function verify(text: string): { readonly isTaken: boolean; readonly output: string } {
    const { success, stdout } = Bun.spawnSync([...command, programOf(language)], {
      cwd: root,
      env: { PATH: process.env["PATH"], TOKEN: text, SECRET_KEY },
      stderr: "ignore",
    });
    return { isTaken: success, output: stdout.toString().replaceAll(/(?<=[:,]) /g, "") };
  }

  describe.skipIf(!isThere)(`docs/tokens.md in ${language}`, () => {
    test("takes a session's token", async () => {
      const { isTaken, output } = verify(await token({ data }, { secretKey: SECRET_KEY }));
      expect(isTaken).toBe(true);
      expect(output).toContain(shown);
    });

    test("takes a token whose data is deflated", async () => {
      const long = { ...data, text: "madeleine ".repeat(50) };
      const { isTaken, output } = verify(await token({ data: long }, { secretKey: SECRET_KEY }));
      expect(isTaken).toBe(true);
      // The shell has nothing to inflate with.
      expect(output).toContain(language === "sh" ? '"data":"' : shown);
    });

    const kinds = ["expired", "forged", "unknown-key", "wrong-purpose", "malformed"] as const;
    test.each(kinds)("refuses one that is %s", async (kind: TokenKind) => {
      const text = await token({ data }, { secretKey: SECRET_KEY, kind });
      expect(verify(text)).toEqual({ isTaken: false, output: "" });
    });

    test("refuses one that started longer ago than the lifetime, or in the future", async () => {
      for (const ago of [MONTH, -MONTH]) {
        const now = (): number => Date.now() - ago * 1000;
        const times = { lifetime: 4 * MONTH, idleTimeout: 4 * MONTH, now };
        const { isTaken } = verify(await token({ data }, { secretKey: SECRET_KEY, ...times }));
        expect(isTaken).toBe(false);
      }
    });

    test("refuses one with a changed character, in any part", async () => {
      const text = await token({ data }, { secretKey: SECRET_KEY });
      const [header = "", payload = ""] = text.split(".");
      const places = [5, header.length + 9, header.length + payload.length + 9, text.length - 1];
      for (const at of places) {
        // The next character of the alphabet: in the last place, only spare bits change.
        const code = text.charCodeAt(at);
        const changed = text.slice(0, at) + String.fromCharCode(code + 1) + text.slice(at + 1);
        expect(verify(changed)).toEqual({ isTaken: false, output: "" });
      }
    });
  });
}
