import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  rmdirSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Opens a file of the server so that it is its owner's alone, and those that SQLite makes beside it
 * as well: what is made has mode 0600, and folders 0700, whatever the umask. A file that was there
 * and that others may use gets 0600. So does the folder `ownFolder`, with 0700; every other folder
 * may be shared with other programs, and stays as it is.
 *
 * Missing folders are made, and removed again where `open` throws. Its error goes through.
 */
export function openPrivately<T>(file: string, ownFolder: string, open: () => T): T {
  const folder = dirname(file);
  const missing = missingFolders(folder);
  const umask = process.umask(0o077);
  try {
    mkdirSync(folder, { recursive: true });
    // SQLite gives the files beside a database its mode, and nobody may open them before we tighten.
    if (isDatabase(file)) tightenAll(file);
    const opened = open();
    // Only now is it certain that the file is ours, and not another one that was named by mistake.
    if (resolve(folder) === resolve(ownFolder)) tighten(folder, 0o700);
    tightenAll(file);
    return opened;
  } catch (error) {
    for (const made of missing) attempt(() => rmdirSync(made));
    throw error;
  } finally {
    process.umask(umask);
  }
}

/** Whether SQLite takes the file that is there for a database: it is empty, or begins as one. */
function isDatabase(file: string): boolean {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile() !== true) return false;
  const head = Buffer.alloc(16);
  const descriptor = openSync(file, "r");
  const length = readSync(descriptor, head);
  closeSync(descriptor);
  return ["", "SQLite format 3\0"].includes(head.toString("latin1", 0, length));
}

/** Tightens the file, and what SQLite keeps beside it: beside the file itself, not beside a link. */
function tightenAll(file: string): void {
  const path = realpathSync(file);
  for (const end of ["", "-wal", "-shm"]) tighten(path + end, 0o600);
}

/**
 * The text of the file, which is made with the text of `makeText` where there is none. The file
 * appears whole or not at all: processes that begin at the same time get the same text.
 */
export function readOrMake(file: string, makeText: () => string): string {
  if (!existsSync(file)) {
    const draft = `${file}.${crypto.randomUUID()}`;
    writeFileSync(draft, makeText(), { flag: "wx" });
    try {
      linkSync(draft, file);
    } catch (error) {
      if (!existsSync(file)) throw error;
    } finally {
      unlinkSync(draft);
    }
  }
  return readFileSync(file, "utf8");
}

/** The folders that `mkdir` would make, the innermost first. */
function missingFolders(folder: string): string[] {
  const missing: string[] = [];
  for (let at = resolve(folder); !existsSync(at); at = dirname(at)) missing.push(at);
  return missing;
}

/** Takes the rights of others away. What another user owns is not ours to change. */
function tighten(path: string, mode: 0o600 | 0o700): void {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || stat.uid !== process.getuid?.()) return;
  const isOurs = mode === 0o700 ? stat.isDirectory() : stat.isFile();
  if (isOurs && (stat.mode & 0o077) !== 0) chmodSync(path, mode);
}

/** A folder may be missing, or in use by now: then it stays. */
function attempt(action: () => void): void {
  try {
    action();
  } catch {}
}
