/** Elysia's signed cookies. */
import { Elysia } from "elysia";
import { announce, htmlType, listenOptions, page, readSecret } from "./page.ts";

const app = new Elysia({ cookie: { secrets: readSecret(), sign: ["session"] } })
  .get("/", ({ cookie: { session }, set }) => {
    set.headers["content-type"] = htmlType;
    const username = session?.value;
    return page(typeof username === "string" ? username : undefined);
  })
  .post("/login", ({ body, cookie: { session }, redirect }) => {
    const { username } = body as { username: string };
    session?.set({ value: username, httpOnly: true, sameSite: "lax", path: "/" });
    return redirect("/", 303);
  })
  .listen(listenOptions);

announce(app.server?.port);
