import { type Html, html } from "./html.ts";

/** A time in UTC, to the second. */
export function time(date: Date): Html {
  return html`<time datetime="${date.toISOString()}">${date.toUTCString()}</time>`;
}
