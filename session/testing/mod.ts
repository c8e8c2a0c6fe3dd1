/**
 * A test kit: a client that keeps cookies as a browser does and needs no socket, and tokens of every
 * kind that a server may be sent.
 *
 * ```ts
 * import { createClient, token } from "madeleine/testing";
 *
 * const client = createClient(handler, { sessions });
 * const page = await client.post("/login", { username: "admin" }); // follows the 303
 * await client.session((session) => session.set("cart", ["tea"]));
 *
 * const forged = await token({ data: { username: "admin" } }, { secretKey, kind: "forged" });
 * ```
 *
 * @module
 */

export { type Client, type ClientOptions, createClient, type Fields } from "./client.ts";
export type { JarCookie } from "./jar.ts";
export { token, type TokenClaims, type TokenKind, type TokenOptions } from "./token.ts";
