export { errorOf, untyped } from "./errors.ts";
export { OTHER_SECRET, SECRET } from "./secrets.ts";
