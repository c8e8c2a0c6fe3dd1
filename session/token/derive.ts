const encoder = new TextEncoder();

/**
 * Bytes for one purpose, from a secret: HKDF-SHA-256 (RFC 5869) with an empty salt and the info
 * `madeleine/1 ` + purpose. So each key has one algorithm and one purpose (RFC 8725bis §3.1).
 */
export async function derive(
  secret: Uint8Array<ArrayBuffer>,
  purpose: string,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveBits"]);
  const info = encoder.encode(`madeleine/1 ${purpose}`);
  const algorithm = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, bytes * 8));
}
