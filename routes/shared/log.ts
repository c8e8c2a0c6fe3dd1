import { AsyncLocalStorage } from "node:async_hooks";
import type { MaybePromise } from "../../session/mod.ts";
import { INVISIBLE } from "./invisible.ts";

/** What an event tells beside its name. */
export type Fields = Readonly<Record<string, string | number>>;

/** One line for each request at most, whatever it made happen; with the time in UTC. */
export interface Log {
  /**
   * Writes an event: on the line of the request that it belongs to, else on a line of its own. With
   * `done`, only where the request's answer is not a 5xx: what it did was committed.
   */
  readonly note: (event: string, fields?: Fields, when?: "always" | "done") => void;
  /**
   * Makes a function that answers a request and writes the line of what was noted meanwhile, with these
   * fields. They are asked for before the answer is waited for: of a connection that is reset nothing is
   * known.
   */
  readonly around: <Parameters extends unknown[]>(
    answer: (...parameters: Parameters) => MaybePromise<Response>,
    fields: (...parameters: NoInfer<Parameters>) => Fields,
  ) => (...parameters: Parameters) => MaybePromise<Response>;
}

interface Note {
  readonly event: string;
  readonly fields: Fields;
  readonly when: "always" | "done";
}

/** What a request noted so far. Its code may run on after its line was written. */
interface Notes {
  readonly list: Note[];
  isWritten: boolean;
}

/** Makes a log whose lines go to `write`, for people (`text`) or for programs (`json`). */
export function createLog(format: "text" | "json", write: (line: string) => void): Log {
  const present = new AsyncLocalStorage<Notes>();
  const toLine = format === "json" ? jsonLine : textLine;

  function put(notes: readonly Note[], fields: Fields): void {
    write(toLine(notes, fields).replaceAll(UNFIT, escape));
  }

  function finish(notes: Notes, status: number, fields: Fields): void {
    notes.isWritten = true;
    const list = notes.list.filter(({ when }) => status < 500 || when === "always");
    if (list.length > 0) put(list, fields);
  }

  async function finishLate(
    notes: Notes,
    answer: Promise<Response>,
    fields: Fields,
  ): Promise<Response> {
    let status = 500;
    try {
      const response = await answer;
      ({ status } = response);
      return response;
    } finally {
      finish(notes, status, fields);
    }
  }

  return {
    note(event, fields = {}, when = "always") {
      const notes = present.getStore();
      if (notes === undefined || notes.isWritten) put([{ event, fields, when }], {});
      else notes.list.push({ event, fields, when });
    },
    around:
      (answer, fields) =>
      (...parameters) => {
        const notes: Notes = { list: [], isWritten: false };
        try {
          const response = present.run(notes, answer, ...parameters);
          if (response instanceof Promise) {
            return finishLate(notes, response, fields(...parameters));
          }
          // Most requests note nothing.
          if (notes.list.length === 0) notes.isWritten = true;
          else finish(notes, response.status, fields(...parameters));
          return response;
        } catch (error) {
          finish(notes, 500, fields(...parameters));
          throw error;
        }
      },
  };
}

/** What an error tells: its message, and its code where it has one. */
export function errorFields(error: unknown): Fields {
  if (!(error instanceof Error)) return { error: String(error) };
  const { message } = error;
  return "code" in error ? { error: message, code: String(error.code) } : { error: message };
}

/**
 * What a terminal takes for the end of a line or for a command, and what it does not show, or shows
 * as a plain space: two names that differ must not look alike.
 */
const UNFIT = new RegExp(`${INVISIBLE.source}|(?! )\\p{Zs}`, "gu");

/** The character as a JSON escape: two of them where it takes two code units. */
function escape(character: string): string {
  const units = character.split("").map((unit) => unit.charCodeAt(0));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
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
