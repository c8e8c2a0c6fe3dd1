"use server";

import { cookies } from "next/headers";
import { redirect } from "next/navigation";
import { changeSession } from "../session";

export async function login(form: FormData) {
  const username = String(form.get("username") ?? "");
  if (username === "") redirect("/");
  await changeSession((session) => {
    session.signIn(username); // Check the password before.
    session.flash(`Welcome, ${username}`);
  });
  (await cookies()).set("theme", "dark");
  redirect("/");
}

export async function add(form: FormData) {
  await changeSession((session) => session.set(String(form.get("item")), 1));
  redirect("/");
}

export async function logout() {
  await changeSession((session) => session.destroy());
  redirect("/");
}
