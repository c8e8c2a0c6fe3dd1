/** The least that one would write by hand: a JWT in a cookie, signed and verified by jose. */
import { jwtVerify, SignJWT } from "jose";
import {
  announce,
  listenOptions,
  pageResponse,
  readSecret,
  readUsername,
  redirectHome,
} from "./page.ts";

const algorithm = { name: "HMAC", hash: "SHA-256" };
const key = await crypto.subtle.importKey(
  "raw",
  new TextEncoder().encode(readSecret()),
  algorithm,
  false,
  ["sign", "verify"],
);

function findCookie(request: Request): string | undefined {
  for (const part of request.headers.get("cookie")?.split(";") ?? []) {
    const pair = part.trim();
    if (pair.startsWith("session=")) return pair.slice("session=".length);
  }
  return undefined;
}

async function findUsername(request: Request): Promise<string | undefined> {
  const token = findCookie(request);
  if (token === undefined) return undefined;
  try {
    const { payload } = await jwtVerify<{ username: string }>(token, key, {
      algorithms: ["HS256"],
      audience: "session",
      requiredClaims: ["exp", "iat", "jti"],
    });
    return payload.username;
  } catch {
    return undefined;
  }
}

async function signUsername(username: string): Promise<string> {
  return new SignJWT({ username })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setAudience("session")
    .setJti(crypto.randomUUID())
    .setIssuedAt()
    .setExpirationTime("7 days")
    .sign(key);
}

const server = Bun.serve({
  ...listenOptions,
  routes: {
    "/": async (request) => pageResponse(await findUsername(request)),
    "/login": {
      POST: async (request) => {
        const token = await signUsername(await readUsername(request));
        return redirectHome(`session=${token}; Path=/; HttpOnly; SameSite=Lax`);
      },
    },
  },
});
announce(server.port);
