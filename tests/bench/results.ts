/** Everything that one run found, as it stands in `bench.json`. A part that was not run is null. */
import type { GrowthResults } from "./growth.ts";
import type { HttpResults } from "./http.ts";
import type { Machine } from "./machine.ts";
import type { ProcessRow } from "./process.ts";
import type { StartResult } from "./startup.ts";

export interface Results {
  readonly machine: Machine;
  readonly http: HttpResults | null;
  readonly process: readonly ProcessRow[] | null;
  readonly growth: GrowthResults | null;
  readonly starts: readonly StartResult[] | null;
}
