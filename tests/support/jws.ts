import { OTHER_SECRET, SECRET } from "./secrets.ts";

/** How the key ring names the tests' secrets: the start of their RFC 7638 thumbprints. */
export const KID: string = kidOf(SECRET);
export const OTHER_KID: string = kidOf(OTHER_SECRET);

function kidOf(secret: string): string {
  const jwk = `{"k":"${Buffer.from(secret).toString("base64url")}","kty":"oct"}`;
  return new Bun.CryptoHasher("sha256").update(jwk).digest("base64url").slice(0, 8);
}

/** The text that a signature is over, of any header and payload: JSON, or text as it is. */
export function forge(parts: { readonly header: unknown; readonly payload: unknown }): string {
  return [parts.header, parts.payload]
    .map((part) => (typeof part === "string" ? part : JSON.stringify(part)))
    .map((text) => Buffer.from(text).toString("base64url"))
    .join(".");
}

/** The text with its signature, made without the library. */
export function signText(
  text: string,
  secret: string,
  algorithm: "sha256" | "sha384" | "sha512" = "sha256",
): string {
  const signature = new Bun.CryptoHasher(algorithm, secret).update(text).digest("base64url");
  return `${text}.${signature}`;
}

/** What a token claims, whoever signed it. */
export function claimsOf(token: string): Record<string, unknown> {
  const [, payload = ""] = token.split(".");
  const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
  if (typeof claims !== "object" || claims === null) throw new TypeError("These are no claims");
  return { ...claims };
}
