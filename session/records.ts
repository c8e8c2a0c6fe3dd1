import { isList, type Snapshot } from "./entries.ts";
import { SessionStoreError } from "./errors.ts";
import { chain, type MaybePromise, type Patience, within } from "./maybe.ts";
import {
  type DataIn,
  formatRecord,
  formatValue,
  parseRecord,
  parseValue,
  type Reading,
  readRecord,
  type SessionRecord,
  timeToLive,
} from "./record.ts";
import type { Store } from "./stores/store.ts";

/** What the store is waited for in one request, in milliseconds. */
export const STORE_DEADLINE = 250;

/** What the store says of a cookie, with the record's text, which `replace` is to find. */
export type View = Reading & { readonly text: string | undefined };

/** The records of all sessions, in the store. */
export interface Records {
  /** Looks at a verified cookie's record and its subject's generation. */
  view(cookie: Snapshot, patience: Patience): MaybePromise<View>;
  /** The generation of the subject with this key; undefined before the first `endAll`. */
  generation(key: string, patience: Patience): MaybePromise<string | undefined>;
  /** Puts the record in place of the text that was read. False where another one came between. */
  replace(
    id: string,
    text: string | undefined,
    record: SessionRecord,
    long: number,
    patience: Patience,
  ): MaybePromise<boolean>;
  /** Puts a generation in place of every other, for so many seconds. */
  setGeneration(key: string, generation: string, seconds: number): Promise<void>;
}

/** Gives the records that `store` keeps; without a store there are none, and every cookie is good. */
export function createRecords(store: Store | null, dataIn: DataIn): Records {
  function get(keys: readonly string[], patience: Patience): MaybePromise<readonly Value[]> {
    if (store === null) return [];
    return chain(
      ask(() => store.get(keys), patience),
      (values) => checkValues(values, keys),
    );
  }

  function view(cookie: Snapshot, patience: Patience): MaybePromise<View> {
    const { id, subject } = cookie;
    if (store === null) {
      return { end: undefined, present: cookie, record: undefined, text: undefined };
    }
    const keys = subject === undefined ? [id] : [id, subject.key];
    return chain(get(keys, patience), ([text, value]) => {
      const reading = readRecord(cookie, parseRecord(id, text), dataIn);
      if (reading.end !== undefined) return { ...reading, text };
      const { present, record } = reading;
      const live: View = { end: undefined, present, record, text };
      const owner = present.subject;
      if (owner === undefined) return live;
      const generation =
        owner.key === subject?.key
          ? parseGeneration(owner.key, value)
          : generationOf(owner.key, patience);
      return chain(generation, (now) =>
        now === undefined || now === owner.generation
          ? live
          : { end: "over", since: 0, text, record },
      );
    });
  }

  function generationOf(key: string, patience: Patience): MaybePromise<string | undefined> {
    return chain(get([key], patience), ([value]) => parseGeneration(key, value));
  }

  function replace(
    id: string,
    text: string | undefined,
    record: SessionRecord,
    long: number,
    patience: Patience,
  ): MaybePromise<boolean> {
    if (store === null) return true;
    const ttl = timeToLive(record, long, dataIn);
    const answer = ask(() => store.replace(id, text, formatRecord(id, record), ttl), patience);
    return chain(answer, checkReplaced);
  }

  async function setGeneration(key: string, generation: string, seconds: number): Promise<void> {
    if (store === null) return;
    const patience = { left: STORE_DEADLINE };
    const next = formatValue(key, JSON.stringify(generation));
    const deadline = performance.now() + STORE_DEADLINE;
    do {
      const [previous] = await get([key], patience);
      const answer = ask(() => store.replace(key, previous, next, seconds), patience);
      if (await chain(answer, checkReplaced)) return;
    } while (performance.now() < deadline);
    throw new SessionStoreError("other requests kept changing the subject");
  }

  return { view, generation: generationOf, replace, setGeneration };
}

type Value = string | undefined;

/** A store that breaks its contract is not taken for one that knows of no ending. */
function checkValues(values: unknown, keys: readonly string[]): readonly Value[] {
  if (!isList(values) || values.length !== keys.length || !values.every(isValue)) {
    throw new SessionStoreError("it did not give a string or undefined for each key");
  }
  return values;
}

function isValue(value: unknown): value is Value {
  return value === undefined || typeof value === "string";
}

function checkReplaced(answer: unknown): boolean {
  if (typeof answer === "boolean") return answer;
  throw new SessionStoreError("it did not say whether it replaced the value");
}

function parseGeneration(key: string, value: Value): string | undefined {
  if (value === undefined) return undefined;
  const generation = parseText(parseValue(key, value));
  if (typeof generation === "string") return generation;
  throw new SessionStoreError("its generation is not one of ours");
}

function parseText(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/** Asks the store as long as there is patience. Whatever it throws is a `SessionStoreError`. */
function ask<T>(question: () => MaybePromise<T>, patience: Patience): MaybePromise<T> {
  if (patience.left <= 0) throw tooSlow();
  let answer: MaybePromise<T>;
  try {
    answer = question();
  } catch (error) {
    throw storeError(error);
  }
  return answer instanceof Promise ? wait(answer, patience) : answer;
}

async function wait<T>(answer: Promise<T>, patience: Patience): Promise<T> {
  const start = performance.now();
  try {
    return await within(answer, patience.left, tooSlow);
  } catch (error) {
    throw storeError(error);
  } finally {
    patience.left -= performance.now() - start;
  }
}

function tooSlow(): SessionStoreError {
  return new SessionStoreError(`it did not answer within ${STORE_DEADLINE} ms`);
}

function storeError(error: unknown): SessionStoreError {
  return error instanceof SessionStoreError
    ? error
    : new SessionStoreError("it failed", { cause: error });
}
