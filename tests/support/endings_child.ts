// An instance that logs users out for ever, and prints the cookie of each logout that it answered.
import { Database } from "bun:sqlite";
import { sqliteStore } from "../../session/stores/sqlite.ts";
import { createBrowser, createInstance, visit } from "./endings_harness.ts";

const instance = createInstance(sqliteStore(new Database(process.argv[2])));
for (;;) {
  const browser = createBrowser();
  await visit(instance, browser, (session) => session.set("username", "admin"));
  const { cookie } = browser;
  const { status } = await visit(instance, browser, (session) => session.destroy());
  if (status === 200) console.log(cookie);
}
