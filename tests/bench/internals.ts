/** The inner steps, measured where their modules exist: parsing a header and verifying a token. */
import { readSecret } from "./servers/page.ts";
import type { Case } from "./process.ts";

/** The cases of `session/cookie/` and `session/token/`, for cookies of the form `session=TOKEN`. */
export async function internalCases(cookies: readonly string[]): Promise<Case[]> {
  return [...(await parseCases(cookies)), ...(await verifyCases(cookies))];
}

async function parseCases([cookie = ""]: readonly string[]): Promise<Case[]> {
  const module = await import("../../session/cookie/header.ts").catch(() => undefined);
  if (module === undefined) return [];
  const { cookieValues } = module;
  const long = "other=0123456789; ".repeat(800) + cookie;
  return [
    ["parse: our cookie alone", () => cookieValues(cookie, "session")],
    ["parse: behind 14 kB of others", () => cookieValues(long, "session")],
  ];
}

async function verifyCases(cookies: readonly string[]): Promise<Case[]> {
  const token = await import("../../session/token/token.ts").catch(() => undefined);
  const keys = await import("../../session/token/keys.ts").catch(() => undefined);
  if (token === undefined || keys === undefined) return [];
  const tokens = token.createTokens({
    secrets: () => keys.checkSecrets(readSecret()),
    format: "HS256",
    audience: "session",
    now: Date.now,
  });
  const texts = cookies.map((cookie) => cookie.slice("session=".length));
  const [known = ""] = texts;
  // Where our cookies are no longer made so, a figure for refusing them would mislead.
  if (typeof (await tokens.verify(known)) === "string") return [];
  let index = 0;
  return [
    ["verify: known", () => tokens.verify(known)],
    [
      "verify: each another",
      () => {
        index = (index + 1) % texts.length;
        return tokens.verify(texts[index] ?? known);
      },
    ],
  ];
}
