import { type Point, rule, svg, text } from "../bench/svg.ts";

/** What was measured in a few seconds. */
export interface Sample {
  /** When, from the start. */
  readonly second: number;
  readonly requests: number;
  /** Answers that were no page and no redirect, and connections that broke. */
  readonly errors: number;
  /** In milliseconds. */
  readonly p99: number;
  /** Resident memory of the server. */
  readonly megabytes: number;
  /** File descriptors that the server has open. */
  readonly descriptors: number;
}

/** A whole run. */
export interface Soak {
  readonly date: string;
  readonly machine: string;
  readonly bun: string;
  readonly seconds: number;
  /** The second from which the figures are taken. */
  readonly settled: number;
  /** Requests a second. */
  readonly rate: number;
  readonly errors: number;
  readonly megabytesPerMinute: number;
  /** The fewest and the most. */
  readonly descriptors: readonly [least: number, most: number];
  /** The share by which the p99 of the last third is above the first's. */
  readonly p99Drift: number;
  readonly samples: readonly Sample[];
}

/** The slope of the line that is closest to the points. */
export function slopeOf(points: readonly Point[]): number {
  const count = points.length;
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / count;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / count;
  const above = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  const below = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return above / below;
}

const LEFT = 60;
const WIDTH = 640;
const HEIGHT = 100;
const GAP = 50;

/** Memory, file descriptors and the p99 against time, one above the other. */
export function drawSoak(soak: Soak): string {
  const { samples, rate, date, machine, bun } = soak;
  const plots: readonly (readonly [title: string, values: readonly number[]])[] = [
    ["Memory (RSS), MB", samples.map(({ megabytes }) => megabytes)],
    ["File descriptors", samples.map(({ descriptors }) => descriptors)],
    ["p99, ms", samples.map(({ p99 }) => p99)],
  ];
  const parts = plots.flatMap(([title, values], index) =>
    drawPlot(title, values, 30 + index * (HEIGHT + GAP), soak),
  );
  const bottom = 30 + plots.length * (HEIGHT + GAP);
  const caption = `${rate} requests a second. ${date}, Bun ${bun}, ${machine}`;
  return svg(LEFT + WIDTH + 40, bottom + 20, "Memory, file descriptors and p99 under steady load", [
    ...parts,
    text(LEFT, bottom, caption, "small"),
  ]);
}

function drawPlot(
  title: string,
  values: readonly number[],
  top: number,
  { samples, seconds }: Soak,
): string[] {
  const highest = Math.max(...values) * 1.2;
  const bottom = top + HEIGHT;
  const place = (second: number): number => LEFT + (second / seconds) * WIDTH;
  const points = samples.map(({ second }, index) => {
    const y = bottom - ((values[index] ?? 0) / highest) * HEIGHT;
    return `${place(second).toFixed(1)},${y.toFixed(1)}`;
  });
  const minutes = Array.from({ length: Math.floor(seconds / 60) + 1 }, (_, minute) => minute);
  return [
    text(LEFT, top - 8, title, "title"),
    ...[0, 0.5, 1].flatMap((share) => {
      const y = bottom - share * HEIGHT;
      const label = String(Number((highest * share).toPrecision(3)));
      return [rule(LEFT, y, LEFT + WIDTH, y), text(LEFT - 6, y + 4, label, "small end")];
    }),
    ...minutes.map((minute) =>
      text(place(minute * 60), bottom + 15, `${minute} min`, "small middle"),
    ),
    `<polyline points="${points.join(" ")}" class="ours line"/>`,
  ];
}
