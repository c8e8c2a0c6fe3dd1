/**
 * A preload that lets the cache of verified tokens hold as many entries as CACHE_ENTRIES says:
 * nothing that a session does may depend on it.
 */
import { mock } from "bun:test";
import { createCache } from "../../session/token/cache.ts";

const entries = Number(process.env["CACHE_ENTRIES"]);
if (!Number.isSafeInteger(entries)) {
  throw new RangeError(
    `Cannot limit the cache: CACHE_ENTRIES must be a whole number, got ${process.env["CACHE_ENTRIES"]}`,
  );
}
const limited = { entries, bytes: 1024 * 1024 };

// Kept apart, because the import itself is what is replaced.
const createAny = createCache;
await mock.module("../../session/token/cache.ts", () => ({
  createCache: <Value>(sizeOf: (value: Value) => number, limits = limited) =>
    createAny(sizeOf, limits),
}));
