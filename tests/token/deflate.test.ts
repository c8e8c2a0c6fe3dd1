import { describe, expect, test } from "bun:test";
import { deflateRawSync, deflateSync, gzipSync, inflateRawSync } from "node:zlib";
import { deflate, inflate } from "../../session/token/deflate.ts";
import { errorOf } from "../support/errors.ts";

const LIMIT = 64 * 1024;

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

test.each<[string, Uint8Array<ArrayBuffer>]>([
  ["nothing", bytesOf("")],
  ["one byte", bytesOf("a")],
  ["text", bytesOf(JSON.stringify({ cart: ["tea", "milk", "tea"] }))],
  ["every byte", Uint8Array.from({ length: 256 }, (_, index) => index)],
  ["as much as is taken", new Uint8Array(LIMIT).fill(97)],
  ["what does not get shorter", crypto.getRandomValues(new Uint8Array(60_000))],
])("%s comes back as it was", async (_, bytes) => {
  const deflated = await deflate(bytes);
  expect(await inflate(deflated, LIMIT)).toEqual(bytes);
  expect(new Uint8Array(inflateRawSync(deflated))).toEqual(bytes);
});

test("what another RFC 1951 writer deflated is read", async () => {
  const bytes = bytesOf("tea ".repeat(1000));
  for (const level of [0, 1, 9]) {
    expect(await inflate(new Uint8Array(deflateRawSync(bytes, { level })), LIMIT)).toEqual(bytes);
  }
});

describe("the limit", () => {
  test.each([
    [LIMIT, true],
    [LIMIT + 1, false],
    [100 * LIMIT, false],
  ])("of 64 kB, with %i bytes: taken %p", async (length, isTaken) => {
    const inflated = await inflate(await deflate(new Uint8Array(length)), LIMIT);
    expect(inflated?.length).toBe(isTaken ? length : undefined);
  });
});

test.each<[string, Uint8Array<ArrayBuffer>]>([
  ["text", bytesOf("not deflated at all")],
  ["nothing at all", bytesOf("")],
  ["zlib's own format", new Uint8Array(deflateSync("tea".repeat(100)))],
  ["gzip", new Uint8Array(gzipSync("tea".repeat(100)))],
  ["a part of it", new Uint8Array(deflateRawSync("tea and milk")).slice(0, -3)],
  ["more than it", Uint8Array.from([...deflateRawSync("tea"), 1, 2, 3])],
])("%s is rejected", async (_, bytes) => {
  expect(await errorOf(() => inflate(bytes, LIMIT))).toBeInstanceOf(Error);
});
