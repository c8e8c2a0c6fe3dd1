import { withoutDeadlines } from "./deadlines.ts";
import type { Fault, Finding, Limit } from "./judge.ts";
import { type DataIn, World } from "./world.ts";

/** What many interleavings came to. */
export interface Tally {
  readonly faults: Record<Fault, number>;
  readonly limits: Record<Limit, number>;
  /** What went wrong, with the seed that shows it. */
  readonly failures: string[];
}

/** How many things happen in one interleaving. */
const STEPS = 90;

/** Runs the interleavings of so many seeds, from the first one on. */
export async function simulate(first: number, count: number, dataIn: DataIn): Promise<Tally> {
  const tally: Tally = {
    faults: { lost: 0, returned: 0, revived: 0, signedOut: 0, failed: 0 },
    limits: { overtaken: 0, parallel: 0, ended: 0, expired: 0 },
    failures: [],
  };
  for (let seed = first; seed < first + count; seed++) {
    const world = new World(seed, dataIn);
    add(tally, seed, await withoutDeadlines(() => world.run(STEPS)));
  }
  return tally;
}

/** All that happens in one interleaving, a line for each. */
export async function trace(seed: number, dataIn: DataIn): Promise<readonly string[]> {
  const lines: string[] = [];
  const world = new World(seed, dataIn, (line) => lines.push(line));
  await withoutDeadlines(() => world.run(STEPS));
  return lines;
}

function add(
  { faults, limits, failures }: Tally,
  seed: number,
  findings: readonly Finding[],
): void {
  for (const finding of findings) {
    if ("limit" in finding) limits[finding.limit]++;
    else {
      faults[finding.fault]++;
      failures.push(`${finding.fault}, seed ${seed}: ${finding.text}`);
    }
  }
}
