import { SessionOptionsError, spell } from "../errors.ts";

/** The cookie's name and attributes. It is always `HttpOnly`. */
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
  /**
   * Whether the cookie goes over TLS alone. True by default. Chromium and Firefox keep such a cookie on
   * http://localhost too; Safari does not, so give false while you develop with it.
   */
  readonly secure?: boolean;
  /**
   * Whether each embedding site has its own copy of the cookie (CHIPS). False by default; needs
   * `secure`.
   */
  readonly partitioned?: boolean;
}

/** The attributes of a cookie, in the words of Express, Next and SvelteKit. */
export interface CookieAttributes {
  readonly path: string;
  readonly domain?: string;
  readonly httpOnly: true;
  readonly secure: boolean;
  readonly sameSite: "strict" | "lax" | "none";
  readonly partitioned?: true;
  /** Seconds; 0 deletes the cookie. Without it the cookie goes when the browser closes. */
  readonly maxAge?: number;
}

/** A checked cookie: its name, and its attributes as they stand on every `Set-Cookie` line. */
export interface Cookie {
  readonly name: string;
  readonly attributes: string;
  readonly options: CookieAttributes;
  /**
   * The `aud` claim of its tokens: the name, with the path and the domain where they are not the
   * defaults. So a value from another cookie, or from other attributes, does not verify.
   */
  readonly audience: string;
}

const SAME_SITE = { Strict: "strict", Lax: "lax", None: "none" } as const;
/** RFC 9110 §5.6.2: the characters of a name. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 6265 §4.1.1, `path-value`. Browsers would trim a space at its end. */
const PATH = /^[\x20-\x3A\x3C-\x7E]*[\x21-\x3A\x3C-\x7E]$/;
/** RFC 1034 §3.5. */
const LABEL = "[0-9A-Za-z](?:[0-9A-Za-z-]*[0-9A-Za-z])?";
/** Labels, and a leading dot, which browsers ignore. */
const DOMAIN = new RegExp(`^\\.?${LABEL}(?:\\.${LABEL})*$`);
/** RFC 6265bis §5.6: a browser ignores an attribute of more than this many bytes. */
const ATTRIBUTE_LIMIT = 1024;
/** The options with their types: the string `"false"` would mean true. */
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
  checkName(name, secure, isHostOnly);
  checkPath(path);
  if (domain !== undefined) {
    const isHost = DOMAIN.test(domain) && domain.length <= 255;
    check(
      isHost,
      "domain",
      domain,
      "must be a host name of at most 255 characters, without a port",
    );
  }
  const isKnown = sameSite === "Strict" || sameSite === "Lax" || sameSite === "None";
  check(isKnown, "sameSite", sameSite, `must be "Strict", "Lax" or "None"`);
  check(secure || sameSite !== "None", "sameSite", sameSite, "must go with secure: true");
  check(secure || !partitioned, "partitioned", partitioned, "must go with secure: true");
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
  const words: CookieAttributes = {
    path,
    ...(domain !== undefined && { domain }),
    httpOnly: true,
    secure,
    sameSite: SAME_SITE[sameSite],
    ...(partitioned && { partitioned }),
  };
  return Object.freeze({
    name,
    attributes: attributes.join(""),
    options: words,
    audience: audience.join(""),
  });
}

function checkTypes(options: unknown): void {
  if (typeof options !== "object" || options === null) {
    const state = `must be an object, got ${spell(options)}`;
    throw new SessionOptionsError(`Cannot use option cookie: ${state}`);
  }
  for (const [option, value] of Object.entries(options)) {
    const type = TYPES.get(option);
    const isKnown = type !== undefined;
    check(isKnown, option, value, `must be one of the options ${[...TYPES.keys()].join(", ")}`);
    check(value === undefined || typeof value === type, option, value, `must be a ${type}`);
  }
}

/** Browsers drop a cookie whose prefix, in any case, promises what its attributes do not keep. */
function checkName(name: string, secure: boolean, isHostOnly: boolean): void {
  const isName = TOKEN.test(name) && name.length <= 256;
  check(isName, "name", name, "must be 1 to 256 letters, digits and characters of !#$%&'*+-.^_`|~");
  const lower = name.toLowerCase();
  if (lower.startsWith("__host-")) {
    check(
      isHostOnly,
      "name",
      name,
      `its prefix must go with secure: true, path: "/" and no domain`,
    );
  } else if (lower.startsWith("__secure-") || lower.startsWith("__http-")) {
    check(secure, "name", name, "its prefix must go with secure: true");
  }
}

function checkPath(path: string): void {
  check(path.startsWith("/"), "path", path, "must start with a slash");
  check(
    path.length <= ATTRIBUTE_LIMIT,
    "path",
    path,
    `must be at most ${ATTRIBUTE_LIMIT} characters`,
  );
  check(
    PATH.test(path),
    "path",
    path,
    "must be printable ASCII without semicolons or a space at the end",
  );
}

function check(holds: boolean, option: string, value: unknown, state: string): void {
  if (!holds)
    throw new SessionOptionsError(`Cannot use cookie.${option} ${spell(value)}: ${state}`);
}
