/** What a process used, as Linux counts it. Other systems give undefined. */
import { readFileSync } from "node:fs";

/** The kernel counts CPU time in ticks of `sysconf(_SC_CLK_TCK)`, 100 a second on every Linux. */
const microsecondsPerTick = 10_000;

function readProc(pid: number, file: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return undefined;
  }
}

/** User and system time of all threads, and of children that were waited for: proc(5), stat. */
export function cpuMicroseconds(pid: number): number | undefined {
  const text = readProc(pid, "stat");
  if (text === undefined) return undefined;
  // The second field, the name, may hold spaces: what comes after its last parenthesis is regular.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields
    .slice(11, 15)
    .map(Number);
  return (user + system + childrenUser + childrenSystem) * microsecondsPerTick;
}

/** The resident memory, in megabytes of 2²⁰ bytes. */
export function residentMegabytes(pid: number): number | undefined {
  const kilobytes = /^VmRSS:\s+(\d+)/m.exec(readProc(pid, "status") ?? "")?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) / 1024;
}
