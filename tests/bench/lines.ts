/** Lines of a file, one at a time, so that a list of a million cookies stays on the disk. */
import { closeSync, openSync, readSync } from "node:fs";

const chunkBytes = 1 << 20;

export class LineReader {
  readonly #descriptor: number;
  readonly #chunk: Buffer = Buffer.alloc(chunkBytes);
  #position = 0;
  #rest = "";
  #lines: string[] = [];
  #next = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, "r");
  }

  /** The next line without its end, or undefined after the last one. */
  read(): string | undefined {
    while (this.#next === this.#lines.length) if (!this.#fill()) return undefined;
    return this.#lines[this.#next++];
  }

  rewind(): void {
    this.#position = 0;
    this.#rest = "";
    this.#lines = [];
    this.#next = 0;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #fill(): boolean {
    const bytes = readSync(this.#descriptor, this.#chunk, 0, chunkBytes, this.#position);
    this.#position += bytes;
    const text = this.#rest + this.#chunk.toString("latin1", 0, bytes);
    this.#lines = text.split("\n");
    this.#rest = this.#lines.pop() ?? "";
    this.#next = 0;
    return bytes > 0;
  }
}
