/** The program that `bun run server` starts, as it is: `server-*.ts` each bring a store. */
import { serve } from "../../../server.ts";
import { freePort } from "../services.ts";
import { announce, readSecret } from "./page.ts";

export async function serveProgram(storeUrl: string): Promise<void> {
  const port = process.env["BENCH_PORT"] ?? String(freePort());
  // All logins come from one address, so there is no limit.
  await serve({ SECRET_KEY: readSecret(), STORE_URL: storeUrl, PORT: port, LOGIN_RATE: "0" });
  announce(Number(port));
}
