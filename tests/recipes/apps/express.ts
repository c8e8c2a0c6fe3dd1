import express from "express";
import { createSessions } from "madeleine";
import { session, type WithSession } from "madeleine/node";

declare global {
  namespace Express {
    interface Request extends WithSession {}
  }
}

const sessions = createSessions({ secretKey: process.env["SECRET_KEY"] });
const app = express().use(session(sessions), express.urlencoded());

app.get("/", ({ session }, res) => void res.send(`You are ${session.subject ?? "nobody"}`));
app.post("/login", ({ body, session }, res) => {
  const username = String(body?.username ?? "");
  if (username === "") return void res.status(400).send("Who are you?");
  session.signIn(username);
  res.redirect(303, "/");
});
app.post("/logout", ({ session }, res) => {
  session.destroy();
  res.redirect(303, "/");
});
app.listen(process.env["PORT"] ?? 3000);
