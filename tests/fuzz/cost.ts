import { createSessions } from "../../session/mod.ts";
import { KEY } from "../support/instance.ts";
import { percentile } from "./slow.ts";

/** What a header of one kind costs. */
export interface Cost {
  readonly kind: string;
  readonly microseconds: number;
  /** Against one cookie of that length. */
  readonly toPlain: number;
  /** Against a header half as long: 2 where the cost is linear. */
  readonly toHalf: number;
}

const KINDS: Readonly<Record<string, string>> = {
  "one cookie": "a",
  "empty cookies": "a=;",
  semicolons: ";",
  equals: "=",
  quotes: '"',
  backslashes: "\\",
  blanks: " ",
  "our name": "session",
  "our cookie, empty": "session=;",
  "our cookie after blanks": " \t session=",
  "parts of a token": "session=aaaa.aaaa.aaaa;",
  dots: "session=.",
};

const LENGTH = 16_000;
const ROUNDS = 200;

/**
 * What `Cookie` headers of 16 kB cost, from the request to the answer. The fastest of many rounds in
 * turn, so that what else the machine does falls out.
 */
export async function measureCost(): Promise<Cost[]> {
  const sessions = createSessions({ secretKey: KEY, cookie: { secure: false } });
  const page = sessions.handler((_request, session) => new Response(String(session.isNew)));

  async function timeOf(text: string, length: number): Promise<number> {
    const cookie = text.repeat(Math.ceil(length / text.length)).slice(0, length);
    const request = new Request("http://localhost/", { headers: { cookie: `b=${cookie}` } });
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      await page(request);
      times.push(performance.now() - start);
    }
    return percentile(times, 0.1) * 1000;
  }

  await timeOf("a", LENGTH); // The first one pays for the keys and the compiler.
  const plain = await timeOf("a", LENGTH);
  const costs: Cost[] = [];
  for (const [kind, text] of Object.entries(KINDS)) {
    const half = await timeOf(text, LENGTH / 2);
    const microseconds = await timeOf(text, LENGTH);
    costs.push({ kind, microseconds, toPlain: microseconds / plain, toHalf: microseconds / half });
  }
  return costs;
}
