/**
 * A service that verifies sessions, in a process of its own, with the keys of the URL that it is given.
 * It gets what to verify as messages, each with how late it is, and answers with what it took.
 */
import { createVerifier } from "../../session/verify.ts";

/** What it is asked: which of these tokens are good, so many milliseconds later than it is. */
export interface Question {
  readonly later: number;
  readonly tokens: readonly string[];
}

/** What it answers: the subject of each token; null where it is refused. */
export type Verdicts = readonly (string | null)[];

const [url = ""] = process.argv.slice(2);
const started = Date.now;
let later = 0;
// The cache of the keys goes by this clock as well.
Date.now = () => started() + later;
const verifier = createVerifier({ keys: new URL(url) });

async function answer(question: Question): Promise<void> {
  later = question.later;
  const verdicts: (string | null)[] = [];
  for (const token of question.tokens) {
    verdicts.push((await verifier.verify(token))?.subject ?? null);
  }
  process.send?.(verdicts);
}

function isQuestion(message: unknown): message is Question {
  return typeof message === "object" && message !== null && "later" in message;
}

process.on("message", (message: unknown) => {
  if (isQuestion(message)) void answer(message);
});
