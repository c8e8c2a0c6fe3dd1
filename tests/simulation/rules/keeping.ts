import type { Mutation } from "./mutation.ts";

/** What the store keeps, and what happens where it fails (design §7). */
export const KEEPING: readonly Mutation[] = [
  {
    rule: "endAll(): a new generation",
    how: "nothing",
    file: "sessions.ts",
    find: "if (!(await store.replace(key, previous, next, RETENTION))) continue;",
    replace: "if (previous === next) continue;",
    shows: ["missedEnd"],
  },
  {
    rule: "A generation is kept longer than any session",
    how: "for an hour",
    file: "decide.ts",
    find: "export const RETENTION: number = 401 * 24 * 60 * 60;",
    replace: "export const RETENTION: number = 3600;",
    shows: {
      path: "tests/promises/times.test.ts",
      title: "endAll() holds for the longest session",
    },
  },
  {
    rule: "A value begins with its own key",
    how: "any key is taken",
    file: "record.ts",
    find: `if (!text.startsWith(key) || text[key.length] !== " ")`,
    replace: 'if (!text.includes(" "))',
    shows: { path: "tests/record.test.ts", title: "another session's record" },
  },
  {
    rule: "A record takes 1 MiB at most",
    how: "any size",
    file: "record.ts",
    find: "if (bytes <= RECORD_LIMIT) return text;",
    replace: "if (bytes <= Infinity) return text;",
    shows: { path: "tests/record.test.ts", title: "of a record take 1 MiB at most" },
  },
  {
    rule: "What is no record of ours is a failed store",
    how: "it is an old record",
    file: "record.ts",
    find: "return isOurs ? { kind, at: Number(at), body, next } : failUnreadable();",
    replace: `return isOurs ? { kind, at: Number(at), body, next } : { kind: "record", at: 0, body, next };`,
    shows: { path: "tests/record.test.ts", title: "a version that is no number" },
  },
  {
    rule: "A value of another type than text is a failure",
    how: "it is nothing there",
    file: "stores/guarded.ts",
    find: "if (Array.isArray(values) && values.length === length && values.every(isText)) return values;",
    replace: `if (Array.isArray(values)) {
    return values.map((value) => (typeof value === "string" ? value : undefined));
  }`,
    shows: { path: "tests/stores/guarded.test.ts", title: "null in place of undefined" },
  },
  {
    rule: "A store that does not answer in time has failed",
    how: "it is waited for",
    file: "stores/guarded.ts",
    find: "return await within(answer, timeout, () => {",
    replace: "return await within(answer, 3_600_000, () => {",
    shows: { path: "tests/stores/guarded.test.ts", title: "where it answers too late" },
  },
  {
    rule: "A store that fails: 503",
    how: "an error of the application",
    file: "sessions.ts",
    find: "if (!(error instanceof SessionStoreError)) throw error;",
    replace: "if (error !== undefined) throw error;",
    shows: {
      path: "tests/sessions_handler.test.ts",
      title: "is a 503 that says when to try again",
    },
  },
  {
    rule: "A store that fails: a visitor without a cookie is still served",
    how: "each commit asks the store",
    file: "commit.ts",
    find: "const values = names.length === 0 ? [] : await store.get(names);",
    replace: "const values = await store.get(names);",
    shows: { path: "tests/sessions_handler.test.ts", title: "serves a visitor, who may begin" },
  },
  {
    rule: "Large records do not push verified tokens out of the cache",
    how: "they are kept with the token",
    file: "token/token.ts",
    find: "const kept = hasData ? state : { ...state, data: NOTHING.data };",
    replace: "const kept = hasData ? state : { ...state, data: new Map(state.data) };",
    shows: { path: "tests/token/token.test.ts", title: "without its data is read at once" },
  },
];
