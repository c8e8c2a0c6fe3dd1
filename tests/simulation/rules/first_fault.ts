import type { DataIn } from "../instance.ts";
import { interleavings } from "../simulate.ts";

/**
 * `bun first_fault.ts COUNT FAULT…`: prints the first of these faults, with its seed, and ends with 0;
 * with 1 where so many interleavings for each place of the data show none.
 */
const [countText, ...faults] = process.argv.slice(2);
const count = Number(countText);
/** Both places take turns after so many. */
const TURN = 250;

async function findFault(first: number, dataIn: DataIn): Promise<string | undefined> {
  for await (const { seed, findings } of interleavings(first, TURN, dataIn)) {
    for (const finding of findings) {
      if (!("fault" in finding) || !faults.includes(finding.fault)) continue;
      return `${finding.fault}, seed ${seed}, data in the ${dataIn}: ${finding.text}`;
    }
  }
  return undefined;
}

async function run(): Promise<number> {
  for (let first = 1; first <= count; first += TURN) {
    for (const dataIn of ["cookie", "store"] as const) {
      const found = await findFault(first, dataIn);
      if (found === undefined) continue;
      console.log(found);
      return 0;
    }
  }
  return 1;
}

process.exit(await run());
