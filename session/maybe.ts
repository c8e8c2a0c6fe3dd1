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

/**
 * What the promise comes to, or a rejection with the error of `onLate` where that takes more than
 * so many milliseconds. What the promise comes to afterwards is ignored.
 */
export function within<T>(
  promise: Promise<T>,
  milliseconds: number,
  onLate: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(onLate()), milliseconds);
    void promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** What is left of the time to wait, in milliseconds. */
export interface Patience {
  left: number;
}
