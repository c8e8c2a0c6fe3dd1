/** A form as a browser without scripts sends it. */
export interface Form {
  readonly action: string;
  readonly isMultipart: boolean;
  /** The hidden fields. */
  readonly fields: ReadonlyMap<string, string>;
}

/** The page of a recipe. */
export interface Page {
  /** What the page says, without tags. */
  readonly text: string;
  readonly user: string;
  readonly bag: readonly string[];
  readonly flashes: readonly string[];
  /** By their `id`. */
  readonly forms: ReadonlyMap<string, Form>;
}

const ENTITIES = new Map([
  ["amp", "&"],
  ["lt", "<"],
  ["gt", ">"],
  ["quot", '"'],
  ["#x27", "'"],
  ["#39", "'"],
]);

function decode(html: string): string {
  return html.replaceAll(/&(#?\w+);/g, (entity, name: string) => ENTITIES.get(name) ?? entity);
}

/** The text of HTML without scripts: what stands between the tags, with frameworks' comments left out. */
function textOf(html: string): string {
  const visible = html.replaceAll(/<!--.*?-->|<script\b.*?<\/script>|<style\b.*?<\/style>/gs, "");
  return decode(visible.replaceAll(/<[^>]*>/g, "\n"));
}

function readForms(html: string): Map<string, Form> {
  const forms = new Map<string, Form>();
  for (const [, tag = "", content = ""] of html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gs)) {
    const fields = new Map<string, string>();
    for (const [, input = ""] of content.matchAll(/<input\b([^>]*)>/g)) {
      if (attribute(input, "type") === "hidden") {
        fields.set(attribute(input, "name"), attribute(input, "value"));
      }
    }
    const isMultipart = attribute(tag, "enctype").toLowerCase() === "multipart/form-data";
    forms.set(attribute(tag, "id"), {
      action: attribute(tag, "action") || "/",
      isMultipart,
      fields,
    });
  }
  return forms;
}

function attribute(tag: string, name: string): string {
  const match = new RegExp(`(?:^|\\s)${name}="([^"]*)"`, "i").exec(tag);
  return decode(match?.[1] ?? "");
}

/** Reads the page of a recipe. */
export async function readPage(response: Response): Promise<Page> {
  const html = await response.text();
  const main = /<main\b[^>]*>(.*?)<\/main>/s.exec(html)?.[1] ?? html;
  const lines = textOf(main)
    .split("\n")
    .map((line) => line.trim());
  const valueOf = (label: string): string =>
    lines
      .find((line) => line.startsWith(label))
      ?.slice(label.length)
      .trim() ?? "";
  return {
    text: textOf(html),
    user: valueOf("You are "),
    bag: valueOf("In your bag:")
      .split(", ")
      .filter((item) => item !== ""),
    flashes: lines.filter((line) => line.startsWith("Welcome")),
    forms: readForms(main),
  };
}
