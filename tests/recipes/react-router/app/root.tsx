import { Outlet, Scripts } from "react-router";
import type { Route } from "./+types/root";
import { keepSession } from "./session.server";

export const middleware: Route.MiddlewareFunction[] = [keepSession];

export default function Root() {
  return (
    <html lang="en">
      <head>
        <title>Recipe</title>
      </head>
      <body>
        <Outlet />
        <Scripts />
      </body>
    </html>
  );
}
