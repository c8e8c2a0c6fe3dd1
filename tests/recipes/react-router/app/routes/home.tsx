import { Form, redirect } from "react-router";
import { sessionContext } from "../session.server";
import type { Route } from "./+types/home";

export function loader({ context }: Route.LoaderArgs) {
  const session = context.get(sessionContext);
  const { subject = "nobody" } = session;
  return { user: subject, bag: [...session.keys()], flashes: session.takeFlashes() };
}

export async function action({ context, request }: Route.ActionArgs) {
  const session = context.get(sessionContext);
  const form = await request.formData();
  const headers = new Headers();
  switch (form.get("intent")) {
    case "login": {
      const username = String(form.get("username") ?? "");
      if (username === "") return new Response("Who are you?", { status: 400 });
      session.signIn(username); // Check the password before.
      session.flash(`Welcome, ${username}`);
      headers.append("set-cookie", "theme=dark; Path=/");
      break;
    }
    case "add":
      session.set(String(form.get("item")), 1);
      break;
    case "logout":
      session.destroy();
  }
  return redirect("/", { status: 303, headers });
}

export default function Home({ loaderData: { user, bag, flashes } }: Route.ComponentProps) {
  return (
    <main>
      <p>{`You are ${user}`}</p>
      <p>{`In your bag: ${bag.join(", ")}`}</p>
      {flashes.map(({ message }) => (
        <p role="status" key={message}>
          {message}
        </p>
      ))}
      <Form id="login" method="post">
        <input type="hidden" name="intent" value="login" />
        <input name="username" />
        <button>Log in</button>
      </Form>
      <Form id="add" method="post">
        <input type="hidden" name="intent" value="add" />
        <input name="item" />
        <button>Add</button>
      </Form>
      <Form id="logout" method="post">
        <input type="hidden" name="intent" value="logout" />
        <button>Log out</button>
      </Form>
    </main>
  );
}
