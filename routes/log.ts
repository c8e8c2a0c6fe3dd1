import { AsyncLocalStorage } from "node:async_hooks";
import type { MaybePromise } from "../session/mod.ts";

/** What an event tells beside its name. */
export type Fields = Readonly<Record<string, string | number>>;

/** One line for each request at most, whatever it made happen; with the time in UTC. */
export interface Log {
  /** Tells of an event: on the line of the request that it belongs to, else on its own. */
  readonly note: (event: string, fields?: Fields) => void;
  /** Answers a request, and writes the line of what was noted meanwhile, with these fields. */
  readonly request: (
    answer: () => MaybePromise<Response>,
    fields: () => Fields,
  ) => Promise<Response>;
}

interface Note {
  readonly event: string;
  readonly fields: Fields;
}

/** Makes a log whose lines go to `write`, for people (`text`) or for programs (`json`). */
export function createLog(format: "text" | "json", write: (line: string) => void): Log {
  const present = new AsyncLocalStorage<Note[]>();
  const toLine = format === "json" ? jsonLine : textLine;

  return {
    note(event, fields = {}) {
      const notes = present.getStore();
      if (notes === undefined) write(toLine([{ event, fields }], {}));
      else notes.push({ event, fields });
    },
    async request(answer, fields) {
      const notes: Note[] = [];
      try {
        return await present.run(notes, answer);
      } finally {
        if (notes.length > 0) write(toLine(notes, fields()));
      }
    },
  };
}

function jsonLine(notes: readonly Note[], fields: Fields): string {
  const events = notes.map(({ event, fields }) => ({ event, ...fields }));
  return JSON.stringify({ time: new Date().toISOString(), events, ...fields });
}

function textLine(notes: readonly Note[], fields: Fields): string {
  const events = notes.map(({ event, fields }) => [event, ...words(fields)].join(" ")).join("; ");
  return [new Date().toISOString(), events, ...words(fields)].join(" ");
}

/** Values are JSON, so that what a visitor typed stays on its line and within its quotes. */
function words(fields: Fields): string[] {
  return Object.entries(fields).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
}
