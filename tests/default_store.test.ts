import { expect, test } from "bun:test";
import { createSessions, type Sessions } from "../session/mod.ts";
import { errorOf, untyped } from "./support/errors.ts";
import { requestWith } from "./support/requests.ts";
import { SECRET } from "./support/secrets.ts";

/** The library once more, as bundlers put it into several files of one process. */
async function bundle(): Promise<Sessions> {
  const { outputs } = await Bun.build({
    entrypoints: [new URL("../session/mod.ts", import.meta.url).pathname],
    target: "bun",
  });
  const url = URL.createObjectURL(new Blob([(await outputs[0]?.text()) ?? ""]));
  const copy: { createSessions: typeof createSessions } = untyped(await import(url));
  return copy.createSessions({ secretKey: SECRET });
}

test("several copies of the library in one process share the default store", async () => {
  const [one, other] = [await bundle(), await bundle()];
  const login = await one.open(requestWith());
  login.signIn("ann");
  const cookie = (await one.commitCookie(login))?.line.split(";")[0];
  expect((await other.open(requestWith(cookie))).subject).toBe("ann");
  const logout = await one.open(requestWith(cookie));
  logout.destroy();
  await one.commitCookie(logout);
  expect((await other.open(requestWith(cookie))).subject).toBeUndefined();
});

test("with a clock of its own there is a store of its own", async () => {
  const [one, other] = [Date.now, Date.now].map((now) =>
    createSessions({ secretKey: SECRET, now }),
  );
  if (one === undefined || other === undefined) throw new TypeError("There are no sessions");
  const login = await one.open(requestWith());
  login.signIn("ann");
  const cookie = (await one.commitCookie(login))?.line.split(";")[0];
  await one.endAll("ann");
  expect((await one.open(requestWith(cookie))).subject).toBeUndefined();
  expect((await other.open(requestWith(cookie))).subject).toBe("ann");
  expect(await errorOf(async () => other.endAll("ann"))).toBeUndefined();
});
