import { expect, test } from "bun:test";
import { createSessions, type Session } from "../session/mod.ts";
import { errorOf, requestWith, SECRET } from "./support/helpers.ts";

type Data = { username: string; cart: string[]; when?: Date; maybe: number | undefined };

interface Declared {
  username: string;
}

/** Says at compile time that `value` is of the type. */
function is<T>(value: T): T {
  return value;
}

async function open<Data extends object>(): Promise<Session<Data>> {
  return createSessions<Data>({ secretKey: SECRET }).open(requestWith());
}

test("keys and values are typed: what is wrong does not compile", async () => {
  const session = await open<Data>();
  is<string | undefined>(session.get("username"));
  is<string | null>(session.get("username", null));
  is<string[] | undefined>(session.pop("cart"));
  is<string[] | 0>(session.pop("cart", 0));
  is<string[]>(session.setDefault("cart", []));
  is<Date | undefined>(session.get("when"));
  is<number | undefined>(session.get("maybe"));
  is<Iterable<"username" | "cart" | "when" | "maybe">>(session.keys());
  for (const [key, value] of session) {
    if (key === "cart") is<string[]>(value);
    // @ts-expect-error The key does not say that it is a date.
    is<Date>(value);
  }
  // @ts-expect-error The value may be missing.
  is<string>(session.get("username"));
  // @ts-expect-error There is no such key.
  session.get("user");
  // @ts-expect-error There is no such key.
  session.has("user");
  // @ts-expect-error There is no such key.
  session.set("user", "ann");
  // @ts-expect-error There is no such key.
  session.delete("user");
  // @ts-expect-error There is no such key.
  session.pop("user");
  // @ts-expect-error The value is another one.
  session.set("username", 5);
  // @ts-expect-error The items are others.
  session.set("cart", [5]);
  // @ts-expect-error The value is another one.
  session.setDefault("cart", "tea");
  // @ts-expect-error The value is another one.
  session.update({ username: 5 });
  // @ts-expect-error There is no such key.
  session.update({ user: "ann" });
  expect(() => {
    // @ts-expect-error A subject is a text.
    session.subject = 5;
  }).toThrow();
  expect(() => {
    // @ts-expect-error It is read from the token.
    session.id = "id";
  }).toThrow();
  expect(() => {
    // @ts-expect-error Delete the key instead.
    session.set("maybe", undefined);
  }).toThrow();
  expect(() => {
    // @ts-expect-error Delete the key instead.
    session.update({ when: undefined });
  }).toThrow();
});

test("an interface is as good as a type, and no type takes any key", async () => {
  const declared = await open<Declared>();
  declared.set("username", "ann");
  // @ts-expect-error There is no such key.
  declared.set("user", "ann");
  const free = await createSessions({ secretKey: SECRET }).open(requestWith());
  free.set("anything", { at: ["all"] });
  is<unknown>(free.get("anything"));
  // @ts-expect-error Nothing is known of the value.
  is<string | undefined>(free.get("anything"));
});

test("createSessions and handler are typed by their options and arguments", async () => {
  const sessions = createSessions<Data>({
    secretKey: SECRET,
    adopt: () => ({ username: "ann" }),
  });
  const page = sessions.handler(
    (request: Request & { readonly params: { readonly id: string } }, session, port: number) =>
      new Response(`${request.params.id} ${session.get("username")} ${port}`),
  );
  const request = Object.assign(requestWith(), { params: { id: "7" } });
  const response = await page(request, 3000);
  expect(await response.text()).toBe("7 ann 3000");
  // @ts-expect-error The port is missing.
  await page(request);
  // @ts-expect-error The parameters are missing.
  expect(await errorOf(() => page(requestWith(), 1))).toBeInstanceOf(TypeError);
  createSessions<Data>({
    secretKey: SECRET,
    // @ts-expect-error The value is another one.
    adopt: () => ({ username: 5 }),
  });
  // @ts-expect-error It may be undefined, but not left out.
  expect(() => createSessions({})).toThrow();
  // @ts-expect-error There is no such option.
  expect(() => createSessions({ secretKey: SECRET, ttl: 5 })).toThrow();
});
