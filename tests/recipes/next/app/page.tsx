import type { Flash } from "madeleine";
import { cookies, headers } from "next/headers";
import { connection } from "next/server";
import { sessions } from "../session";
import { add, login, logout } from "./actions";

/** The page waits for its session, with or without scripts. */
export const instant = false;

export default async function Page() {
  await connection(); // A session is read at request time.
  const session = await sessions.read(await cookies());
  const flashes: Flash[] = JSON.parse(
    decodeURIComponent((await headers()).get("x-flashes") ?? "[]"),
  );
  return (
    <main>
      <p>{`You are ${session.subject ?? "nobody"}`}</p>
      <p>{`In your bag: ${[...session.keys()].join(", ")}`}</p>
      {flashes.map(({ message }) => (
        <p role="status" key={message}>
          {message}
        </p>
      ))}
      <form id="login" action={login}>
        <input name="username" />
        <button>Log in</button>
      </form>
      <form id="add" action={add}>
        <input name="item" />
        <button>Add</button>
      </form>
      <form id="logout" action={logout}>
        <button>Log out</button>
      </form>
    </main>
  );
}
