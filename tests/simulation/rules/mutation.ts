import type { Fault } from "../finding.ts";

/** A rule of the design, and what happens without it. */
export interface Mutation {
  /** In the design's words, or nearly. */
  readonly rule: string;
  /** How it is removed, in a few words. */
  readonly how: string;
  /** A file of `session/`. */
  readonly file: string;
  /** Text that occurs there exactly once. */
  readonly find: string;
  /** What stands there without the rule. */
  readonly replace: string;
  /** One of these faults of the simulation, or a test, shows that the rule is gone. */
  readonly shows: readonly Fault[] | NamedTest;
}

/** A test that fails where a rule is gone. */
export interface NamedTest {
  /** From the root of the repository. */
  readonly path: string;
  /** Its title, with those of its `describe`s before it, or a part of it. */
  readonly title: string;
}

export function isNamedTest(shows: Mutation["shows"]): shows is NamedTest {
  return "path" in shows;
}
