import { expect, test } from "bun:test";
import type { CookieAttributes, CookieOptions } from "../session/mod.ts";
import { createApp } from "./support/app.ts";
import { DAY } from "./support/clock.ts";
import { flaskHeir, flaskUser } from "./support/flask.ts";
import { requestWith } from "./support/requests.ts";

test.each<[string, CookieOptions, CookieAttributes]>([
  ["the default", {}, { path: "/", httpOnly: true, secure: true, sameSite: "lax" }],
  [
    "all of them",
    { name: "id", path: "/a", domain: "example.com", sameSite: "None", partitioned: true },
    {
      path: "/a",
      domain: "example.com",
      httpOnly: true,
      secure: true,
      sameSite: "none",
      partitioned: true,
    },
  ],
  [
    "over http",
    { secure: false, sameSite: "Strict" },
    { path: "/", httpOnly: true, secure: false, sameSite: "strict" },
  ],
])("commitCookie() gives the cookie and its attributes: %s", async (_, cookie, options) => {
  const { sessions } = createApp({ cookie });
  const session = await sessions.open(requestWith());
  session.set("username", "ann");
  const committed = await sessions.commitCookie(session);
  const { headers } = await sessions.commit(session, new Response());
  const [line = ""] = headers.getSetCookie();
  const [name = "", value = ""] = line.slice(0, line.indexOf(";")).split("=");
  expect(committed).toEqual({ name, value, options, line });
});

test("it says how long a permanent cookie lives, and that a logout deletes", async () => {
  const { sessions } = createApp();
  const session = await sessions.open(requestWith());
  session.set("username", "ann");
  session.permanent = true;
  const cookie = await sessions.commitCookie(session);
  expect(cookie?.options.maxAge).toBe(7 * DAY);
  const logout = await sessions.open(requestWith(`${cookie?.name}=${cookie?.value}`));
  logout.destroy();
  const deleted = await sessions.commitCookie(logout);
  expect(deleted).toMatchObject({
    name: cookie?.name,
    value: "",
    options: { path: "/", maxAge: 0 },
  });
});

test("it gives nothing at once where nothing changed, and the same again", async () => {
  const { sessions } = createApp();
  const session = await sessions.open(requestWith());
  expect(sessions.commitCookie(session)).toBeUndefined();
  const other = await sessions.open(requestWith());
  other.set("username", "ann");
  expect(await sessions.commitCookie(other)).toEqual(await sessions.commitCookie(other));
});

test("it names another system's cookie that goes as well", async () => {
  const { sessions } = flaskHeir();
  const session = await sessions.open(requestWith(flaskUser().cookie));
  const committed = await sessions.commitCookie(session);
  expect(committed).toMatchObject({ name: "__Host-Http-session", forget: { name: "session" } });
  expect(committed?.forget?.options.maxAge).toBe(0);
  const other = await sessions.open(requestWith(flaskUser().cookie));
  other.destroy();
  expect(await sessions.commitCookie(other)).toMatchObject({ name: "session", value: "" });
});
