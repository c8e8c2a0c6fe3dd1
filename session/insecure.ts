import type { Settings } from "./options.ts";
import { headersOf, type Source, webHeadersOf } from "./source.ts";

/** Where browsers, Safari aside, keep `Secure` cookies over plain http. */
const LOOPBACK = /^(?:(?:.+\.)?localhost\.?|127(?:\.\d+){3}|\[::1\])$/;

/**
 * Makes what reports, once, a request over plain http whose browser drops the `Secure` cookie that it gets.
 * Node's requests do not say whether they came over http.
 */
export function createInsecureWarning({
  cookie,
  origin,
  onEvent,
}: Settings): (source: Source | undefined) => void {
  const { publicOrigin = "" } = origin === false ? {} : origin;
  let isDone = !cookie.options.secure || publicOrigin.startsWith("https:");

  return (source) => {
    if (isDone || source === undefined || !("url" in source) || typeof source.url !== "string") {
      return;
    }
    if (!source.url.startsWith("http:") || !URL.canParse(source.url)) return;
    const { hostname, host } = new URL(source.url);
    // Browsers send Sec-Fetch-Site over https and on localhost, where they keep such cookies.
    const isKept = LOOPBACK.test(hostname) || webHeadersOf(headersOf(source)).has("sec-fetch-site");
    if (isKept) return;
    isDone = true;
    onEvent({ type: "insecure", host });
  };
}
