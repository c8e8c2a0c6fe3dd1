/** One measurement of one server, and what is made of several. */
import type { Child } from "./child.ts";
import { type Job, runLoad } from "./load.ts";
import { cpuMicroseconds, residentMegabytes } from "./usage.ts";

export interface Measurement {
  readonly round: number;
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** CPU time of the whole server process for one request. */
  readonly cpuMicroseconds: number | undefined;
  readonly p99Milliseconds: number;
  readonly residentMegabytes: number | undefined;
  /** The share of its core that the server used; well below 1, the loader was the limit. */
  readonly busy: number | undefined;
  readonly errors: number;
}

/** A job without what is the same for every one. */
export type Work = Omit<Job, "port" | "connections">;

/** Enough that a server is never idle for want of a request, and few enough for a fair p99. */
const connections = 32;

export type Metric = "requestsPerSecond" | "cpuMicroseconds" | "p99Milliseconds";

export async function measure(
  server: Child,
  work: Work,
  temporaryFolder: string,
  round = 0,
): Promise<Measurement> {
  const before = cpuMicroseconds(server.pid);
  const result = await runLoad({ ...work, port: server.port, connections }, temporaryFolder);
  const after = cpuMicroseconds(server.pid);
  const used = before === undefined || after === undefined ? undefined : after - before;
  return {
    round,
    requests: result.requests,
    requestsPerSecond: result.requests / result.seconds,
    cpuMicroseconds:
      used === undefined || result.requests === 0 ? undefined : used / result.requests,
    p99Milliseconds: result.p99Milliseconds,
    residentMegabytes: residentMegabytes(server.pid),
    busy: used === undefined ? undefined : used / 1e6 / result.seconds,
    errors: result.errors,
  };
}

/** The middle one, or the mean of the two in the middle; undefined for none. */
export function median(values: readonly (number | undefined)[]): number | undefined {
  const sorted = values.filter((value) => value !== undefined).toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  return upper === undefined || lower === undefined ? undefined : (upper + lower) / 2;
}

/** The median over the rounds of one value. */
export function medianOf(
  measurements: readonly Measurement[] | undefined,
  metric: Exclude<keyof Measurement, "round" | "requests" | "errors">,
): number | undefined {
  return median((measurements ?? []).map((measurement) => measurement[metric]));
}

/** Below this share of its core a server waited, for the loader or for others on the machine. */
const busyEnough = 0.85;

export function isCoreUnfilled(measurements: readonly Measurement[] | undefined): boolean {
  return (medianOf(measurements, "busy") ?? 1) < busyEnough;
}

/**
 * The median of the ratios of each round: what changes on the machine between rounds changes both
 * sides of a round's ratio.
 */
export function ratioOf(
  measurements: readonly Measurement[] | undefined,
  reference: readonly Measurement[] | undefined,
  metric: Metric,
): number | undefined {
  const ratios = (measurements ?? []).map((measurement) => {
    const value = measurement[metric];
    const base = reference?.find(({ round }) => round === measurement.round)?.[metric];
    return value === undefined || base === undefined ? undefined : value / base;
  });
  return median(ratios);
}
