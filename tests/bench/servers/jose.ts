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
    const { payload } = await jwtVerify<{ data: { username: string } }>(token, key, {
      algorithms: ["HS256"],
      typ: "session+jwt",
      audience: "session",
      requiredClaims: ["sid", "iat", "exp", "max", "ver"],
    });
    return payload.data.username;
  } catch {
    return undefined;
  }
}

const days = 24 * 3600;

/** The claims of Madeleine's token, in their order. */
async function signUsername(username: string): Promise<string> {
  const milliseconds = Date.now();
  const now = Math.floor(milliseconds / 1000);
  return new SignJWT({
    aud: "session",
    sid: crypto.getRandomValues(new Uint8Array(16)).toBase64({
      alphabet: "base64url",
      omitPadding: true,
    }),
    iat: now,
    exp: now + 7 * days,
    max: now + 30 * days,
    ver: milliseconds,
    sub: username,
    auth_time: now,
    data: { username },
  })
    .setProtectedHeader({ alg: "HS256", typ: "session+jwt", kid: "12345678" })
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
