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
/** For the policy. */
export const STYLE_HASH: string = new Bun.CryptoHasher("sha256").update(STYLE).digest("base64");

const DOCUMENT = html`<!doctype html>
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title></title>
      ${STYLE_ELEMENT}
    </head>
    <body>
      <main></main>
    </body>
  </html>`;
/** The document, cut where the title and the body go. */
const [HEAD = "", BODY = "", TAIL = ""] = DOCUMENT.html.split(/(?<=<title>|<main>)/);

/** A whole document. */
export function renderDocument(title: string, body: Html): string {
  return `${HEAD}${Bun.escapeHTML(title)}${BODY}${body.html}${TAIL}`;
}
