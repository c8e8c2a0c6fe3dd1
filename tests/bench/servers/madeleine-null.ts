/** Ours with no store: a signed cookie alone, as in Flask. */
import { serveMadeleine } from "./madeleine.ts";

serveMadeleine(null);
