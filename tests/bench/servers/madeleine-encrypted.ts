/** Ours with encrypted cookies and records. */
import { memoryStore } from "../../../session/stores/memory.ts";
import { serveMadeleine } from "./madeleine.ts";

serveMadeleine(memoryStore(), { encrypt: true });
