/** What the types forbid, as a caller without types gives it: it passes for any type. */
export function untyped(value: unknown): never;
export function untyped(value: unknown): unknown {
  return value;
}

/** What the action throws, or its promise rejects with; undefined where it does neither. */
export async function errorOf(action: () => unknown): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return error;
  }
  return undefined;
}
