import { createSessions } from "madeleine";

export const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });
