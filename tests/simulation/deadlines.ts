/** How far a look at the clock moves it, in milliseconds: an endless loop comes to its deadline. */
const TICK = 0.01;

/**
 * Runs the work without the deadlines of real time, which would make a run depend on how busy the
 * machine is: no timer fires, and the clock moves only as it is looked at.
 */
export async function withoutDeadlines<T>(work: () => Promise<T>): Promise<T> {
  const setTimeout: unknown = Reflect.get(globalThis, "setTimeout");
  const now: unknown = Reflect.get(performance, "now");
  let time = 0;
  Reflect.set(globalThis, "setTimeout", () => undefined);
  Reflect.set(performance, "now", () => (time += TICK));
  try {
    return await work();
  } finally {
    Reflect.set(globalThis, "setTimeout", setTimeout);
    Reflect.set(performance, "now", now);
  }
}
