import { SessionStoreError } from "../errors.ts";
import { chain, isPromise, type MaybePromise, within } from "../maybe.ts";
import type { Store } from "./store.ts";

/** A store that keeps nothing, so every verified cookie is valid. */
export const NO_STORE: Store = {
  get: (keys) => keys.map(() => undefined),
  replace: () => true,
};

/**
 * Holds a store to its contract. A call that takes longer than `timeout` milliseconds, or returns
 * anything but what the contract says, is a `SessionStoreError`: a wrong answer must not look like a
 * session that has not ended.
 */
export function guarded(store: Store, timeout: number): Store {
  function guard<T>(call: () => MaybePromise<T>): MaybePromise<T> {
    try {
      const answer = call();
      return isPromise(answer) ? wait(answer) : answer;
    } catch (error) {
      throw storeError(error);
    }
  }

  async function wait<T>(answer: Promise<T>): Promise<T> {
    try {
      return await within(answer, timeout, () => {
        return new SessionStoreError(`it did not answer within ${timeout} ms`);
      });
    } catch (error) {
      throw storeError(error);
    }
  }

  return {
    get: (keys) =>
      chain(
        guard(() => store.get(keys)),
        (values) => checkValues(values, keys),
      ),
    replace: (...change) =>
      chain(
        guard(() => store.replace(...change)),
        checkReplaced,
      ),
  };
}

function checkValues(
  values: unknown,
  { length }: readonly string[],
): readonly (string | undefined)[] {
  if (Array.isArray(values) && values.length === length && values.every(isText)) return values;
  throw new SessionStoreError("it must return a string or undefined for each key");
}

function isText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

function checkReplaced(answer: unknown): boolean {
  if (typeof answer === "boolean") return answer;
  throw new SessionStoreError("it must return whether it replaced the value");
}

function storeError(error: unknown): SessionStoreError {
  return error instanceof SessionStoreError
    ? error
    : new SessionStoreError("it failed", { cause: error });
}
