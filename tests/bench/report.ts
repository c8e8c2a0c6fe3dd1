/** The tables that a run prints. */
import { bareOf, hostileNames, type ServerEntry, serverEntries, workloads } from "./catalogue.ts";
import { sameServers } from "./charts.ts";
import type { GrowthPoint, GrowthResults } from "./growth.ts";
import type { HttpResults, Samples } from "./http.ts";
import { isCoreUnfilled, medianOf, ratioOf } from "./measure.ts";
import type { ProcessRow } from "./process.ts";
import type { Results } from "./results.ts";
import type { StartResult } from "./startup.ts";
import type { Verdict } from "./targets.ts";

const missing = "–";

export function printReport(results: Results, verdicts: readonly Verdict[]): void {
  const { http, process, growth, starts } = results;
  if (http !== null) printHttp(http);
  if (http !== null) printReadme(http);
  if (process !== null) printProcess(process);
  if (growth !== null) printGrowth(growth);
  if (starts !== null) printStarts(starts);
  printVerdicts(verdicts);
}

function printHttp({ samples, unavailable }: HttpResults): void {
  for (const { name, label } of workloads) {
    const rows = serverEntries
      .filter((server) => samples[server.name]?.[name] !== undefined)
      .map((server) => httpRow(samples, server, name));
    if (rows.length === 0) continue;
    const columns = ["server", "requests/s", "× bare", "× visitor", "CPU µs", "× bare"];
    printTable(label, [...columns, "p99 ms", "RSS MB", "core"], rows);
  }
  for (const [name, reason] of Object.entries(unavailable)) {
    console.log(`${name}: not available (${reason})`);
  }
}

/** The table of README.md: the same page from every server, the quickest reader first. */
function printReadme({ samples }: HttpResults): void {
  const rateOf = ({ name }: ServerEntry, workload: string): number | undefined =>
    medianOf(samples[name]?.[workload], "requestsPerSecond");
  const lines = sameServers
    .filter((server) => rateOf(server, "reads") !== undefined)
    .toSorted((one, other) => (rateOf(other, "reads") ?? 0) - (rateOf(one, "reads") ?? 0))
    .map((server) => {
      const cells = ["reads", "logins", "visitor"].map((workload) =>
        whole(rateOf(server, workload)),
      );
      const cpu = decimal(medianOf(samples[server.name]?.["reads"], "cpuMicroseconds"));
      return `| ${[server.label, ...cells, cpu].join(" | ")} |`;
    });
  const heads = ["", "reads/s", "logins/s", "visitors/s", "CPU of a read, µs"];
  const rule = ["---", ...heads.slice(1).map(() => "---:")];
  console.log(
    `\nREADME.md\n| ${heads.join(" | ")} |\n| ${rule.join(" | ")} |\n${lines.join("\n")}`,
  );
}

function httpRow(samples: Samples, server: ServerEntry, workload: string): string[] {
  const { name } = server;
  const measured = samples[name]?.[workload];
  // Logins are held against the bare page's, and all else against its reads.
  const base = samples[bareOf(server)];
  const bare = base?.[workload] ?? base?.["reads"];
  const isHostile = hostileNames.includes(workload);
  const visitor = isHostile ? samples[name]?.["visitor"] : undefined;
  const busy = medianOf(measured, "busy");
  return [
    name,
    whole(medianOf(measured, "requestsPerSecond")) + (isCoreUnfilled(measured) ? " ~" : ""),
    ratio(ratioOf(measured, bare, "requestsPerSecond")),
    ratio(ratioOf(measured, visitor, "requestsPerSecond")),
    decimal(medianOf(measured, "cpuMicroseconds")),
    ratio(ratioOf(measured, bare, "cpuMicroseconds")),
    decimal(medianOf(measured, "p99Milliseconds")),
    whole(medianOf(measured, "residentMegabytes")),
    busy === undefined ? missing : `${Math.round(busy * 100)} %`,
  ];
}

function printProcess(rows: readonly ProcessRow[]): void {
  const alone = rows[0]?.nanoseconds;
  const table = rows.map(({ name, nanoseconds, p99Nanoseconds }) => [
    name,
    whole(nanoseconds),
    whole(p99Nanoseconds),
    ratio(alone === undefined ? undefined : nanoseconds / alone),
  ]);
  printTable("in process", ["step", "ns", "p99 ns", "× the handler alone"], table);
}

function printGrowth({ seen, ended, bareMegabytes, headers }: GrowthResults): void {
  const columns = ["sessions", "requests/s", "× none", "CPU µs", "RSS MB", "bare RSS MB"];
  for (const [title, points] of [
    ["sessions seen, that live on", seen],
    ["sessions logged out", ended],
  ] as const) {
    printTable(
      title,
      columns,
      points.map((point, step) => growthRow(point, bareMegabytes[step])),
    );
  }
  const rows = headers.map((point) => [
    whole(point.bytes),
    whole(point.requestsPerSecond),
    ratio(point.toBare),
    decimal(point.cpuMicroseconds),
  ]);
  printTable("other cookies", ["bytes", "requests/s", "× bare, same bytes", "CPU µs"], rows);
}

function growthRow(point: GrowthPoint, bareMegabytes: number | undefined): string[] {
  return [
    whole(point.count),
    whole(point.requestsPerSecond),
    ratio(point.toEmpty),
    decimal(point.cpuMicroseconds),
    whole(point.residentMegabytes),
    whole(bareMegabytes),
  ];
}

function printStarts(starts: readonly StartResult[]): void {
  const rows = starts.map(({ name, milliseconds, unavailable }) => [
    name,
    unavailable === undefined ? decimal(milliseconds) : `not available: ${unavailable}`,
  ]);
  printTable("start to the first 200", ["program", "ms"], rows);
}

function printVerdicts(verdicts: readonly Verdict[]): void {
  const rows = verdicts.map(({ target, bound, value, unit, note, verdict }) => [
    target,
    bound,
    value === undefined ? missing : `${value.toFixed(2)} ${unit}`,
    verdict,
    note,
  ]);
  printTable("targets", ["target", "bound", "measured", "verdict", ""], rows);
}

function printTable(title: string, columns: readonly string[], rows: readonly string[][]): void {
  const widths = columns.map((column, index) =>
    Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  // Names and remarks stand to the left, figures to the right.
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => {
        const width = widths[index] ?? 0;
        return index === 0 || columns[index] === "" ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ");
  console.log(`\n${title}\n${line(columns)}\n${rows.map(line).join("\n")}`);
}

function whole(value: number | undefined): string {
  return value === undefined ? missing : Math.round(value).toLocaleString("en");
}

function decimal(value: number | undefined): string {
  return value === undefined ? missing : value.toFixed(1);
}

function ratio(value: number | undefined): string {
  return value === undefined ? missing : value.toFixed(2);
}
