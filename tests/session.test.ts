import { describe, expect, test } from "bun:test";
import { createSessions, type Session, SessionValueError } from "../session/mod.ts";
import { createClock, START } from "./support/clock.ts";
import { errorOf, untyped } from "./support/errors.ts";
import { requestWith } from "./support/requests.ts";
import { SECRET } from "./support/secrets.ts";

type Data = {
  username: string;
  cart: string[];
  count: number;
  nothing: null;
  when: Date;
  note?: string;
  nested: { list: { price: number }[]; seen: Map<string, Set<number>> };
  any: unknown;
};

class Cart {
  readonly items: string[] = [];
}

const { now } = createClock();
const sessions = createSessions<Data>({ secretKey: SECRET, now });

async function fresh(): Promise<Session<Data>> {
  return sessions.open(requestWith());
}

/** Commits, and gives the `Set-Cookie` lines. */
async function commit(session: Session<Data>): Promise<string[]> {
  return (await sessions.commit(session, new Response())).headers.getSetCookie();
}

/** The session that the next request of this one's browser gets. */
async function reopen(session: Session<Data>): Promise<Session<Data>> {
  const [line = ""] = await commit(session);
  return sessions.open(requestWith(line.slice(0, line.indexOf(";"))));
}

async function opened(values: Parameters<Session<Data>["update"]>[0]): Promise<Session<Data>> {
  const session = await fresh();
  session.update(values);
  return reopen(session);
}

describe("reading", () => {
  test("get gives the value, undefined or the fallback, and never throws", async () => {
    const session = await opened({ username: "ann", nothing: null, count: 0 });
    expect(session.get("username")).toBe("ann");
    expect(session.get("username", "nobody")).toBe("ann");
    expect(session.get("note")).toBeUndefined();
    expect(session.get("note", "none")).toBe("none");
    expect(session.get("note", undefined)).toBeUndefined();
    expect(session.get("nothing", null)).toBeNull();
    expect(session.get(untyped("nothing"), "fallback")).toBeNull();
    expect(session.get("count", 5)).toBe(0);
  });

  test.each(["__proto__", "constructor", "toString", "sid", "sub", "flashes", ""])(
    "a key that nobody set is not there: %p",
    async (key) => {
      const session = await opened({ username: "ann" });
      expect(session.get(untyped(key))).toBeUndefined();
      expect(session.has(untyped(key))).toBe(false);
    },
  );

  test("has, size, keys, entries, iteration and toJSON show what is there", async () => {
    const session = await opened({ username: "ann", cart: ["tea"], nothing: null });
    expect(session.has("nothing")).toBe(true);
    expect(session.has("note")).toBe(false);
    expect(session.size).toBe(3);
    expect([...session.keys()]).toEqual(["username", "cart", "nothing"]);
    expect([...session.entries()]).toEqual([...session]);
    expect(JSON.stringify(session)).toBe(`{"username":"ann","cart":["tea"],"nothing":null}`);
    expect(Object.fromEntries(session)).toEqual(session.toJSON());
  });

  test("toJSON has the user's keys alone, whatever they are called", async () => {
    const session = await fresh();
    session.signIn("ann");
    session.set(untyped("__proto__"), untyped({ admin: true }));
    session.set(untyped("flashes"), untyped(1));
    session.set(untyped("$date"), untyped(2));
    session.flash("Hi");
    const next = await reopen(session);
    expect(JSON.stringify(next)).toBe(`{"__proto__":{"admin":true},"flashes":1,"$date":2}`);
    expect([next.subject, next.flashes.length]).toEqual(["ann", 1]);
    expect(Reflect.get({}, "admin")).toBeUndefined();
  });

  test("a value is the same object in one request, and another one in the next", async () => {
    const cart = ["tea"];
    const session = await fresh();
    session.set("cart", cart);
    expect(session.get("cart")).toBe(cart);
    const next = await reopen(session);
    expect(next.get("cart")).toBe(untyped(next.get("cart")));
    cart.push("late");
    expect(next.get("cart")).toEqual(["tea"]);
  });
});

describe("writing", () => {
  test("set, delete and pop", async () => {
    const session = await opened({ username: "ann", cart: ["tea"] });
    session.set("count", 1);
    expect(session.delete("username")).toBe(true);
    expect(session.delete("username")).toBe(false);
    expect(session.pop("cart")).toEqual(["tea"]);
    expect(session.pop("cart")).toBeUndefined();
    expect(session.pop("cart", ["none"])).toEqual(["none"]);
    expect(session.pop("note", null)).toBeNull();
    expect((await reopen(session)).toJSON()).toEqual({ count: 1 });
  });

  test("setDefault sets what is missing, and gives what is there", async () => {
    const session = await opened({ username: "ann", nothing: null });
    expect(session.setDefault("username", "bob")).toBe("ann");
    expect(session.setDefault("nothing", null)).toBeNull();
    session.setDefault("cart", []).push("tea");
    session.setDefault("cart", ["other"]).push("milk");
    expect((await reopen(session)).get("cart")).toEqual(["tea", "milk"]);
  });

  test("update sets every key, or none where one cannot be stored", async () => {
    const session = await opened({ username: "ann", count: 1 });
    session.update({ username: "bob", cart: [] });
    const wrong = { count: 2, any: () => {} };
    expect(await errorOf(() => session.update(wrong))).toBeInstanceOf(SessionValueError);
    expect(session.toJSON()).toEqual({ username: "bob", count: 1, cart: [] });
  });

  test.each([42, Symbol("key"), null])("a key that is no string is refused: %p", async (key) => {
    const session = await fresh();
    const error = await errorOf(() => session.set(untyped(key), untyped("value")));
    expect(error).toBeInstanceOf(SessionValueError);
    expect(session.size).toBe(0);
  });

  test.each(["username", "subject", "id", "isNew", "other"])(
    "an assignment to a property throws: %s",
    async (name) => {
      const session = await fresh();
      expect(() => Object.assign(session, { [name]: "ann" })).toThrow(TypeError);
      expect(await commit(session)).toEqual([]);
    },
  );

  test("clear removes the keys and leaves flashes, permanent and subject", async () => {
    const session = await fresh();
    session.signIn("ann");
    session.set("username", "ann");
    session.permanent = true;
    session.flash("Hi");
    session.clear();
    expect(session.size).toBe(0);
    expect([session.permanent, session.subject, session.flashes.length]).toEqual([true, "ann", 1]);
    session.set("count", 1);
    const next = await reopen(session);
    expect([next.permanent, next.subject, next.flashes.length]).toEqual([true, "ann", 1]);
    expect(next.toJSON()).toEqual({ count: 1 });
  });

  test.each<[string, unknown]>([
    ["undefined", undefined],
    ["a function", () => {}],
    ["a symbol", Symbol("a")],
    ["a class of one's own", new Cart()],
    ["an invalid date", new Date(Number.NaN)],
  ])("set, setDefault and update refuse %s at once", async (_, value) => {
    const session = await fresh();
    for (const change of [
      () => session.set("any", value),
      () => session.setDefault("any", value),
      () => session.update({ any: value }),
    ]) {
      expect(await errorOf(change)).toMatchObject({ code: "ERR_SESSION_VALUE", path: "any" });
    }
    expect(session.size).toBe(0);
    expect(await commit(session)).toEqual([]);
  });

  test("a change inside a value to what cannot be stored is refused at commit", async () => {
    const session = await opened({ any: { list: [1] }, username: "ann" });
    Object.assign(Object(session.get("any")), { list: [1, () => {}] });
    const error = await errorOf(() => commit(session));
    expect(error).toMatchObject({ code: "ERR_SESSION_VALUE", path: "any.list[1]" });
  });
});

function pushToCart(session: Session<Data>): void {
  for (const [, value] of session) if (Array.isArray(value)) value.push("milk");
}

function raise(item: { price: number }): void {
  item.price += 1;
}

describe("what is a change", () => {
  const nested = { list: [{ price: 1 }], seen: new Map([["a", new Set([1])]]) };
  const values = { username: "ann", cart: ["tea"], when: new Date(START), nested, count: 1 };

  test.each<[string, (session: Session<Data>) => unknown]>([
    ["nothing", () => {}],
    ["reading", (session) => [session.get("cart"), session.size, [...session], session.flashes]],
    ["an equal value", (session) => session.set("username", "ann")],
    ["an equal object", (session) => session.set("nested", structuredClone(nested))],
    ["an equal date", (session) => session.set("when", new Date(START))],
    ["an empty update", (session) => session.update({})],
    ["a default that is there", (session) => session.setDefault("count", 9)],
    ["popping what is missing", (session) => session.pop("note")],
    ["a change and back", (session) => [session.set("count", 2), session.set("count", 1)]],
    ["a removal and back", (session) => session.set("username", session.pop("username", ""))],
    ["clear and back", (session) => [session.clear(), session.update(structuredClone(values))]],
    ["a push and a pop", (session) => [session.get("cart")?.push("a"), session.get("cart")?.pop()]],
    ["permanent, false as before", (session) => (session.permanent = false)],
    ["a refused subject", (session) => errorOf(() => session.signIn(""))],
    ["no flashes to take", (session) => session.takeFlashes()],
    ["a flash taken at once", (session) => [session.flash("Hi"), session.takeFlashes()]],
  ])("%s is none", async (_, change) => {
    const session = await opened(values);
    change(session);
    expect(session.isModified).toBe(false);
    expect(await commit(session)).toEqual([]);
  });

  test.each<[string, (session: Session<Data>) => unknown]>([
    ["another value", (session) => session.set("username", "bob")],
    ["a new key", (session) => session.set("note", "")],
    ["null", (session) => session.set("nothing", null)],
    ["a removal", (session) => session.delete("count")],
    ["a push", (session) => session.get("cart")?.push("milk")],
    ["a push to what iteration gives", pushToCart],
    ["a date's change inside", (session) => session.get("when")?.setFullYear(2001)],
    [
      "the date as its ISO text",
      (session) => session.set("when", untyped(new Date(START).toISOString())),
    ],
    ["the date as its number", (session) => session.set("when", untyped(START))],
    ["minus zero", (session) => [session.set("count", -0)]],
    ["a text for the number", (session) => session.set("count", untyped("1"))],
    ["a change four levels deep", (session) => session.get("nested")?.seen.get("a")?.add(2)],
    ["a member of an object in a list", (session) => session.get("nested")?.list.forEach(raise)],
    ["permanent", (session) => (session.permanent = true)],
    ["signing in", (session) => session.signIn("ann")],
    ["a flash", (session) => session.flash("Hi")],
    ["regenerate", (session) => session.regenerate()],
    ["destroy", (session) => session.destroy()],
    ["clear", (session) => session.clear()],
  ])("%s is one", async (_, change) => {
    const session = await opened(values);
    expect(session.isModified).toBe(false);
    change(session);
    expect(session.isModified).toBe(true);
    expect(await commit(session)).toHaveLength(1);
  });
});

describe("flashes", () => {
  test("wait for the next page, in their order, and looking takes none", async () => {
    const session = await fresh();
    session.flash("Saved");
    session.flash("No stock", "error");
    const next = await reopen(session);
    const both = [
      { category: "message", message: "Saved" },
      { category: "error", message: "No stock" },
    ];
    expect(next.flashes).toEqual(both);
    expect(next.flashes).toEqual(both);
    expect(await commit(next)).toEqual([]);
  });

  test("of one category are taken, and the others wait on", async () => {
    const session = await fresh();
    session.set("username", "ann");
    session.flash("a");
    session.flash("b", "error");
    session.flash("c");
    const second = await reopen(session);
    expect(second.takeFlashes("error")).toEqual([{ category: "error", message: "b" }]);
    expect(second.takeFlashes("error")).toEqual([]);
    second.flash("d", "error");
    const third = await reopen(second);
    expect(third.takeFlashes().map(({ message }) => message)).toEqual(["a", "c", "d"]);
    expect(third.takeFlashes()).toEqual([]);
    expect((await reopen(third)).flashes).toEqual([]);
  });

  test("of this request can be taken in it", async () => {
    const session = await fresh();
    session.flash("now");
    expect(session.takeFlashes()).toEqual([{ category: "message", message: "now" }]);
    expect(await commit(session)).toEqual([]);
  });

  test("are twenty at most, the newest", async () => {
    const session = await fresh();
    for (let count = 0; count < 25; count++) session.flash(`${count}`);
    expect(session.flashes).toHaveLength(20);
    const next = await reopen(session);
    expect(next.flashes).toEqual(session.flashes);
    expect(next.flashes[0]?.message).toBe("5");
    expect(next.takeFlashes()).toHaveLength(20);
  });

  test("over twenty have gone, and stay gone once the others were taken", async () => {
    const session = await fresh();
    session.flash("old");
    const next = await reopen(session);
    for (let count = 0; count < 21; count++) next.flash(`${count}`);
    expect(next.takeFlashes()).toHaveLength(20);
    expect(next.flashes).toEqual([]);
  });

  test.each([[5], ["a", 5], [undefined]])(
    "of no text are refused: %p %p",
    async (...flash: readonly unknown[]) => {
      const session = await fresh();
      const error = await errorOf(() => session.flash(untyped(flash[0]), untyped(flash[1])));
      expect(error).toBeInstanceOf(SessionValueError);
      expect(session.flashes).toEqual([]);
    },
  );

  test("that a page changes do not change the session's", async () => {
    const session = await fresh();
    session.flash("a");
    Reflect.apply(Array.prototype.pop, session.flashes, []);
    expect(session.flashes).toHaveLength(1);
    expect(() => Object.assign(session.flashes[0] ?? {}, { message: "b" })).toThrow(TypeError);
    const next = await reopen(session);
    for (const flash of [...next.flashes, ...next.takeFlashes()]) {
      expect(() => Object.assign(flash, { message: "b" })).toThrow(TypeError);
    }
    expect((await reopen(session)).flashes).toEqual([{ category: "message", message: "a" }]);
  });
});
