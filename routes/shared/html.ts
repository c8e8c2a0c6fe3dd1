/** Text that is HTML already, so that it is not escaped again. */
export interface Html {
  readonly html: string;
}

/** What may stand in a page. Text is escaped. */
type Part = string | Html;

function render(part: Part): string {
  return typeof part === "string" ? Bun.escapeHTML(part) : part.html;
}

/** HTML, with everything that is put into it escaped. Attributes need their quotes. */
export function html(texts: TemplateStringsArray, ...parts: readonly Part[]): Html {
  let html = texts[0] ?? "";
  for (const [at, part] of parts.entries()) html += render(part) + (texts[at + 1] ?? "");
  return { html };
}

/** Nothing. */
export const NO_HTML: Html = { html: "" };

/** Links, buttons and fields are at least 44 px high: a line of 28.8 px and twice 8 px. */
const STYLE = `
:root { color-scheme: light dark; --accent: light-dark(#0b57d0, #a8c7fa); --alert: light-dark(#b3261e, #f2b8b5); }
body { max-width: 32rem; margin: 3rem auto; padding: 0 1rem; font: 1.125rem/1.6 system-ui, sans-serif; overflow-wrap: anywhere; background: light-dark(#fff, #121212); color: light-dark(#1f1f1f, #e3e3e3); }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.3; }
p { margin: 0.5rem 0; }
a, button, summary { color: var(--accent); padding: 0.5rem 0; cursor: pointer; }
a { display: inline-block; }
input, button { font: inherit; border: 1px solid currentcolor; border-radius: 0.375rem; background: none; }
button { padding: 0.5rem 0.75rem; }
button.link { padding: 0.5rem 0; border: 0; text-decoration: underline; }
form { margin: 0.5rem 0; }
form + form { margin-top: 1.5rem; }
ul { margin: 1rem 0; padding: 0; list-style: none; }
li { padding: 0.5rem 0 0.75rem; border-top: 1px solid; }
li p { font-size: 1rem; }
label { display: block; margin-top: 1rem; }
input { width: 100%; box-sizing: border-box; margin: 0.25rem 0 1rem; padding: 0.5rem 0.75rem; color: inherit; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.problem { border-left: 4px solid var(--alert); padding-left: 0.75rem; }
[aria-invalid] { border-color: var(--alert); }
details { margin-top: 2rem; border-top: 1px solid; font-size: 1rem; }
summary { font-size: 1.125rem; }
dt { margin-top: 0.75rem; font-weight: bold; }
dd { margin: 0; }
pre { margin: 0; font-size: 0.875rem; white-space: pre-wrap; }
`;

/** The element as a whole: its hash holds for each of its characters. */
const STYLE_ELEMENT: Html = { html: `<style>${STYLE}</style>` };
/** For the policy. */
export const STYLE_HASH: string = new Bun.CryptoHasher("sha256").update(STYLE).digest("base64");

/**
 * A madeleine, in the page itself: no browser asks for `/favicon.ico`. Within the attribute only the
 * quotes and `#` need care.
 */
const ICON: Html = {
  html: `<link rel="icon" href="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><path fill='%23d08a2e' d='M8 16Q0 11 1 5L4 2l4-1 4 1 3 3q1 6-7 11'/><path stroke='%237a4a12' d='M8 15V2M7 14 4 4M9 14l3-10'/></svg>">`,
};

/** ASCII alone, so that Bun copies a page's bytes as they are. */
const DOCUMENT = html`<!doctype html>
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>&ndash; Madeleine</title>
      ${ICON} ${STYLE_ELEMENT}
    </head>
    <body>
      <main></main>
    </body>
  </html>`;
/** The document, cut where the title and the body go. */
const [HEAD = "", BODY = "", TAIL = ""] = DOCUMENT.html.split(/(?<=<title>|<main>)/);

/** A whole document. The title says what happened. */
export function renderDocument(title: string, body: Html): string {
  return `${HEAD}${Bun.escapeHTML(title)} ${BODY}${body.html}${TAIL}`;
}
