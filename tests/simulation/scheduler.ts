import type { Random } from "./random.ts";

/** What a task waits for: a store is quick, a handler may take any time. */
type Reason = "store" | "handler";

interface Paused<Task> {
  readonly task: Task;
  readonly reason: Reason;
  readonly resume: () => void;
}

/**
 * Runs tasks one at a time, each from one pause to its next, in an order that chance decides.
 *
 * Only one task ever runs, and the scheduler goes on when that one has paused or ended: whatever it
 * awaits between (signatures, digests, streams) takes as long as it likes and changes no order. So a
 * run depends on its seed alone.
 */
export class Scheduler<Task> {
  readonly #random: Random;
  readonly #paused: Paused<Task>[] = [];
  #current: Task | undefined;
  #onIdle: () => void = () => {};

  constructor(random: Random) {
    this.#random = random;
  }

  /** The task that runs. */
  get current(): Task | undefined {
    return this.#current;
  }

  get isIdle(): boolean {
    return this.#paused.length === 0;
  }

  /** Starts a task, and comes back when it pauses or has ended. */
  start(task: Task, run: () => Promise<void>): Promise<void> {
    return this.#untilIdle(task, () => void run().finally(() => this.#onIdle()));
  }

  /** Called by the task that runs: lets the others go on first, as many as chance wants. */
  pause(reason: Reason): Promise<void> {
    const task = this.#current;
    if (task === undefined) throw new TypeError("Cannot pause: no task runs");
    return new Promise((resume) => {
      this.#paused.push({ task, reason, resume });
      this.#onIdle();
    });
  }

  /** Lets one paused task go on. */
  async step(): Promise<void> {
    await this.#resume(this.#paused);
  }

  /** Lets tasks go on until none waits for the store. */
  async finishStore(): Promise<void> {
    for (let waiting = this.#atStore(); waiting.length > 0; waiting = this.#atStore()) {
      await this.#resume(waiting);
    }
  }

  /** Lets tasks go on until all have ended. */
  async finish(): Promise<void> {
    while (!this.isIdle) await this.step();
  }

  #atStore(): readonly Paused<Task>[] {
    return this.#paused.filter(({ reason }) => reason === "store");
  }

  async #resume(candidates: readonly Paused<Task>[]): Promise<void> {
    if (candidates.length === 0) return;
    const chosen = this.#random.pick(candidates);
    this.#paused.splice(this.#paused.indexOf(chosen), 1);
    await this.#untilIdle(chosen.task, chosen.resume);
  }

  async #untilIdle(task: Task, go: () => void): Promise<void> {
    this.#current = task;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
      go();
    });
    this.#current = undefined;
  }
}
