import { expect, test } from "bun:test";
import { flaskCookie } from "../session/flask.ts";
import { createSessions, type Session } from "../session/mod.ts";
import { errorOf } from "./support/errors.ts";
import { requestWith } from "./support/requests.ts";
import { SECRET } from "./support/secrets.ts";

type Data = { username: string; cart: string[]; when?: Date; maybe: number | undefined };

interface Declared {
  username: string;
}

/** Says at compile time that `value` is of the type. */
function is<T>(value: T): T {
  return value;
}

async function open(): Promise<Session<Data>> {
  return createSessions<Data>({ secretKey: SECRET }).open(requestWith());
}

test("keys and values are typed: what is wrong does not compile", async () => {
  const session = await open();
  is<string | undefined>(session.get("username"));
  is<string | null>(session.get("username", null));
  is<string[] | undefined>(session.pop("cart"));
  is<string[] | 0>(session.pop("cart", 0));
  is<string[]>(session.setDefault("cart", []));
  is<Date | undefined>(session.get("when"));
  is<number | undefined>(session.get("maybe"));
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
    session.signIn(5);
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

test("what is read alone cannot be assigned", async () => {
  const session = await open();
  expect(() => {
    // @ts-expect-error It is read from the token.
    session.id = "id";
  }).toThrow(TypeError);
  expect(() => {
    // @ts-expect-error An id has one subject: signIn gives another id.
    session.subject = "ann";
  }).toThrow(TypeError);
  expect(() => {
    // @ts-expect-error It is fixed at the start.
    session.endsAt = new Date();
  }).toThrow(TypeError);
  expect(() => {
    // @ts-expect-error Keys are set by `set`.
    session.username = "ann";
  }).toThrow(TypeError);
});

test("keys, entries and iteration are wide: a session may hold more keys", async () => {
  const session = await open();
  is<Iterable<string>>(session.keys());
  is<Iterable<[string, unknown]>>(session.entries());
  // @ts-expect-error A key may be another one.
  is<Iterable<keyof Data>>(session.keys());
  for (const [key, value] of session) {
    is<string>(key);
    // @ts-expect-error Nothing is known of the value.
    is<string | string[] | Date | number | undefined>(value);
  }
});

/** A helper that any application with these keys can use. */
function rename(session: Session<Declared>): void {
  session.set("username", "bob");
}

test("a session is one of fewer keys, for helpers that need no more", async () => {
  const session = await open();
  rename(session);
  is<Session<{ when?: Date }>>(session);
  is<Session<{ cart: string[] }>>(session);
  expect(session.get("username")).toBe("bob");
  // @ts-expect-error It has no such key.
  is<Session<{ csrf: string }>>(session);
  // @ts-expect-error The value is another one.
  is<Session<{ username: number }>>(session);
});

test("unions, optional keys and any value of JSON and our tags are types of values", async () => {
  type Step = { kind: "address"; street: string } | { kind: "payment"; cents: bigint };
  type Wide = {
    step?: Step | null;
    theme: "dark" | "light";
    seen: ReadonlyMap<string, Set<number>>;
    file: { name: string; bytes: Uint8Array } | undefined;
    at: readonly (Date | URL)[];
    pair: readonly [name: string, count: number];
    any: unknown;
  };
  const session = await createSessions<Wide>({ secretKey: SECRET }).open(requestWith());
  session.set("step", { kind: "payment", cents: 5n });
  session.set("step", null);
  is<Step | null | undefined>(session.get("step"));
  is<"dark" | "light">(session.get("theme", "dark"));
  is<string | undefined>(session.get("pair")?.[0]);
  const step = session.get("step");
  if (step?.kind === "address") is<string>(step.street);
  // @ts-expect-error It is none of the union.
  session.set("theme", "blue");
  // @ts-expect-error The street belongs to the other kind.
  session.set("step", { kind: "payment", street: "Main" });
  expect(session.has("theme")).toBe(true);
});

test("what no session can carry is no type of a value", () => {
  class Money {
    cents = 5;
    toText(): string {
      return `${this.cents}`;
    }
  }
  class Day extends Date {
    readonly isHoliday = false;
  }
  class Tags extends Set<string> {
    addAll(tags: readonly string[]): void {
      for (const tag of tags) this.add(tag);
    }
  }
  const options = { secretKey: SECRET };
  // @ts-expect-error A function is not data.
  createSessions<{ act: () => void }>(options);
  // @ts-expect-error A class's instance would come back without its methods.
  createSessions<{ price: Money }>(options);
  // @ts-expect-error Nor one inside another value.
  createSessions<{ cart: { prices: Map<string, Money[]> } }>(options);
  // @ts-expect-error Nor an optional one.
  createSessions<{ price?: Money }>(options);
  // @ts-expect-error Nor one of a union.
  createSessions<{ price: Money | null }>(options);
  // @ts-expect-error A symbol is not data.
  createSessions<{ mark: symbol }>(options);
  // @ts-expect-error Nor is it a key of data.
  createSessions<{ price: { cents: number; [Symbol.iterator]: number } }>(options);
  // @ts-expect-error A class is a function.
  createSessions<{ type: typeof Money }>(options);
  // @ts-expect-error Nor is an abstract one data.
  createSessions<{ type: abstract new () => { cents: number } }>(options);
  // @ts-expect-error It has more members than a Map.
  createSessions<{ query: URLSearchParams }>(options);
  // @ts-expect-error It has more members than a Uint8Array.
  createSessions<{ file: Buffer }>(options);
  // @ts-expect-error It has more members than a Date.
  createSessions<{ day: Day | null }>(options);
  // @ts-expect-error It has more members than a Set.
  createSessions<{ tags: Tags[] }>(options);
  // @ts-expect-error An error is of a class.
  createSessions<{ problem: Error }>(options);
  // @ts-expect-error Nor is another error data.
  createSessions<{ problem: DOMException }>(options);
  createSessions<Declared>(options);
  createSessions<{ price: { cents: number } }>(options);
  // It lacks the members of an error that may be missing.
  createSessions<{ problem: { name: string; message: string } }>(options);
  createSessions<{ map: Map<string, Date>; tree: Tree; json: Json }>(options);
});

interface Tree {
  leaf?: URL;
  branches: Tree[];
}

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

test("an interface is as good as a type, and no type takes any key", async () => {
  const declared = await createSessions<Declared>({ secretKey: SECRET }).open(requestWith());
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
    adopt: () => ({ data: { username: "ann" } }),
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
    adopt: () => ({ data: { username: 5 } }),
  });
  createSessions<Data>({
    secretKey: SECRET,
    // @ts-expect-error The values stand in `data`.
    adopt: () => ({ username: "ann" }),
  });
  createSessions<Data>({
    secretKey: SECRET,
    adopt: flaskCookie({ secretKey: "flask", parse: () => ({ username: "ann" }) }),
  });
  createSessions({ secretKey: SECRET, adopt: flaskCookie({ secretKey: "flask" }) });
  // @ts-expect-error It can only be left out.
  sessions.handler(() => new Response(), { origin: true });
  // @ts-expect-error It may be undefined, but not left out.
  expect(() => createSessions({})).toThrow();
  // @ts-expect-error There is no such option.
  expect(() => createSessions({ secretKey: SECRET, ttl: 5 })).toThrow();
  // @ts-expect-error A handler gives a Response.
  sessions.handler(() => "text");
});
