import { type Html, html, renderDocument, STYLE_HASH } from "./html.ts";

/**
 * What goes with every answer: nothing is loaded, framed, sniffed or shared with other sites. The icon
 * is in the page, and an image for the policy.
 */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  "x-content-type-options": "nosniff",
  // With no-referrer a browser that lacks Sec-Fetch-Site would send `Origin: null` with our forms.
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** What went wrong, and what the visitor can do. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly advice: string;
}

/** Every kind of answer. No cache keeps one that may show whose session it is. */
export interface Answers {
  /** A page. */
  page(title: string, body: Html, status?: number): Response;
  /** A page that was rendered before. */
  document(text: string): Response;
  /** A page that says what went wrong, with a link to the start page. */
  problem(problem: Problem): Response;
  /** The same, after which the browser may try again (RFC 9110 §10.2.3). */
  later(problem: Problem, retryAfter: string): Response;
  /** A line of text, for programs. */
  text(status: number, line: string): Response;
  /**
   * The public keys, for whoever asks: caches and pages of other sites may have them. 304 if the
   * client has them already, by its `If-None-Match` (RFC 9110 §13.1.2).
   */
  keySet(json: string, known: string | null): Response;
  /** The browser gets another page, as after a form (RFC 9110 §15.4.4). */
  redirect(path: string): Response;
}

/** Makes the answers of one application. Their headers are made once: to copy them is cheaper. */
export function createAnswers(start: string, isSecure: boolean): Answers {
  const common = {
    ...SECURITY_HEADERS,
    ...(isSecure && { "strict-transport-security": "max-age=31536000" }),
    "cache-control": "no-store",
  };
  const pageModel = modelOf(200, { ...common, "content-type": "text/html; charset=utf-8" });
  const textModel = modelOf(200, { ...common, "content-type": "text/plain; charset=utf-8" });
  const keySetHeaders = {
    ...common,
    "cache-control": "public, max-age=300",
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
  };
  const redirectModel = modelOf(303, common);

  function page(title: string, body: Html, status = 200): Response {
    return make(renderDocument(title, body), pageModel, status);
  }

  function problem({ status, title, advice }: Problem): Response {
    const body = html`<h1>${title}</h1>
      <p>${advice}</p>
      <p><a href="${start}">Go to the start page</a></p>`;
    return page(title, body, status);
  }

  return {
    page,
    document: (text) => make(text, pageModel),
    problem,
    later(reason, retryAfter) {
      const response = problem(reason);
      response.headers.set("retry-after", retryAfter);
      return response;
    },
    text: (status, line) => make(`${line}\n`, textModel, status),
    keySet(json, known) {
      const etag = `"${new Bun.CryptoHasher("sha256").update(json).digest("base64url")}"`;
      const headers = { ...keySetHeaders, etag };
      const tags = new Set((known ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, "")));
      if (tags.has(etag) || tags.has("*")) return new Response(null, { status: 304, headers });
      return new Response(json, {
        headers: { ...headers, "content-type": "application/jwk-set+json" },
      });
    },
    redirect(path) {
      const response = make(null, redirectModel);
      response.headers.set("location", path);
      return response;
    },
  };
}

/** A response that others take their status and headers from. It is never sent. */
function modelOf(status: number, headers: Readonly<Record<string, string>>): Response {
  return new Response(null, { status, headers });
}

/** A response like the model. Bun copies the headers of a `Response` faster than any others. */
function make(body: string | null, model: Response, status: number = model.status): Response {
  const { headers } = model;
  return new Response(body, status === model.status ? model : { status, headers });
}
