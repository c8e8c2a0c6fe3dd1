/** A value that is there at once, or a promise of it: for paths that are mostly synchronous. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Calls `next` with the value, at once where it is there already. No promise is made for a value
 * that is not one, because making and awaiting one costs more than reading a session.
 */
export function chain<T, U>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<U>,
): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
