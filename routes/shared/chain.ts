import type { MaybePromise } from "../../session/mod.ts";

/** Calls `next` with the value: at once where there is nothing to wait for. */
export function chain<T, U>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<U>,
): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
