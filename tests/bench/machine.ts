/** What a figure depends on: the machine, the versions, the command and the day. */
import { cpus, release, totalmem } from "node:os";
import packageFile from "./package.json" with { type: "json" };
import { loaderName } from "./load.ts";

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGigabytes: number;
  readonly system: string;
  readonly bun: string;
  readonly loader: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly command: string;
  readonly date: string;
}

/** What is installed and not measured. */
const tools = ["mitata", "react"];

export function describeMachine(command: string): Machine {
  const processors = cpus();
  return {
    processor: processors[0]?.model ?? "unknown processor",
    cores: processors.length,
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    bun: Bun.version,
    loader: loaderName === "wrk" ? wrkVersion() : loaderName,
    packages: packageFile.dependencies,
    command,
    date: new Date().toISOString().slice(0, 10),
  };
}

function wrkVersion(): string {
  const { stdout, stderr } = Bun.spawnSync(["wrk", "--version"]);
  return /^wrk [\w./-]*\d[\w.]*/m.exec(`${stdout}${stderr}`)?.[0] ?? "wrk";
}

/** Two lines for the foot of a figure. */
export function caption(machine: Machine): string[] {
  const { processor, cores, memoryGigabytes, system, bun, loader, command, date } = machine;
  return [
    `${processor}, ${cores} cores, ${memoryGigabytes} GB, ${system} · Bun ${bun}, ${loader}`,
    `${command} · ${date}`,
  ];
}

/** The peers with their versions, some on each line. */
export function packageLines({ packages }: Machine): string[] {
  const names = Object.entries(packages)
    .filter(([name]) => !tools.includes(name))
    .map(([name, version]) => `${name} ${version}`);
  const half = Math.ceil(names.length / 2);
  return [names.slice(0, half).join(", "), names.slice(half).join(", ")];
}
