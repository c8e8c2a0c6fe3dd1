import { SessionStoreError } from "../errors.ts";
import { isPromise, within } from "../maybe.ts";
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
    get(keys) {
      try {
        const values = store.get(keys);
        return isPromise(values)
          ? wait(values).then((values) => checkValues(values, keys))
          : checkValues(values, keys);
      } catch (error) {
        throw storeError(error);
      }
    },
    replace(...change) {
      try {
        const answer = store.replace(...change);
        return isPromise(answer) ? wait(answer).then(checkReplaced) : checkReplaced(answer);
      } catch (error) {
        throw storeError(error);
      }
    },
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
