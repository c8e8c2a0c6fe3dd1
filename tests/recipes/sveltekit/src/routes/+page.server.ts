import { fail, redirect } from "@sveltejs/kit";
import { sessions } from "../session.server.ts";
import type { Actions, PageServerLoad } from "./$types";

export const load: PageServerLoad = async ({ request }) => {
  const session = await sessions.open(request);
  const { subject = "nobody" } = session;
  return { user: subject, bag: [...session.keys()], flashes: session.takeFlashes() };
};

export const actions: Actions = {
  login: async ({ cookies, request }) => {
    const session = await sessions.open(request);
    const username = String((await request.formData()).get("username") ?? "");
    if (username === "") return fail(400);
    session.signIn(username); // Check the password before.
    session.flash(`Welcome, ${username}`);
    cookies.set("theme", "dark", { path: "/" });
    redirect(303, "/");
  },
  add: async ({ request }) => {
    const session = await sessions.open(request);
    session.set(String((await request.formData()).get("item")), 1);
    redirect(303, "/");
  },
  logout: async ({ request }) => {
    (await sessions.open(request)).destroy();
    redirect(303, "/");
  },
};
