import { SessionStoreError } from "../errors.ts";
import { chain, isPromise, type MaybePromise, within } from "../maybe.ts";
import type { Store } from "./store.ts";

/** A store that keeps nothing, so that every verified cookie is good. */
export const NO_STORE: Store = {
  get: (keys) => keys.map(() => undefined),
  replace: () => true,
};

/**
 * Any store, held to its contract: each call answers within so many milliseconds, and with what the
 * contract says. Everything else is a `SessionStoreError`, since a store that answers wrongly must
 * not be taken for one that knows of no ending.
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
  throw new SessionStoreError("it did not give a string or undefined for each key");
}

function isText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === "string";
}

function checkReplaced(answer: unknown): boolean {
  if (typeof answer === "boolean") return answer;
  throw new SessionStoreError("it did not say whether it replaced the value");
}

function storeError(error: unknown): SessionStoreError {
  return error instanceof SessionStoreError
    ? error
    : new SessionStoreError("it failed", { cause: error });
}
