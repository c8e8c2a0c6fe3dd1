/** The program itself, with the memory store. */
import { serveProgram } from "./program.ts";

await serveProgram("memory:");
