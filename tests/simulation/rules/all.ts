import { COMMITTING } from "./committing.ts";
import { DECIDING } from "./deciding.ts";
import { KEEPING } from "./keeping.ts";
import { LISTING } from "./listing.ts";
import { isNamedTest, type Mutation } from "./mutation.ts";
import { OPENING } from "./opening.ts";
import { TIMES } from "./times.ts";

/** Every rule that the simulation, or a test that is named here, holds. */
export const RULES: readonly Mutation[] = [
  ...OPENING,
  ...DECIDING,
  ...COMMITTING,
  ...TIMES,
  ...KEEPING,
  ...LISTING,
];

/** The rows of the README's table: the rule, what happens without it, and what shows it. */
export function rowsOf(rules: readonly Mutation[]): string[][] {
  return rules.map(({ rule, how, file, shows }) => {
    const shown = isNamedTest(shows)
      ? `\`${shows.path}\`: ${shows.title}`
      : shows.map((fault) => `\`${fault}\``).join(" or ");
    return [rule, `${how} (\`${file}\`)`, shown];
  });
}
