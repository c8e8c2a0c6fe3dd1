import express from "express";
import { page } from "./page.ts";
import { middleware } from "./session.ts";

const app = express().use(middleware, express.urlencoded());

app.get("/", ({ session }, res) => void res.type("html").send(page(session)));
app.post("/login", ({ body, session }, res) => {
  const username = String(body?.username ?? "");
  if (username === "") return void res.status(400).send("Who are you?");
  session.signIn(username); // Check the password before.
  session.flash(`Welcome, ${username}`);
  res.cookie("theme", "dark").redirect(303, "/");
});
app.post("/add", ({ body, session }, res) => {
  session.set(String(body?.item), 1);
  res.redirect(303, "/");
});
app.post("/logout", ({ session }, res) => {
  session.destroy();
  res.redirect(303, "/");
});
app.listen(process.env["PORT"] ?? 3000);
