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
 * Only one task ever runs, and the scheduler waits until that one has paused or ended: whatever it
 * awaits between (signatures, digests, streams) takes as long as it likes and changes no order. So a
 * run depends on its seed alone.
 */
export class Scheduler<Task> {
  readonly #random: Random;
  #paused: Paused<Task>[] = [];
  #current: Task | undefined;
  #onIdle: () => void = () => {};
  #onError: (error: unknown) => void = () => {};

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

  /** Starts a task, and comes back when it pauses or has ended. Rejects where a task fails. */
  start(task: Task, run: () => Promise<void>): Promise<void> {
    return this.#untilIdle(task, () => {
      void run().then(
        () => this.#onIdle(),
        (error: unknown) => this.#onError(error),
      );
    });
  }

  /** Called by the task that runs: lets the others run first, as many as chance wants. */
  pause(reason: Reason): Promise<void> {
    const task = this.#current;
    if (task === undefined) throw new TypeError("Cannot pause: no task runs");
    return new Promise((resume) => {
      this.#paused.push({ task, reason, resume });
      this.#onIdle();
    });
  }

  /** Lets one paused task run. */
  async step(): Promise<void> {
    await this.#resume(this.#paused);
  }

  /** Stops a paused task where it is, as a crash of its process does. Gives the task. */
  crash(): Task | undefined {
    if (this.isIdle) return undefined;
    const { task } = this.#random.pick(this.#paused);
    this.#paused = this.#paused.filter((paused) => paused.task !== task);
    return task;
  }

  /** Lets tasks run until none waits for the store. */
  async finishStore(): Promise<void> {
    for (let waiting = this.#atStore(); waiting.length > 0; waiting = this.#atStore()) {
      await this.#resume(waiting);
    }
  }

  /** Lets tasks run until all have ended. */
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
    await new Promise<void>((resolve, reject) => {
      this.#onIdle = resolve;
      this.#onError = reject;
      go();
    });
    this.#current = undefined;
  }
}
