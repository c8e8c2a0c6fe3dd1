import { COMMITTING } from "./committing.ts";
import { DECIDING } from "./deciding.ts";
import type { Mutation } from "./mutation.ts";
import { isNamedTest } from "./mutation.ts";
import { OPENING } from "./opening.ts";
import { TIMES } from "./times.ts";

/** Every rule that the simulation, or a test that is named here, holds. */
export const RULES: readonly Mutation[] = [...OPENING, ...DECIDING, ...COMMITTING, ...TIMES];

/** The table of the README: a line for each rule. */
export function tableOf(rules: readonly Mutation[]): string {
  const rows = rules.map(({ rule, how, file, shows }) => {
    const shown = isNamedTest(shows)
      ? `\`${shows.path}\`: ${shows.title}`
      : shows.map((fault) => `\`${fault}\``).join(" or ");
    return `| ${rule} | ${how} (\`${file}\`) | ${shown} |`;
  });
  return ["| rule | without it | what shows it |", "|---|---|---|", ...rows].join("\n");
}
