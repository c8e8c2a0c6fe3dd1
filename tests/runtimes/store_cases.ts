import { createSessions, type Store } from "madeleine";
import { createClient } from "madeleine/testing";
import { type Data, KEY, loginPage, readsAs, signIn } from "./app.ts";
import { equal } from "./assert.ts";
import type { Case } from "./cases.ts";

/** What holds of every store: `name` says which client it stands on. */
export function storeCases(name: string, store: Store): Case[] {
  return [
    {
      name: `${name}: a record is read, replaced and compared`,
      async run() {
        equal(await store.get(["a", "b"]), [undefined, undefined]);
        equal(await store.replace("a", undefined, "1 é", 60), true);
        equal(await store.replace("a", undefined, "2", 60), false);
        equal(await store.replace("a", "1 é", "2", 60), true);
        equal(await store.get(["a", "b"]), ["2", undefined]);
      },
    },
    {
      name: `${name}: signed in, and signed out for another instance`,
      async run() {
        const client = createClient(loginPage(createSessions<Data>({ secretKey: KEY, store })));
        const other = createClient(loginPage(createSessions<Data>({ secretKey: KEY, store })));
        const copy = await signIn(client);
        await readsAs(other, copy, "You are admin");
        await client.get("/logout");
        await readsAs(other, copy, "You are nobody");
      },
    },
  ];
}
