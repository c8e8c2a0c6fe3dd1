/** A short run of each part of `bun run fuzz`. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { fuzzCookies, fuzzCookiesOverHttp } from "./cookies.ts";
import { FORMATS } from "./formats.ts";
import { fuzzIdentity } from "./identity.ts";
import type { Report } from "./report.ts";
import { fuzzRequests } from "./requests.ts";
import { startInstance } from "../support/instance.ts";

// Processes start and stop here, on a machine that may be busy.
setDefaultTimeout(60_000);

function expectGood(report: Report, count: number): void {
  expect(report.failures).toEqual([]);
  expect(report.count).toBe(count);
}

const LIMITS = { seed: 1, seconds: 60 };

test.each(FORMATS)("C3: no mutated cookie of $name is accepted", async (format) => {
  expectGood(await fuzzCookies({ ...LIMITS, count: 10_000 }, format), 10_000);
});

test("C3: no mutated cookie is accepted over HTTP", async () => {
  await using instance = await startInstance({ isLogged: false });
  expectGood(await fuzzCookiesOverHttp({ ...LIMITS, count: 2000 }, instance), 2000);
});

test("B3: no Cookie header makes one user another", async () => {
  await using instance = await startInstance({ isLogged: false });
  expectGood(await fuzzIdentity({ ...LIMITS, count: 2000 }, instance), 2000);
});

test("no malformed request is answered 5xx, hangs, or keeps the next from its answer", async () => {
  await using instance = await startInstance({ isLogged: false });
  expectGood(await fuzzRequests({ ...LIMITS, count: 1000 }, instance), 1000);
});
