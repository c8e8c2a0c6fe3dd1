/** Text that is HTML already, so that it is not escaped again. */
export interface Html {
  readonly html: string;
}

/** What may stand in a page. Text is escaped. */
type Part = string | Html;

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character] ?? "");
}

function render(part: Part): string {
  return typeof part === "string" ? escape(part) : part.html;
}

/** HTML, with everything that is put into it escaped. Attributes need their quotes. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return { html: String.raw({ raw: texts }, ...parts.map(render)) };
}

/** Nothing. */
export const NO_HTML: Html = { html: "" };

const STYLE = `
:root { color-scheme: light dark; }
body { max-width: 32rem; margin: 3rem auto; padding: 0 1rem; font: 1.125rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.25rem; }
a, button { color: light-dark(#0b57d0, #a8c7fa); }
input, button { font: inherit; padding: 0.5rem 0.75rem; border: 1px solid currentcolor; border-radius: 0.375rem; }
input { width: 100%; box-sizing: border-box; margin: 0.25rem 0 1rem; }
button { background: none; cursor: pointer; }
button.link { padding: 0; border: 0; text-decoration: underline; }
:focus-visible { outline: 3px solid light-dark(#0b57d0, #a8c7fa); outline-offset: 2px; }
.problem { border-left: 4px solid light-dark(#b3261e, #f2b8b5); padding-left: 0.75rem; }
`;

/** The element as a whole: its hash holds for each of its characters. */
const STYLE_ELEMENT: Html = { html: `<style>${STYLE}</style>` };
const STYLE_HASH = new Bun.CryptoHasher("sha256").update(STYLE).digest("base64");

/** What goes with every answer: nothing is loaded, framed, sniffed or shared with other sites. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  "x-content-type-options": "nosniff",
  // With no-referrer a browser that lacks Sec-Fetch-Site would send `Origin: null` with our forms.
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

/** A whole page. It is not kept anywhere, as it may show whose session it is. */
export function page(title: string, body: Html, init: ResponseInit = {}): Response {
  const document = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <main>${body}</main>
      </body>
    </html> `;
  const headers = new Headers(init.headers);
  headers.set("content-type", "text/html; charset=utf-8");
  headers.set("cache-control", "no-store");
  return new Response(document.html.trim(), { ...init, headers });
}

/** What went wrong, and what the visitor can do. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly advice: string;
}

/** A page that says what went wrong, with a link to the start page. */
export function problemPage(
  { status, title, advice }: Problem,
  start: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const body = html`<h1>${title}</h1>
    <p>${advice}</p>
    <p><a href="${start}">Go to the start page</a></p>`;
  return page(title, body, { status, headers });
}

/** A line of text, for programs. It is not kept anywhere. */
export function text(status: number, line: string): Response {
  const headers = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  return new Response(`${line}\n`, { status, headers });
}

/** After a form was taken: the browser gets `path` anew (RFC 9110 §15.4.4), each time. */
export function seeOther(path: string): Response {
  const headers = { location: path, "cache-control": "no-store" };
  return new Response(null, { status: 303, headers });
}
