/** The targets, and what a run says of each. A ratio compares two measurements of the same run. */
import { hostileNames, serverEntries } from "./catalogue.ts";
import { isCoreUnfilled, medianOf, type Metric, ratioOf } from "./measure.ts";
import type { Results } from "./results.ts";

export interface Verdict {
  readonly target: string;
  readonly bound: string;
  readonly value: number | undefined;
  readonly unit: string;
  readonly verdict: "met" | "missed" | "not measured";
  /** What the value stands for, where the target leaves that open. */
  readonly note: string;
}

interface Found {
  readonly value: number | undefined;
  readonly note?: string;
}

interface Target {
  readonly target: string;
  readonly unit: "×" | "MB" | "ms";
  readonly atLeast?: number;
  readonly atMost?: number;
  readonly find: (results: Results) => Found;
}

const memory = "madeleine-memory";

/** A session of a live browser: the number for which the memory is bounded. */
const liveSessions = 100_000;

/** The others that must not slow a browser. */
const otherSessions = 1_000_000;

const targets: readonly Target[] = [
  {
    target: "reads, memory store, to the bare page: requests a second",
    unit: "×",
    atLeast: 0.9,
    find: (results) => compare(results, [memory, "reads"], ["bare", "reads"]),
  },
  {
    target: "reads, memory store, to the bare page: CPU a request",
    unit: "×",
    atMost: 1.15,
    find: (results) => compare(results, [memory, "reads"], ["bare", "reads"], "cpuMicroseconds"),
  },
  {
    target: "reads, SQLite, to the bare page: requests a second",
    unit: "×",
    atLeast: 0.65,
    find: (results) => compare(results, ["madeleine-sqlite", "reads"], ["bare", "reads"]),
  },
  {
    target: "reads, memory store, to the fastest peer: requests a second",
    unit: "×",
    atLeast: 2.5,
    find: compareToFastestPeer,
  },
  {
    target: "cold tokens, to jose by hand: requests a second",
    unit: "×",
    atLeast: 0.95,
    find: (results) => compare(results, [memory, "cold"], ["jose", "cold"]),
  },
  {
    target: "logins, to jose by hand: requests a second",
    unit: "×",
    atLeast: 0.95,
    find: (results) => compare(results, [memory, "logins"], ["jose", "logins"]),
  },
  {
    target: "the worst forged or malformed cookie, to a visitor: requests a second",
    unit: "×",
    atLeast: 0.6,
    find: findWorstHostile,
  },
  {
    target: "a browser's requests among 10⁶ other sessions, to none: requests a second",
    unit: "×",
    atLeast: 0.95,
    find: findLargestGrowth,
  },
  {
    target: "memory for 10⁵ live sessions seen, more than the bare page",
    unit: "MB",
    atMost: 64,
    find: findMemory,
  },
  {
    target: "the binary's start to its first answer of 200",
    unit: "ms",
    atMost: 20,
    find: ({ starts }) => ({
      value: starts?.find(({ name }) => name === "the binary")?.milliseconds,
    }),
  },
];

type Place = readonly [server: string, workload: string];

function compare(
  { http }: Results,
  [server, workload]: Place,
  [baseServer, baseWorkload]: Place,
  metric: Metric = "requestsPerSecond",
): Found {
  const measured = http?.samples[server]?.[workload];
  const base = http?.samples[baseServer]?.[baseWorkload];
  const isRate = metric === "requestsPerSecond";
  const isDoubtful = isRate && (isCoreUnfilled(measured) || isCoreUnfilled(base));
  const value = ratioOf(measured, base, metric);
  return value === undefined || !isDoubtful ? { value } : { value, note: "~ core not filled" };
}

function joinNotes(first: string, second = ""): string {
  return second === "" ? first : `${first} ${second}`;
}

/** Of all that are not ours and not bare, jose by hand among them: the one with the most reads. */
function compareToFastestPeer(results: Results): Found {
  let fastest: string | undefined;
  let most = 0;
  for (const { name, kind } of serverEntries) {
    if (kind !== "peer" && kind !== "hand") continue;
    const rate = medianOf(results.http?.samples[name]?.["reads"], "requestsPerSecond") ?? 0;
    if (rate <= most) continue;
    most = rate;
    fastest = name;
  }
  if (fastest === undefined) return { value: undefined };
  const { value, note } = compare(results, [memory, "reads"], [fastest, "reads"]);
  return { value, note: joinNotes(fastest, note) };
}

function findWorstHostile(results: Results): Found {
  let worst: Found = { value: undefined };
  for (const name of hostileNames) {
    const { value, note } = compare(results, [memory, name], [memory, "visitor"]);
    if (value === undefined || (worst.value !== undefined && value >= worst.value)) continue;
    worst = { value, note: joinNotes(name, note) };
  }
  return worst;
}

/** The worse of the two kinds of other sessions: live ones, and those that were logged out. */
function findLargestGrowth({ growth }: Results): Found {
  const live = growth?.seen.find(({ count }) => count === otherSessions)?.toEmpty;
  const ended = growth?.ended.find(({ count }) => count === otherSessions)?.toEmpty;
  if (live === undefined || ended === undefined) return { value: undefined };
  return { value: Math.min(live, ended), note: live <= ended ? "live ones" : "ended ones" };
}

function findMemory({ growth }: Results): Found {
  const step = growth?.seen.findIndex(({ count }) => count === liveSessions) ?? -1;
  const ours = growth?.seen[step]?.residentMegabytes;
  const bare = growth?.bareMegabytes[step];
  return { value: ours === undefined || bare === undefined ? undefined : ours - bare };
}

export function judge(results: Results): Verdict[] {
  return targets.map(({ target, unit, atLeast, atMost, find }) => {
    const { value, note = "" } = find(results);
    const bound = atLeast === undefined ? `≤ ${atMost} ${unit}` : `≥ ${atLeast} ${unit}`;
    return { target, bound, value, unit, note, verdict: decide(value, atLeast, atMost) };
  });
}

function decide(
  value: number | undefined,
  atLeast = -Infinity,
  atMost = Infinity,
): Verdict["verdict"] {
  if (value === undefined || Number.isNaN(value)) return "not measured";
  return value >= atLeast && value <= atMost ? "met" : "missed";
}
