import { getRequest } from "@tanstack/react-start/server";
import { createSessions } from "madeleine";

export const sessions = createSessions({ secretKey: () => process.env["SECRET_KEY"] });

export const currentSession = async () => sessions.open(getRequest());
