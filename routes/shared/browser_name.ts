/** Parts of a `User-Agent`, and our names for them. The first that is found counts. */
type Names = readonly (readonly [token: string, name: string])[];

/** Each also claims to be some of those below it: Edge says "Chrome" and "Safari" too. */
const BROWSERS: Names = [
  ["Edg/", "Edge"],
  ["EdgA/", "Edge"],
  ["EdgiOS/", "Edge"],
  ["OPR/", "Opera"],
  ["SamsungBrowser/", "Samsung Internet"],
  ["Firefox/", "Firefox"],
  ["FxiOS/", "Firefox"],
  ["Chrome/", "Chrome"],
  ["CriOS/", "Chrome"],
  ["Safari/", "Safari"],
  ["curl/", "curl"],
];

/** In this order, because Android says "Linux" too. */
const SYSTEMS: Names = [
  ["iPhone", "iOS"],
  ["iPad", "iPadOS"],
  ["Android", "Android"],
  ["Windows", "Windows"],
  ["CrOS", "ChromeOS"],
  ["Macintosh", "macOS"],
  ["Linux", "Linux"],
];

/**
 * The browser and its system in a few words, such as "Firefox on Linux". The words are always
 * ours: a client can choose among them by its `User-Agent`, but not add its own.
 */
export function browserName(userAgent: string | null): string {
  const browser = find(BROWSERS, userAgent) ?? "Unknown browser";
  const system = find(SYSTEMS, userAgent);
  return system === undefined ? browser : `${browser} on ${system}`;
}

function find(names: Names, userAgent: string | null): string | undefined {
  return names.find(([token]) => userAgent?.includes(token))?.[1];
}
