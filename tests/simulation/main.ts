import type { DataIn } from "./instance.ts";
import { addTo, createTally, interleavings, trace } from "./simulate.ts";

/**
 * `bun run simulate [SEED [COUNT]]`: 50,000 interleavings for each place of the data, from a seed
 * that is printed, in two processes. With a count of 1, every step of that one interleaving.
 */
const PLACES: readonly DataIn[] = ["cookie", "store"];
/** After so many interleavings a line says how far it is. */
const PROGRESS = 10_000;
/** The most failures that are printed. */
const PRINTED = 20;

const [seedText, countText = "50000", place] = process.argv.slice(2);
const seed = Number(seedText ?? Math.floor(Math.random() * 1_000_000_000));
const count = Number(countText);
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(count)) {
  throw new TypeError("Cannot simulate: expected a seed and a count as arguments");
}
const chosen = PLACES.find((one) => one === place);
if (chosen !== undefined) await run(chosen);
else {
  console.log(`seed ${seed}, ${count} interleavings for each place of the data`);
  const children = PLACES.map((one) =>
    Bun.spawn([process.execPath, import.meta.path, `${seed}`, `${count}`, one], {
      stdio: ["ignore", "inherit", "inherit"],
    }),
  );
  const codes = await Promise.all(children.map(({ exited }) => exited));
  if (codes.some((code) => code !== 0)) process.exitCode = 1;
}

async function run(dataIn: DataIn): Promise<void> {
  const tally = createTally();
  for await (const interleaving of interleavings(seed, count, dataIn)) {
    const before = tally.failures.length;
    addTo(tally, interleaving);
    const { length } = tally.failures;
    for (const failure of tally.failures.slice(before, PRINTED))
      console.log(`${dataIn}: ${failure}`);
    const done = interleaving.seed - seed + 1;
    if (done % PROGRESS === 0) console.log(`${dataIn}: ${done} interleavings, ${length} faults`);
  }
  const { faults, limits, failures } = tally;
  const lines = [
    `data in the ${dataIn}, ${count} interleavings`,
    `  faults: ${counts(faults)}`,
    `  limits: ${counts(limits)}`,
  ];
  if (count === 1) lines.push(...(await trace(seed, dataIn)));
  console.log(lines.join("\n"));
  if (failures.length > 0) process.exitCode = 1;
}

function counts(tally: ReadonlyMap<string, number>): string {
  return Array.from(tally, ([name, count]) => `${name} ${count}`).join(", ");
}
