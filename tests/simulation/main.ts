import { simulate, trace } from "./simulate.ts";

/**
 * `bun run simulate [SEED [COUNT]]`: 20,000 interleavings from a seed that is printed. With a count
 * of 1, every step of that one interleaving.
 */
const [seedText = process.env["SEED"], countText = "20000"] = process.argv.slice(2);
const seed = Number(seedText ?? Math.floor(Math.random() * 1_000_000_000));
const count = Number(countText);
if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(count)) {
  throw new TypeError("Cannot simulate: the arguments are a seed and a count");
}
console.log(`seed ${seed}, ${count} interleavings for each place of the data`);
for (const dataIn of ["cookie", "store"] as const) {
  const { faults, limits, failures } = await simulate(seed, count, dataIn);
  console.log(`data in the ${dataIn}: faults`, faults, "limits", limits);
  for (const failure of failures.slice(0, 20)) console.log(failure);
  if (failures.length > 0) process.exitCode = 1;
  if (count === 1) console.log((await trace(seed, dataIn)).join("\n"));
}
