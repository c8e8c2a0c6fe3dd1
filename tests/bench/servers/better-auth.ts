/** better-auth with its cookie cache. Passwords are not hashed: only the session is measured. */
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import {
  announce,
  listenOptions,
  pageResponse,
  readSecret,
  readUsername,
  redirectHome,
} from "./page.ts";

const password = "a password of no secrecy";

const auth = betterAuth({
  baseURL: "http://127.0.0.1",
  secret: readSecret(),
  database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
  emailAndPassword: {
    enabled: true,
    password: {
      hash: async (text) => text,
      verify: async ({ hash, password }) => hash === password,
    },
  },
  session: { cookieCache: { enabled: true, maxAge: 3600 } },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { disabled: true },
});

const users = new Set<string>();

async function signIn(name: string): Promise<Response> {
  const email = `${name}@example.org`;
  if (users.has(name)) return auth.api.signInEmail({ body: { email, password }, asResponse: true });
  users.add(name);
  return auth.api.signUpEmail({ body: { name, email, password }, asResponse: true });
}

const server = Bun.serve({
  ...listenOptions,
  routes: {
    "/": async (request) => {
      const session = await auth.api.getSession({ headers: request.headers });
      return pageResponse(session?.user.name);
    },
    "/login": {
      POST: async (request) => {
        const signedIn = await signIn(await readUsername(request));
        const response = redirectHome();
        for (const line of signedIn.headers.getSetCookie()) {
          response.headers.append("set-cookie", line);
        }
        return response;
      },
    },
  },
});
announce(server.port);
