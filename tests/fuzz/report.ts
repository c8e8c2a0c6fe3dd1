/** How much to try, of what, and for how long at most. */
export interface Effort {
  readonly seed: number;
  readonly count: number;
  /** Seconds after which no more is tried. */
  readonly seconds: number;
}

/** What came of it. */
export interface Report {
  readonly name: string;
  readonly count: number;
  /** How much was asked for: more than the count, where the time was over before. */
  readonly asked: number;
  readonly seconds: number;
  /** What must not happen, with what made it happen; the first few of them. */
  readonly failures: readonly string[];
  /** How often what happened. */
  readonly tally: Readonly<Record<string, number>>;
}

/** Puts down what happens while something is tried. */
export class Recorder {
  count = 0;
  readonly failures: string[] = [];
  readonly #tally = new Map<string, number>();
  readonly #effort: Effort;
  readonly #start = performance.now();

  constructor(effort: Effort) {
    this.#effort = effort;
  }

  /** Counts one more try, and says whether it is to be made. */
  next(): boolean {
    const { count, seconds } = this.#effort;
    if (this.count >= count || this.#seconds >= seconds) return false;
    this.count++;
    return true;
  }

  add(event: string): void {
    this.#tally.set(event, (this.#tally.get(event) ?? 0) + 1);
  }

  fail(event: string, cause: string): void {
    this.add(event);
    if (this.failures.length < 20) this.failures.push(`${event}: ${JSON.stringify(cause)}`);
  }

  get #seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }

  report(name: string): Report {
    const { count, failures } = this;
    const tally = Object.fromEntries(this.#tally);
    return { name, count, asked: this.#effort.count, seconds: this.#seconds, failures, tally };
  }
}

/** Runs so many of them at once, each until it has no more to do. */
export async function inParallel(workers: number, work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: workers }, async () => work()));
}
