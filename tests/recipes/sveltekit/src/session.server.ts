import { createSessions } from "madeleine";
import { SECRET_KEY } from "$app/env/private";

export const sessions = createSessions({ secretKey: () => SECRET_KEY });
