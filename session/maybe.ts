/** A value, or a promise of one, for paths that are mostly synchronous. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Whether the value is a promise: anything with a `then`. Hosts replace `globalThis.Promise`, and
 * another realm has a `Promise` of its own, so `instanceof` would miss some.
 */
export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    "then" in value &&
    typeof value.then === "function"
  );
}

/**
 * Calls `next` with the value: at once if it is not a promise, because making and awaiting a promise
 * costs more than reading a session. Where every request passes, test for a promise with `isPromise` and
 * call `next` there: engines do not inline a function that is passed here from many places.
 */
export function chain<T, U>(
  value: MaybePromise<T>,
  next: (value: T) => MaybePromise<U>,
): MaybePromise<U> {
  return isPromise(value) ? Promise.resolve(value).then(next) : next(value);
}

/** Returns the result of `run`; if it throws or rejects, that of `onError`. */
export function rescue<T>(
  run: () => MaybePromise<T>,
  onError: (error: unknown) => MaybePromise<T>,
): MaybePromise<T> {
  try {
    const value = run();
    return isPromise(value) ? Promise.resolve(value).catch(onError) : value;
  } catch (error) {
    return onError(error);
  }
}

/**
 * Settles as the promise does, or rejects with `onLate()` after so many milliseconds. The promise is
 * ignored after that.
 */
export function within<T>(
  promise: PromiseLike<T>,
  milliseconds: number,
  onLate: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(onLate()), milliseconds);
    void Promise.resolve(promise)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
