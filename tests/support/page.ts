/** A page as an HTML parser sees it. */
export interface Page {
  readonly title: string;
  /** The words of the body, with single spaces, but for those that are closed away. */
  readonly words: string;
  /** The words of "Your session". */
  readonly details: string;
  /** The names of all elements, in their order. */
  readonly elements: readonly string[];
  /** Where links and forms lead: `GET /login`, `POST /logout`. */
  readonly targets: readonly string[];
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&amp;": "&",
  "&lt;": "<",
  "&gt;": ">",
  "&quot;": '"',
  "&#x27;": "'",
  "&ndash;": "–",
};

/** Reads the page that a response brings. */
export async function readPage(response: Response): Promise<Page> {
  const elements: string[] = [];
  const targets: string[] = [];
  let title = "";
  let words = "";
  let details = "";
  const rewriter = new HTMLRewriter()
    .on("*", { element: ({ tagName }) => void elements.push(tagName) })
    .on("a", { element: (link) => void targets.push(`GET ${link.getAttribute("href")}`) })
    .on("form", { element: (form) => void targets.push(targetOf(form)) })
    .on("title", { text: ({ text }) => void (title += text) })
    .on("main", { text: ({ text }) => void (words += text) })
    .on("details", { text: ({ text }) => void (details += text) });
  await rewriter.transform(response).text();
  return {
    title: decode(title),
    words: decode(words.replace(details, "")).trim(),
    details: decode(details).trim(),
    elements,
    targets,
  };
}

function targetOf(form: HTMLRewriterTypes.Element): string {
  return `${form.getAttribute("method")?.toUpperCase()} ${form.getAttribute("action")}`;
}

function decode(text: string): string {
  return unescapeHTML(text).replaceAll(/\s+/g, " ");
}

/** The text that the HTML stands for. */
export function unescapeHTML(html: string): string {
  return html.replaceAll(/&[#\w]+;/g, (entity) => ENTITIES[entity] ?? entity);
}

/** Whom the start page greets: a name, or `null` for a visitor. Throws for any other page. */
export function identityOf(body: string): string | null {
  if (body.includes("You are not logged in")) return null;
  const [, name] = /Logged in as ([^<]*)</.exec(body) ?? [];
  if (name === undefined) throw new Error(`This is not the start page: ${body.slice(0, 200)}`);
  return name;
}
