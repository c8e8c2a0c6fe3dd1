import { createFileRoute } from "@tanstack/react-router";
import { createServerFn } from "@tanstack/react-start";
import { setCookie } from "@tanstack/react-start/server";
import { currentSession } from "../session.server";

const readHome = createServerFn().handler(async () => {
  const session = await currentSession();
  const { subject = "nobody" } = session;
  return { user: subject, bag: [...session.keys()], flashes: session.takeFlashes() };
});

async function changeSession({ request }: { readonly request: Request }) {
  const session = await currentSession();
  const form = await request.formData();
  switch (form.get("intent")) {
    case "login": {
      const username = String(form.get("username") ?? "");
      if (username === "") return new Response("Who are you?", { status: 400 });
      session.signIn(username); // Check the password before.
      session.flash(`Welcome, ${username}`);
      setCookie("theme", "dark");
      break;
    }
    case "add":
      session.set(String(form.get("item")), 1);
      break;
    case "logout":
      session.destroy();
  }
  return new Response(null, { status: 303, headers: { location: "/" } });
}

export const Route = createFileRoute("/")({
  loader: () => readHome(),
  server: { handlers: { POST: changeSession } },
  component: Home,
});

function Home() {
  const { user, bag, flashes } = Route.useLoaderData();
  return (
    <main>
      <p>{`You are ${user}`}</p>
      <p>{`In your bag: ${bag.join(", ")}`}</p>
      {flashes.map(({ message }) => (
        <p role="status" key={message}>
          {message}
        </p>
      ))}
      <form id="login" method="post">
        <input type="hidden" name="intent" value="login" />
        <input name="username" />
        <button>Log in</button>
      </form>
      <form id="add" method="post">
        <input type="hidden" name="intent" value="add" />
        <input name="item" />
        <button>Add</button>
      </form>
      <form id="logout" method="post">
        <input type="hidden" name="intent" value="logout" />
        <button>Log out</button>
      </form>
    </main>
  );
}
