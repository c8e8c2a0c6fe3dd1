import type { Session } from "madeleine";

const ENTITIES = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
]);

function escape(text: string): string {
  return text.replaceAll(/[&<>]/g, (character) => ENTITIES.get(character) ?? "");
}

/** The page of the recipes whose framework has no templates. It takes the flashes that it shows. */
export function page(session: Session): string {
  const flashes = session.takeFlashes().map(({ message }) => `<p role="status">${escape(message)}`);
  return `<!doctype html><html lang="en"><title>Recipe</title>
    <main><p>You are ${escape(session.subject ?? "nobody")}</p>
    <p>In your bag: ${escape([...session.keys()].join(", "))}</p>${flashes.join("")}
    <form id="login" method="post" action="/login"><input name="username"><button>Log in</button></form>
    <form id="add" method="post" action="/add"><input name="item"><button>Add</button></form>
    <form id="logout" method="post" action="/logout"><button>Log out</button></form></main>`;
}
