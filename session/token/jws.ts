import { type CompactJWSHeaderParameters, CompactSign, compactVerify } from "jose";
import { encodeHeader, headerOf, type Rejection, type TokenKey } from "./format.ts";

/** A JWS in compact form (RFC 7515 §7.1). */
export function writeJws(
  claims: Uint8Array,
  header: CompactJWSHeaderParameters,
  key: CryptoKey,
): Promise<string> {
  return new CompactSign(claims).setProtectedHeader(header).sign(key);
}

/** The payload of a JWS, if the key made its signature by that algorithm. */
export function readJws(
  text: string,
  algorithm: string,
  key: CryptoKey,
): Promise<Uint8Array | Rejection> {
  return compactVerify(text, key, { algorithms: [algorithm] }).then(
    ({ payload }) => payload,
    () => "forged" as const,
  );
}

/** A key for HMAC SHA-256 (RFC 7518 §3.2): who can verify can sign. */
export function hs256Key(kid: string, key: CryptoKey): TokenKey {
  const header = headerOf("HS256", kid);
  return {
    headers: [encodeHeader(header)],
    write: (claims) => writeJws(claims, header, key),
    read: (text) => readJws(text, "HS256", key),
  };
}
