/** What one run does: the flags of `bun run bench`, with their defaults. */
import { parseArgs } from "node:util";

export const partNames = ["http", "process", "growth", "startup"] as const;
export type Part = (typeof partNames)[number];

export interface Options {
  /** How often each server is measured; what is reported is the median. Default 10, quick 1. */
  readonly rounds: number;
  /** Seconds of load for one measurement. Default 1. */
  readonly seconds: number;
  /**
   * Different users whose cookies are sent in turn, for the cold tokens. Default 20,000: more than
   * our cache of verified tokens holds, so that none of them is found there.
   */
  readonly users: number;
  /** The numbers of sessions at which the growth is measured, rising. */
  readonly sessionCounts: readonly number[];
  /** The bytes of other cookies in a header. */
  readonly headerBytes: readonly number[];
  /** How often a program is started. Default 20, quick 5. */
  readonly starts: number;
  /** The servers to measure; undefined for all. */
  readonly only: readonly string[] | undefined;
  readonly parts: readonly Part[];
  /** Whether only what the targets need is measured. */
  readonly isQuick: boolean;
  /** Where the results go: `docs` for a full run, `tests/bench/out` for any other. */
  readonly outputFolder: string;
  /** The command line, for the captions. */
  readonly command: string;
}

const flags = {
  quick: { type: "boolean", default: false },
  rounds: { type: "string" },
  seconds: { type: "string" },
  users: { type: "string" },
  only: { type: "string" },
  parts: { type: "string" },
  out: { type: "string" },
} as const;

export function readOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({ args: [...argv], options: flags, strict: true });
  const { quick } = values;
  // A run that leaves something out must not overwrite the published figures.
  const isFull = !quick && values.only === undefined && values.parts === undefined;
  return {
    rounds: readCount("rounds", values.rounds, quick ? 1 : 10),
    seconds: readCount("seconds", values.seconds, 1),
    users: readCount("users", values.users, 20_000),
    isQuick: quick,
    sessionCounts: quick ? [1, 10_000] : [1, 1_000, 100_000],
    headerBytes: quick ? [0, 15_000] : [0, 1_000, 4_000, 8_000, 15_000],
    starts: quick ? 5 : 20,
    only: values.only?.split(","),
    parts: values.parts === undefined ? partNames : values.parts.split(",").map(readPart),
    outputFolder: values.out ?? (isFull ? "docs" : "tests/bench/out"),
    command: ["bun run bench", ...argv].join(" "),
  };
}

function readCount(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= 1_000_000) return count;
  throw new RangeError(`Cannot use --${name} ${text}: it takes a whole number from 1`);
}

function readPart(text: string): Part {
  const part = partNames.find((name) => name === text);
  if (part !== undefined) return part;
  throw new TypeError(`Cannot run part ${text}: there are ${partNames.join(", ")}`);
}
