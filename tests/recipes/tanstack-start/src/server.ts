import { createServerEntry, default as start } from "@tanstack/react-start/server-entry";
import { sessions } from "./session.server";

export default createServerEntry({
  fetch: sessions.handler((request) => start.fetch(request)),
});
