import { expect, test } from "bun:test";
import { checkLabel, checkMethods, checkSubject } from "../session/login.ts";

test.each<[string, (value: unknown) => void, unknown, string]>([
  ["an empty subject", checkSubject, "", "a string with at least one character, got an empty one"],
  ["a subject that is a number", checkSubject, 5, "at least one character, got a number"],
  ["no methods", checkMethods, [], 'such as ["pwd"] (RFC 8176), got an empty one'],
  ["methods that are no list", checkMethods, "pwd", "(RFC 8176), got a string"],
  ["a method that is no text", checkMethods, ["pwd", 1], "got one whose items are not all"],
  ["a label that is a number", checkLabel, 5, "must be a string, got a number"],
  ["a long label", checkLabel, "😀".repeat(61), "must have at most 60 characters, got 61"],
  ["a label with a line break", checkLabel, "a\nb", "without control or format characters, got"],
])("%s: the error says what is expected and what was given", (_, check, value, state) => {
  expect(() => check(value)).toThrow(state);
});
