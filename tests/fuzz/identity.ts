import { loggedIn } from "../support/browser.ts";
import type { Instance } from "../support/instance.ts";
import { identityOf } from "../support/page.ts";
import { ask, requestText, Wire } from "../support/wire.ts";
import { createRandom, type Random } from "./random.ts";
import { type Effort, inParallel, Recorder, type Report } from "./report.ts";

/** Every byte that Bun takes in a header line, what parsers of cookies stumble over, and a control. */
const BYTES = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter((byte) =>
  /[\t\x20-\x7E\x80-\xFF]/.test(byte),
);
const STUMBLES = [
  "\x1F",
  "$",
  "=",
  '"',
  "\\",
  ",",
  "$Version=1",
  "%3B",
  "%00",
  "\xA0",
  "\t",
  " ",
  "[",
  "__Host-",
];

/**
 * Any `Cookie` header around alice's cookie, in one line or several: with mallory's token under every
 * name but ours, spoiled, or beside alice's. It greets alice or nobody.
 */
export async function fuzzIdentity(effort: Effort, instance: Instance): Promise<Report> {
  const random = createRandom(effort.seed);
  const recorder = new Recorder(effort);
  const alice = await loggedIn(instance.port, "alice");
  const mallory = await loggedIn(instance.port, "mallory");
  const token = mallory.cookies.get("session") ?? "";
  await inParallel(8, async () => {
    let wire = await Wire.open(instance.port);
    while (recorder.next()) {
      const headers = cookieLines(random, alice.cookie, token);
      wire.write(requestText("GET /", headers));
      const answer = await wire.answer();
      const status = answer?.status ?? 0;
      const identity = answer?.status === 200 ? identityOf(answer.body) : null;
      recorder.add(status === 200 ? `greeted ${identity ?? "nobody"}` : `answered ${status}`);
      const isGood = identity === null || identity === "alice";
      if (!isGood || status === 0 || status >= 500) {
        recorder.fail(`${status}, greeted ${identity}`, headers.join("\n"));
      }
      if (status === 200 && !wire.isClosed) continue;
      wire.destroy();
      wire = await Wire.open(instance.port);
    }
    wire.destroy();
  });
  const still = await ask(instance.port, requestText("GET /", [`Cookie: ${alice.cookie}`]));
  if (identityOf(still.body) !== "alice") recorder.fail("alice was logged out", "");
  return recorder.report("any Cookie header");
}

function cookieLines(random: Random, alice: string, token: string): string[] {
  const before = Array.from({ length: random.below(4) }, () => junk(random, token));
  const after = Array.from({ length: random.below(4) }, () => junk(random, token));
  const parts = [...before, alice, ...after];
  if (random.below(8) === 0) return parts.map((part) => `Cookie: ${part}`);
  return [`Cookie: ${parts.join(random.pick([";", "; ", " ;", ";\t", ";;"]))}`];
}

/** A pair, or what looks like one; never a good `session=` of mallory's without alice's beside it. */
function junk(random: Random, token: string): string {
  const text = Array.from({ length: random.below(12) }, () =>
    random.below(3) === 0 ? random.pick(STUMBLES) : random.pick(BYTES),
  ).join("");
  const name = text.replaceAll(/[;=]/g, "") || "a";
  return random.pick([
    text,
    `${name}=${token}`,
    `${name}session=${token}`,
    `session${name}=${token}`,
    `SESSION=${token}`,
    `=session=${token}`,
    `session=${token}`,
    `session="${token}"`,
    `session=${token.slice(0, random.below(token.length))}`,
    `session=${text}${token}`,
    `session=${text.replaceAll(";", "")}`,
    "a=;".repeat(random.below(200)),
  ]);
}
