/** cookie-session on Express, by Bun's `node:http`. */
import cookieSession from "cookie-session";
import express from "express";
import { announce, htmlType, listenOptions, page, readSecret } from "./page.ts";

const app = express();
app.disable("x-powered-by").disable("etag"); // the same headers as the others
app.use(cookieSession({ name: "session", keys: [readSecret()], sameSite: "lax" }));

app.get("/", (request, response) => {
  const username: unknown = request.session?.["username"];
  response
    .set("content-type", htmlType)
    .send(page(typeof username === "string" ? username : undefined));
});

app.post("/login", express.urlencoded({ extended: false }), (request, response) => {
  const { username } = request.body as { username: string };
  request.session = { username };
  response.redirect(303, "/");
});

const server = app.listen(listenOptions.port, listenOptions.hostname, () => {
  const address = server.address();
  announce(typeof address === "object" && address !== null ? address.port : undefined);
});
