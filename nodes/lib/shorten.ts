/** Characters of somebody else's text that a reason or a log line quotes: topics may have 65,535, device ids as many. */
const QUOTED = 80;

/** A text of others, cut to a length. A character of two UTF-16 units stays whole. */
export function shorten(text: string, most: number): string {
  if (text.length <= most) return text;
  const last = text.charCodeAt(most - 2);
  const end = last >= 0xd800 && last <= 0xdbff ? most - 2 : most - 1;
  return `${text.slice(0, end)}…`;
}

/** A text of others in quotes, shortened; line breaks in it cannot pass for lines of a log. */
export function quoted(text: string): string {
  return JSON.stringify(shorten(text, QUOTED));
}
