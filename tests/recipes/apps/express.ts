import { createRequestListener } from "@remix-run/node-fetch-server";
import express from "express";
import { createSessions } from "madeleine";

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });
const home = () => new Response(null, { status: 303, headers: { location: "/" } });
const page = sessions.handler((_request, session) => {
  return new Response(`You are ${session.subject ?? "nobody"}`);
});
const login = sessions.handler(async (request, session) => {
  session.signIn(String((await request.formData()).get("username")));
  return home();
});
const logout = sessions.handler((_request, session) => (session.destroy(), home()));

const app = express().get("/", createRequestListener(page));
app.post("/login", createRequestListener(login)).post("/logout", createRequestListener(logout));
app.listen(process.env["PORT"] ?? 3000);
