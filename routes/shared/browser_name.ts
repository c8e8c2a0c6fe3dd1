/** What a `User-Agent` has, and what we call that. The first that is found counts. */
type Names = readonly (readonly [token: string, name: string])[];

/** Each says that it is also the ones below it: Edge is "Chrome" and "Safari" as well. */
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

/** An iPhone is "like Mac OS X", and Android is "Linux". */
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
 * The browser and its system in a few words, such as "Firefox on Linux". These are always words of
 * ours: a client chooses what its `User-Agent` says, and so which of them it gets, and no others.
 */
export function browserName(userAgent: string | null): string {
  const browser = find(BROWSERS, userAgent) ?? "Unknown browser";
  const system = find(SYSTEMS, userAgent);
  return system === undefined ? browser : `${browser} on ${system}`;
}

function find(names: Names, userAgent: string | null): string | undefined {
  return names.find(([token]) => userAgent?.includes(token))?.[1];
}
