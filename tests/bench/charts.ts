/** The two figures of the documentation: the servers side by side, and what grows. */
import { type ServerEntry, serverEntries } from "./catalogue.ts";
import type { GrowthPoint, GrowthResults } from "./growth.ts";
import type { HttpResults } from "./http.ts";
import { caption, type Machine, packageLines } from "./machine.ts";
import { medianOf, ratioOf } from "./measure.ts";
import { bar, line, type Point, rule, svg, text } from "./svg.ts";

const width = 760;
const labelWidth = 190;
const valueWidth = 130;
const barHeight = 15;
const rowHeight = 21;

const panels = [
  ["reads", "A logged-in browser reads"],
  ["logins", "Logins"],
  ["visitor", "A visitor without a cookie"],
] as const;

/** Those with the one page of `page.ts`; the limit among them. */
export const sameServers: readonly ServerEntry[] = serverEntries.filter(
  ({ name, kind }) => kind !== "program" && kind !== "floor" && name !== "server-bare",
);

/** Requests a second of every server, the longest bar first, with the ratio to the bare page. */
export function serverChart({ samples }: HttpResults, machine: Machine): string {
  const parts: string[] = [];
  let top = 24;
  for (const [workload, title] of panels) {
    const rows = sameServers
      .map((server) => ({
        server,
        rate: medianOf(samples[server.name]?.[workload], "requestsPerSecond") ?? 0,
        toBare: ratioOf(
          samples[server.name]?.[workload],
          samples["bare"]?.[workload] ?? samples["bare"]?.["reads"],
          "requestsPerSecond",
        ),
      }))
      .filter(({ rate }) => rate > 0)
      .toSorted((a, b) => b.rate - a.rate);
    if (rows.length === 0) continue;
    parts.push(text(0, top, `${title}: requests a second`, "title"));
    const scale = (width - labelWidth - valueWidth) / (rows[0]?.rate ?? 1);
    for (const [index, { server, rate, toBare }] of rows.entries()) {
      parts.push(...barRow(server, rate, toBare, top + 12 + index * rowHeight, scale));
    }
    top += rows.length * rowHeight + 44;
  }
  const foot = [...caption(machine), ...packageLines(machine)];
  parts.push(...captionLines(foot, top - 8));
  return svg(
    width,
    top + foot.length * 15,
    "Requests a second of session libraries on one core",
    parts,
  );
}

/** The page itself, with and without a look at its cookie, is no library. */
const CLASSES = {
  bare: "bare",
  floor: "bare",
  ours: "ours",
  program: "ours",
  hand: "other",
  peer: "other",
} as const satisfies Record<ServerEntry["kind"], string>;

function barRow(
  { label, kind }: ServerEntry,
  rate: number,
  toBare: number | undefined,
  y: number,
  scale: number,
): string[] {
  const className = CLASSES[kind];
  const share = toBare === undefined ? "" : ` · ${toBare.toFixed(2)} ×`;
  const baseline = y + barHeight - 3;
  return [
    text(labelWidth - 8, baseline, label, "end"),
    bar(labelWidth, y, rate * scale, barHeight, className),
    text(labelWidth + rate * scale + 6, baseline, format(rate) + share, "small"),
  ];
}

function captionLines(lines: readonly string[], top: number): string[] {
  return lines.map((content, index) => text(0, top + index * 15, content, "small"));
}

interface Series {
  readonly name: string;
  readonly className: string;
  readonly points: readonly (readonly [x: number, y: number | undefined])[];
}

interface Plot {
  readonly title: string;
  readonly series: readonly Series[];
  /** What a place on the x axis is called. */
  readonly tick: (x: number) => string;
  readonly unit: string;
}

const plotWidth = 210;
const plotHeight = 170;
const plotGap = 65;

/** What a browser's requests cost, and the memory, against the number of sessions and of bytes. */
export function growthChart(growth: GrowthResults, machine: Machine): string {
  const parts = growthPlots(growth).flatMap((plot, index) =>
    drawPlot(plot, 40 + index * (plotWidth + plotGap)),
  );
  const bottom = plotHeight + 120;
  return svg(width + 60, bottom + 24, "Cost and memory as sessions and headers grow", [
    ...parts,
    ...captionLines(caption(machine), bottom),
  ]);
}

function growthPlots(growth: GrowthResults): Plot[] {
  const power = (x: number): string => (x === 0 ? "1" : `10${superscript(x)}`);
  return [
    {
      title: "CPU a request, by sessions",
      unit: "µs",
      tick: power,
      series: [
        { name: "seen", className: "ours", points: byCount(growth.seen, "cpuMicroseconds") },
        { name: "ended", className: "second", points: byCount(growth.ended, "cpuMicroseconds") },
      ],
    },
    {
      title: "Memory, by sessions",
      unit: "MB",
      tick: power,
      series: [
        { name: "seen", className: "ours", points: byCount(growth.seen, "residentMegabytes") },
        { name: "ended", className: "second", points: byCount(growth.ended, "residentMegabytes") },
        { name: "bare page", className: "bare", points: bareMemory(growth) },
      ],
    },
    {
      title: "CPU a request, by header",
      unit: "µs",
      tick: (x) => `${x} kB`,
      series: [
        {
          name: "other cookies",
          className: "ours",
          points: growth.headers.map((point) => [point.bytes / 1000, point.cpuMicroseconds]),
        },
      ],
    },
  ];
}

function byCount(
  points: readonly GrowthPoint[],
  value: "cpuMicroseconds" | "residentMegabytes",
): Series["points"] {
  return points.map((point) => [Math.log10(point.count), point[value]]);
}

function bareMemory({ seen, bareMegabytes }: GrowthResults): Series["points"] {
  return seen.map(({ count }, step) => [Math.log10(count), bareMegabytes[step]]);
}

function drawPlot({ title, series, tick, unit }: Plot, left: number): string[] {
  const top = 44;
  const bottom = top + plotHeight;
  const all = series.flatMap(({ points }) => points);
  const right = Math.max(1, ...all.map(([x]) => x));
  const highest = niceCeiling(Math.max(1, ...all.map(([, y]) => y ?? 0)));
  const place = (x: number, y: number): Point => [
    left + (x / right) * plotWidth,
    bottom - (y / highest) * plotHeight,
  ];
  const parts = [text(left - 36, 20, title, "title")];
  for (const share of [0, 0.5, 1]) {
    const [, y] = place(0, highest * share);
    parts.push(rule(left, y, left + plotWidth, y));
    parts.push(text(left - 6, y + 4, `${format(highest * share)} ${unit}`, "small end"));
  }
  let lastTick = -Infinity;
  for (const x of new Set(all.map(([x]) => x))) {
    const [tickX] = place(x, 0);
    // Two that are close together would be written over each other.
    if (tickX - lastTick < 30) continue;
    parts.push(text(tickX, bottom + 16, tick(x), "small middle"));
    lastTick = tickX;
  }
  for (const [index, { name, className, points }] of series.entries()) {
    const known = points.filter((point): point is Point => point[1] !== undefined);
    parts.push(
      line(
        known.map(([x, y]) => place(x, y)),
        className,
      ),
    );
    const keyX = left + index * 68;
    parts.push(bar(keyX, bottom + 28, 10, 10, className));
    parts.push(text(keyX + 14, bottom + 37, name, "small"));
  }
  return parts;
}

/** The next of 1, 2, 4, 6, 8 and 10 times a power of ten, so that half of it is round as well. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const digit = [1, 2, 4, 6, 8, 10].find((digit) => digit * power >= value) ?? 10;
  return digit * power;
}

function superscript(exponent: number): string {
  return "⁰¹²³⁴⁵⁶⁷⁸⁹"[exponent] ?? String(exponent);
}

function format(value: number): string {
  return value < 10 ? String(value) : Math.round(value).toLocaleString("en");
}
