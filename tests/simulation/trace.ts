import type { Exchange, Token } from "./exchange.ts";
import type { Finding } from "./finding.ts";
import type { Replacement } from "./store.ts";

/** What a request asks, of which instance, with which of all cookies. */
export function describeRequest(exchange: Exchange, cookies: readonly Token[]): string {
  const { number, browser, plan, settings, token } = exchange;
  const operations = plan.operations.map((operation) => Object.values(operation).join(" "));
  const { skew, lifetime, idleTimeout, dataIn } = settings;
  return (
    `${number} sent ${browser === undefined ? "by a thief" : `by browser ${browser}`} ` +
    `with ${nameCookie(token, cookies)} ` +
    `to an instance with ${skew} ms, ${lifetime} s, ${idleTimeout} s, ${dataIn}: ` +
    (operations.join(", ") || "read")
  );
}

/** What a request found when it was opened. */
export function describeOpened({ number, isLive, seen, subjectSeen = "nobody" }: Exchange): string {
  const values = Array.from(seen, ([key, by]) => `${key} by ${by}`).join(", ");
  return `${number} opened ${isLive ? `a session of ${subjectSeen}` : "a new session"}: ${values}`;
}

const VALUES: Readonly<Record<string, string>> = { sub: "a generation", list: "a list" };

/** What a request, or a call of `endAll` or `end`, did to the store. */
export function describeReplacement(
  exchange: Exchange | undefined,
  { key, next, isReplaced }: Replacement,
): string {
  const [, how = ""] = next.split(" ");
  const isMark = how === "ended" || how === "moved";
  const value = VALUES[key.split(":")[0] ?? ""] ?? (isMark ? `"${how}"` : "a record");
  const where = key === exchange?.token?.id ? "for its session" : "for another key";
  const by = exchange?.number ?? "endAll or end";
  return `${by} ${isReplaced ? "put" : "could not put"} ${value} ${where}`;
}

/** What a request was answered. */
export function describeAnswer(exchange: Exchange, cookies: readonly Token[]): string {
  const { number, failure, cookie } = exchange;
  if (failure !== undefined) return `${number} failed: ${failure}`;
  const change = cookie === "deleted" ? "a deletion" : nameCookie(cookie, cookies);
  return `${number} answered with ${change}`;
}

/** What was found, on a line that starts with an exclamation mark. */
export function describeFinding(finding: Finding): string {
  return `! ${"fault" in finding ? finding.fault : finding.limit}, ${finding.text}`;
}

/** The cookie's place among all, because ids are different in each run. */
function nameCookie(token: Token | undefined, cookies: readonly Token[]): string {
  if (token === undefined) return "no cookie";
  const ids = Array.from(new Set(cookies.map(({ id }) => id)));
  return `cookie ${cookies.indexOf(token)} of session ${ids.indexOf(token.id)}`;
}
