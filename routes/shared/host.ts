/** Why a request is no request to any host. */
export type HostRefusal = "no-host" | "several-hosts" | "invalid-host";

/**
 * RFC 9110 §7.2: a name or an address (IPv6 in brackets), and perhaps a port. Of RFC 3986 §3.2.2's
 * characters only those of host names: no comma, because Bun joins two `Host` lines with one.
 */
const HOST = /^(?:[\w.~-]+|\[[\d:.a-f]+\])(?::\d*)?$/i;

/**
 * The reason to refuse a request for its `Host` (RFC 9112 §3.2: such a request is answered with 400
 * on every path), or `null`. Never throws.
 *
 * Bun gives a request without a valid `Host` a URL without an origin, and `CONNECT` its bare target;
 * where the URL is whole, a missing header is no fault: HTTP/2 has none.
 */
export function checkHost({ url, headers }: Request): HostRefusal | null {
  const host = headers.get("host");
  if (host?.includes(",") === true) return "several-hosts";
  if (host !== null && !HOST.test(host)) return "invalid-host";
  if (/^https?:\/\//.test(url) && URL.canParse(url)) return null;
  return host === null ? "no-host" : "invalid-host";
}
