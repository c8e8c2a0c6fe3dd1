import { withoutDeadlines } from "./deadlines.ts";
import { type Fault, FAULTS, type Finding, type Limit, LIMITS } from "./finding.ts";
import { type DataIn, findGenerationKeys } from "./instance.ts";
import { SUBJECTS } from "./plan.ts";
import { World } from "./world.ts";

/** One interleaving, and what was found in it. */
export interface Interleaving {
  readonly seed: number;
  readonly findings: readonly Finding[];
}

/** How many things happen in one interleaving. */
const STEPS = 120;

/** Runs the interleavings of so many seeds, from the first one. */
export async function* interleavings(
  first: number,
  count: number,
  dataIn: DataIn,
): AsyncIterable<Interleaving> {
  const keys = await findGenerationKeys(SUBJECTS);
  for (let seed = first; seed < first + count; seed++) {
    const world = new World(seed, dataIn, keys);
    yield { seed, findings: await withoutDeadlines(() => world.run(STEPS)) };
  }
}

/** All that happens in one interleaving, a line for each. */
export async function trace(seed: number, dataIn: DataIn): Promise<readonly string[]> {
  const lines: string[] = [];
  const keys = await findGenerationKeys(SUBJECTS);
  const world = new World(seed, dataIn, keys, (line) => lines.push(line));
  await withoutDeadlines(() => world.run(STEPS));
  return lines;
}

/** What many interleavings showed. */
export interface Tally {
  readonly faults: Map<Fault, number>;
  readonly limits: Map<Limit, number>;
  /** What went wrong, with the seed that shows it. */
  readonly failures: string[];
}

export function createTally(): Tally {
  return {
    faults: new Map(FAULTS.map((fault) => [fault, 0])),
    limits: new Map(LIMITS.map((limit) => [limit, 0])),
    failures: [],
  };
}

export function addTo(tally: Tally, { seed, findings }: Interleaving): void {
  const { faults, limits, failures } = tally;
  for (const finding of findings) {
    if ("limit" in finding) limits.set(finding.limit, (limits.get(finding.limit) ?? 0) + 1);
    else {
      faults.set(finding.fault, (faults.get(finding.fault) ?? 0) + 1);
      failures.push(`${finding.fault}, seed ${seed}: ${finding.text}`);
    }
  }
}
