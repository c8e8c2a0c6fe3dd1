/** The Lua script that makes wrk send a job and print its result as JSON. */
import type { Job } from "./load.ts";

/** Printed by wrk itself, of which only requests per second and percentiles are text for people. */
const done = `
function done(summary, latency, requests)
  local failed = summary.errors
  io.write(string.format(
    '\\nresult {"requests":%d,"seconds":%f,"p99Milliseconds":%f,"errors":%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(99) / 1e3,
    failed.connect + failed.read + failed.write + failed.timeout + failed.status))
end
`;

export function wrkScript(job: Job): string {
  const lines = [`wrk.method = ${quote(job.method)}`];
  if (job.list?.of === "body") {
    lines.push(`wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"`);
  }
  if (job.cookie !== undefined) lines.push(`wrk.headers["Cookie"] = ${quote(job.cookie)}`);
  if (job.list !== undefined) lines.push(listScript(job.list, job.firstLine ?? 0));
  return lines.join("\n") + "\n" + done;
}

/** The requests are made ready before the load starts, so that wrk only copies while it measures. */
function listScript({ of, file }: NonNullable<Job["list"]>, firstLine: number): string {
  const place = of === "cookie" ? `wrk.headers["Cookie"]` : "wrk.body";
  return `
local ready, index = {}, ${firstLine}
function init(args)
  for line in io.lines(${quote(file)}) do
    ${place} = line
    ready[#ready + 1] = wrk.format()
  end
end
function request()
  index = index % #ready + 1
  return ready[index]
end`;
}

/** A Lua string: JSON's escapes of what stands in a cookie or a path are Lua's too. */
function quote(text: string): string {
  return JSON.stringify(text);
}
