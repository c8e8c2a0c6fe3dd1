/** The targets, and what a run says of each. A ratio compares two measurements of the same run. */
import { type ServerEntry, serverEntries } from "./catalogue.ts";
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

type Place = readonly [server: string, workload: string];

const memory = "madeleine-memory";
const barePage: Place = ["bare", "reads"];
const bareProgram: Place = ["server-bare", "reads"];

/** A session of a live browser: the number for which the memory is bounded. */
const liveSessions = 100_000;

const targets: readonly Target[] = [
  ...pair("the program's page, signed in, memory", ["server-memory", "reads"], {
    against: "the bare page of the same bytes",
    base: bareProgram,
    cpu: 1.6,
    rate: 0.6,
  }),
  ...pair("the program's page, signed in, SQLite", ["server-sqlite", "reads"], {
    against: "the bare page of the same bytes",
    base: bareProgram,
    cpu: 2,
    rate: 0.5,
  }),
  ...pair("the program's page, a visitor", ["server-memory", "visitor"], {
    against: "the bare page of the same bytes",
    base: bareProgram,
    cpu: 1.3,
    rate: 0.75,
  }),
  ...pair("a read, memory", [memory, "reads"], {
    against: "the bare page",
    base: barePage,
    cpu: 1.4,
    rate: 0.8,
  }),
  ...pair("a read, memory", [memory, "reads"], {
    against: "the fastest other library",
    base: findFastest,
    cpu: 0.45,
    rate: 2.5,
  }),
  ...pair("a login", [memory, "logins"], {
    against: "jose by hand",
    base: ["jose", "logins"],
    cpu: 1.15,
    rate: 0.85,
  }),
  ...pair("the program's login", ["server-memory", "logins"], {
    against: "jose by hand",
    base: ["jose", "logins"],
    cpu: 1.3,
    rate: 0.75,
  }),
  ...pair("a token not seen before", [memory, "cold"], {
    against: "jose by hand",
    base: ["jose", "cold"],
    cpu: 1.1,
    rate: 0.9,
  }),
  ...pair("a forged token", [memory, "forged"], {
    against: "jose by hand",
    base: ["jose", "forged"],
    cpu: 1.1,
    rate: 0.9,
  }),
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

interface Comparison {
  readonly against: string;
  readonly base: Place | ((results: Results) => Place);
  /** The CPU of a request may be at most so many times the base's. */
  readonly cpu: number;
  /** The requests a second must be at least so many times the base's. */
  readonly rate: number;
}

/** One comparison's two targets. CPU stands first: the loader limits requests a second. */
function pair(work: string, place: Place, { against, base, cpu, rate }: Comparison): Target[] {
  const find = (results: Results, metric: Metric): Found => {
    const found = typeof base === "function" ? base(results) : base;
    const { value, note = "" } = compare(results, place, found, metric);
    return { value, note: typeof base === "function" ? `${found[0]} ${note}`.trim() : note };
  };
  return [
    {
      target: `${work}, to ${against}: CPU a request`,
      unit: "×",
      atMost: cpu,
      find: (results) => find(results, "cpuMicroseconds"),
    },
    {
      target: `${work}, to ${against}: requests a second`,
      unit: "×",
      atLeast: rate,
      find: (results) => find(results, "requestsPerSecond"),
    },
  ];
}

function compare(
  { http }: Results,
  [server, workload]: Place,
  [baseServer, baseWorkload]: Place,
  metric: Metric,
): Found {
  const measured = http?.samples[server]?.[workload];
  const base = http?.samples[baseServer]?.[baseWorkload];
  const isRate = metric === "requestsPerSecond";
  const isDoubtful = isRate && (isCoreUnfilled(measured) || isCoreUnfilled(base));
  const value = ratioOf(measured, base, metric);
  return value === undefined || !isDoubtful ? { value } : { value, note: "~ core not filled" };
}

/** The server with the most reads that is not ours and not bare; jose by hand counts. */
function findFastest({ http }: Results): Place {
  const rateOf = ({ name }: ServerEntry): number =>
    medianOf(http?.samples[name]?.["reads"], "requestsPerSecond") ?? 0;
  const others = serverEntries.filter(({ kind }) => kind === "peer" || kind === "hand");
  const [fastest] = others.toSorted((one, other) => rateOf(other) - rateOf(one));
  return [fastest?.name ?? "", "reads"];
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
