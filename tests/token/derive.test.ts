import { expect, test } from "bun:test";
import { hkdfSync } from "node:crypto";
import { derive } from "../../session/token/derive.ts";
import { SECRET } from "../support/secrets.ts";

const secret = new TextEncoder().encode(SECRET);

test.each<[string, number]>([
  ["ES256 session", 48],
  ["A256GCM __Host-Http-session 63", 32],
  ["A256GCM record session; Path=/app; Domain=example.com", 32],
  ["HS256 link+jwt", 32],
])("the bytes for %s are HKDF-SHA-256 with an empty salt", async (purpose, bytes) => {
  const expected = hkdfSync("sha256", secret, "", `madeleine/1 ${purpose}`, bytes);
  expect(await derive(secret, purpose, bytes)).toEqual(new Uint8Array(expected));
});
