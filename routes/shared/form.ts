/** What a form may have, in bytes. */
export const BODY_LIMIT: number = 16 * 1024;
const FIELD_LIMIT = 16;

/** The text of a field, or the status of the answer if this is not a form of ours. */
export type Field =
  | { readonly text: string; readonly refusal?: never }
  | { readonly text?: never; readonly refusal: 400 | 413 | 415 };

/** Reads the form's field of this name. The text is empty where there is no such field. */
export async function readField(request: Request, name: string): Promise<Field> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) return { refusal: 415 };
  const bytes = await request.bytes();
  if (bytes.length > BODY_LIMIT) return { refusal: 413 };
  const body = new TextDecoder().decode(bytes);
  if (/%(?![\da-f]{2})/i.test(body)) return { refusal: 400 };
  const fields = new URLSearchParams(body);
  const texts = fields.getAll(name);
  const [text = ""] = texts;
  return fields.size > FIELD_LIMIT || texts.length > 1 ? { refusal: 400 } : { text };
}
