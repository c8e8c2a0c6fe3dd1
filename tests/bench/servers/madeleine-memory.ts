/** Ours with the default store. */
import { memoryStore } from "../../../session/stores/memory.ts";
import { serveMadeleine } from "./madeleine.ts";

// More than the default, where the growth of the store itself is measured.
const maxBytes = process.env["BENCH_MAX_BYTES"];
serveMadeleine(memoryStore(maxBytes === undefined ? {} : { maxBytes: Number(maxBytes) }));
