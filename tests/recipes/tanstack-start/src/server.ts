import { createServerEntry, default as start } from "@tanstack/react-start/server-entry";
import { sessions } from "./session.server.ts";

export default createServerEntry({
  fetch: sessions.handler((request) => start.fetch(request)),
});
