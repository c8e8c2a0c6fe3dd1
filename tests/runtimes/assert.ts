/** Throws unless the two values look alike, as `show` writes them. */
export function equal(actual: unknown, expected: unknown): void {
  const [shown, wanted] = [show(actual), show(expected)];
  if (shown !== wanted) throw new Error(`Expected ${wanted}, got ${shown}`);
}

/** Throws unless `action` throws, or rejects with, an error of that code. */
export async function throwsCode(action: () => unknown, code: string): Promise<void> {
  try {
    await action();
  } catch (error) {
    equal(error instanceof Error && "code" in error && error.code, code);
    return;
  }
  throw new Error(`Expected ${code}, but nothing was thrown`);
}

/** A text of the value that tells apart every kind of value that a session carries. */
function show(value: unknown): string {
  if (value instanceof Date) return `Date ${value.getTime()}`;
  if (value instanceof URL) return `URL ${value.href}`;
  if (value instanceof Uint8Array) return `bytes ${value.join(" ")}`;
  if (value instanceof Map) return `Map ${show([...value])}`;
  if (value instanceof Set) return `Set ${show([...value])}`;
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && Object.is(value, -0)) return "-0";
  if (typeof value !== "object" || value === null) {
    return typeof value === "string" ? JSON.stringify(value) : String(value);
  }
  const members = Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([key, member]) => `${key}: ${show(member)}`).join(", ")}}`;
}
