/** Ours with a key pair: other services can verify its sessions. */
import { memoryStore } from "../../../session/stores/memory.ts";
import { serveMadeleine } from "./madeleine.ts";

serveMadeleine(memoryStore(), { algorithm: "ES256" });
