import { SessionOptionsError } from "../errors.ts";

/** The cookie as it is set, refreshed and deleted: always with these attributes and `HttpOnly`. */
export interface CookieOptions {
  /**
   * The cookie's name. `__Host-Http-session` where that prefix's rules hold (secure, path `/`, no
   * domain), so that neither a subdomain nor a script can plant one; else `session`.
   */
  readonly name?: string;
  /** The path prefix that gets the cookie. `/` by default. */
  readonly path?: string;
  /** The domain whose hosts all get the cookie. By default this host alone. */
  readonly domain?: string;
  /** Whether other sites' requests carry the cookie. `Lax` by default; `None` needs `secure`. */
  readonly sameSite?: "Strict" | "Lax" | "None";
  /** Whether the cookie goes over TLS alone. True by default; browsers except http://localhost. */
  readonly secure?: boolean;
  /** Whether an embedding site gets a jar of its own (CHIPS). False by default; needs `secure`. */
  readonly partitioned?: boolean;
}

/** A checked cookie: its name, and its attributes as they stand on every `Set-Cookie` line. */
export interface Cookie {
  readonly name: string;
  readonly attributes: string;
  /**
   * The `aud` claim of its tokens: the name, with the path and the domain where they are not the
   * defaults. So a value from another cookie, or from other attributes, does not verify.
   */
  readonly audience: string;
}

/** RFC 9110 §5.6.2: what a name may consist of. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 6265 §4.1.1, `path-value`, and as browsers ask it starts with a slash. */
const PATH = /^\/[\x20-\x3A\x3C-\x7E]*$/;
/** RFC 1034 §3.5. */
const LABEL = "[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?";
/** Labels, and a leading dot, which browsers ignore. */
const DOMAIN = new RegExp(`^\\.?${LABEL}(?:\\.${LABEL})*$`);
/** RFC 6265bis §5.6: a browser ignores an attribute of more than this many bytes. */
const ATTRIBUTE_LIMIT = 1024;
/** Every option there is, with its type: `"false"` is no boolean, and would mean true. */
const TYPES: ReadonlyMap<string, string> = new Map<keyof CookieOptions, string>([
  ["name", "string"],
  ["path", "string"],
  ["domain", "string"],
  ["sameSite", "string"],
  ["secure", "boolean"],
  ["partitioned", "boolean"],
]);

/** Checks the options once, and gives the cookie. Throws `SessionOptionsError`. */
export function createCookie(options: CookieOptions = {}): Cookie {
  checkTypes(options);
  const { path = "/", domain, sameSite = "Lax", secure = true, partitioned = false } = options;
  const isHostOnly = secure && path === "/" && domain === undefined;
  const name = options.name ?? (isHostOnly ? "__Host-Http-session" : "session");
  check(TOKEN.test(name) && name.length <= 256, "name", name, "it is no RFC 6265 cookie name");
  check(PATH.test(path) && path.length <= ATTRIBUTE_LIMIT, "path", path, "it is no path");
  if (domain !== undefined) {
    check(DOMAIN.test(domain) && domain.length <= 255, "domain", domain, "it is no domain");
  }
  const isKnown = sameSite === "Strict" || sameSite === "Lax" || sameSite === "None";
  check(isKnown, "sameSite", sameSite, `it is none of "Strict", "Lax" and "None"`);
  check(secure || sameSite !== "None", "sameSite", sameSite, "browsers ask for secure with it");
  check(secure || !partitioned, "partitioned", partitioned, "browsers ask for secure with it");
  checkPrefix(name, secure, isHostOnly);
  const attributes = [
    `; Path=${path}`,
    domain === undefined ? "" : `; Domain=${domain}`,
    "; HttpOnly",
    secure ? "; Secure" : "",
    `; SameSite=${sameSite}`,
    partitioned ? "; Partitioned" : "",
  ];
  const audience = [
    name,
    path === "/" ? "" : `; Path=${path}`,
    domain === undefined ? "" : `; Domain=${domain.toLowerCase().replace(/^\./, "")}`,
  ];
  return Object.freeze({ name, attributes: attributes.join(""), audience: audience.join("") });
}

function checkTypes(options: unknown): void {
  if (typeof options !== "object" || options === null) {
    throw new SessionOptionsError("Cannot use option cookie: it is no object");
  }
  for (const [option, value] of Object.entries(options)) {
    const type = TYPES.get(option);
    check(type !== undefined, option, value, "there is no option of that name");
    check(value === undefined || typeof value === type, option, value, `it is no ${type}`);
  }
}

/** Browsers drop a cookie whose prefix promises what its attributes don't keep, in any case. */
function checkPrefix(name: string, secure: boolean, isHostOnly: boolean): void {
  const lower = name.toLowerCase();
  if (lower.startsWith("__host-")) {
    check(isHostOnly, "name", name, `__Host- asks for secure, path "/" and no domain`);
  } else if (lower.startsWith("__secure-") || lower.startsWith("__http-")) {
    check(secure, "name", name, "its prefix asks for secure");
  }
}

function check(holds: boolean, option: string, value: unknown, state: string): void {
  if (!holds) {
    throw new SessionOptionsError(`Cannot use cookie.${option} ${JSON.stringify(value)}: ${state}`);
  }
}
