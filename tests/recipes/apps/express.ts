import { createRequestListener } from "@remix-run/node-fetch-server";
import express from "express";
import { createSessions } from "madeleine";

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });
const home = () => new Response(null, { status: 303, headers: { location: "/" } });
const page = sessions.handler((_, { subject }) => new Response(`You are ${subject ?? "nobody"}`));
const login = sessions.handler(async (request, session) => {
  const username = String((await request.formData()).get("username") ?? "");
  if (username === "") return new Response("Who are you?", { status: 400 });
  session.signIn(username);
  return home();
});
const logout = sessions.handler((_, session) => (session.destroy(), home()));

const app = express().get("/", createRequestListener(page));
app.post("/login", createRequestListener(login)).post("/logout", createRequestListener(logout));
app.listen(process.env["PORT"] ?? 3000);
