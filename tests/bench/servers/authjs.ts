/** The JWE that Auth.js keeps a session in, made and read by its own functions. */
import { decode, encode } from "@auth/core/jwt";
import {
  announce,
  listenOptions,
  pageResponse,
  readSecret,
  readUsername,
  redirectHome,
} from "./page.ts";

// The name of the cookie is the salt of its key.
const keys = { secret: readSecret(), salt: "session" };

async function findUsername(request: Request): Promise<string | undefined> {
  const token = /(?:^|; )session=([^;]+)/.exec(request.headers.get("cookie") ?? "")?.[1];
  if (token === undefined) return undefined;
  const claims = await decode({ ...keys, token }).catch(() => null);
  return claims?.name ?? undefined;
}

const server = Bun.serve({
  ...listenOptions,
  routes: {
    "/": async (request) => pageResponse(await findUsername(request)),
    "/login": {
      POST: async (request) => {
        const token = await encode({ ...keys, token: { name: await readUsername(request) } });
        return redirectHome(`session=${token}; Path=/; HttpOnly; SameSite=Lax`);
      },
    },
  },
});
announce(server.port);
