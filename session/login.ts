import { SessionValueError } from "./errors.ts";
import { describe } from "./stores/store.ts";

/** In code points. */
const LABEL_LIMIT = 60;
/** Controls, and what changes how the text around it is shown. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** Throws `SessionValueError` unless the value can be the `sub` claim. */
export function checkSubject(subject: unknown): asserts subject is string {
  if (typeof subject !== "string" || subject === "") {
    failExpected("subject", "a string with at least one character", subject);
  }
  // UTF-8, and so the store's key, has one replacement for every half of a pair.
  if (!subject.isWellFormed()) {
    throw new SessionValueError("subject", "must be well-formed, got half of a surrogate pair");
  }
}

/** Throws `SessionValueError` unless the value can be the `amr` claim: a list of strings. */
export function checkMethods(methods: unknown): asserts methods is readonly string[] | undefined {
  if (methods === undefined) return;
  if (Array.isArray(methods) && methods.length > 0 && methods.every(isMethod)) return;
  const expected = 'a list of at least one method, such as ["pwd"] (RFC 8176)';
  if (!Array.isArray(methods)) failExpected("methods", expected, methods);
  const got =
    methods.length === 0 ? "an empty one" : "one whose items are not all well-formed text";
  throw new SessionValueError("methods", `must be ${expected}, got ${got}`);
}

function isMethod(item: unknown): boolean {
  return typeof item === "string" && item !== "" && item.isWellFormed();
}

/** Throws `SessionValueError` unless the value can name a session in the list. */
export function checkLabel(label: unknown): asserts label is string | undefined {
  if (label === undefined) return;
  if (typeof label !== "string") failExpected("label", "a string", label);
  const { length } = Array.from(label);
  if (length > LABEL_LIMIT) {
    const state = `must have at most ${LABEL_LIMIT} characters, got ${length}`;
    throw new SessionValueError("label", state);
  }
  // The label itself is not in the message: what can't be shown in a page can't be in a log.
  if (!label.isWellFormed() || INVISIBLE.test(label)) {
    const state = "must be well-formed text without control or format characters, got one of them";
    throw new SessionValueError("label", state);
  }
}

/** Throws `SessionValueError` for a value of another kind than expected. */
export function failExpected(path: string, expected: string, value: unknown): never {
  const got = value === "" ? "an empty one" : describe(value);
  throw new SessionValueError(path, `must be ${expected}, got ${got}`);
}
